/*
 * disk.h - folders and files: as processes see them, what of them was synced, and the changes in between.
 */
#ifndef CRASH_DISK_H
#define CRASH_DISK_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define must(call)                                                                                                     \
	do {                                                                                                           \
		if (!(call)) {                                                                                         \
			fprintf(stderr, "%s:%d: %s (errno: %s)\n", __FILE__, __LINE__, #call, strerror(errno));        \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

struct bytes {
	char *at;
	size_t len, cap;
};

/* The entries of a folder. */
struct names {
	struct entry {
		char name[NAME_MAX + 1];
		struct node *node;
	} * list;
	size_t count, cap;
};

/* A change that is not on the disk yet. */
struct change {
	uint64_t at; /* in the trace */
	enum change_kind { WRITE, TRUNCATE, SET, REMOVE, MOVE } kind;
	uint64_t off; /* of a file */
	const char *data;
	size_t len;
	char name[NAME_MAX + 1], from[NAME_MAX + 1]; /* of a folder */
	struct node *node;
};

struct node {
	unsigned id;
	bool folder;
	struct bytes now, disk; /* as processes see it; as it was synced */
	struct names names_now, names_disk;
	struct change *changes;
	size_t count, cap;
	struct node *next; /* of all that ever were */
};

struct disk {
	struct node *root, *nodes;
	unsigned count;
};

/* A list with room for one more. */
void *disk_more(void *list, size_t count, size_t *cap, size_t size);

/* What the real folder `path` holds, all of it synced; empty for NULL. */
void disk_read(struct disk *disk, const char *path);
void disk_fini(struct disk *disk);

/* One without a name. */
struct node *disk_node(struct disk *disk, bool folder);

/* By its path, as processes see the names; NULL where there is none. "." is the root. */
struct node *disk_find(const struct disk *disk, const char *path);
struct entry *disk_entry(const struct names *names, const char *name);

/* Processes see it from now on. */
void disk_change(struct node *node, struct change change);

/* What was changed before the place `covers` is on the disk, or never will be. */
void disk_settle(struct node *node, uint64_t covers, bool failed);

/* A change made to a copy of what a node holds. */
void disk_set_len(struct bytes *bytes, size_t len);
void disk_put(struct bytes *bytes, uint64_t off, const char *data, size_t len);
void disk_change_bytes(struct bytes *bytes, const struct change *change);
void disk_change_names(struct names *names, const struct change *change);
void disk_copy_names(struct names *to, const struct names *from);

#endif
