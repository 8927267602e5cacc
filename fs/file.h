/*
 * file.h - what stands behind a node of the tree: its attributes, and an open
 * file's bytes. Knows the store, not FUSE.
 */
#ifndef FS_FILE_H
#define FS_FILE_H

#include <sys/stat.h>

#include "arrived.h"
#include "part.h"
#include "tree.h"
#include "view.h"

/* What the tree shows; all borrowed. Any thread. */
struct shown {
	struct store *store;
	struct table_set *tables;
	struct view_set *views;
	struct part_set *parts; /* of snapshots, that are open */
	/* The text of /status or /metrics, to be freed; NULL: out of memory. */
	char *(*text)(void *ctx, enum node_kind kind, size_t *len);
	void *ctx;
	struct arrived *arrived; /* NULL: all snapshots that are there */
	struct recent *recent;   /* NULL: none */
};

/* A name that means something else from one look-up to the next: /live and /tables/<name> start at the
 * oldest line that is retained then, which becomes part of the node. So a file that was opened before
 * retention gave up lines is another than one behind it, each with its own length. */
void file_pin(const struct shown *shown, struct node *node);

/* st_mode, st_size, st_mtime, st_nlink and st_blksize of a node; the caller adds
 * the inode number and the owner. -ENOENT where there is no such line, second,
 * table or snapshot; -ESTALE where there was one, and retention gave it up. */
int file_stat(const struct shown *shown, const struct node *node, struct stat *st, struct err *err);

/* S_IFDIR, S_IFREG or S_IFLNK. */
mode_t file_type(const struct node *node);

/* Whether its bytes and attributes stay as they are from now on, until it is given up: a line, what is in a
 * snapshot, a second or a day that is over. Asked before these are read, true holds for them. */
bool file_is_final(const struct shown *shown, const struct node *node);

/* Where /snapshots/latest leads: the newest of all tables that can be followed. -ENOENT: there is none. */
int file_link(const struct shown *shown, char target[POSITION_TEXT_MAX], struct err *err);

struct file;

/* -ENOENT, -ESTALE as file_stat. */
int file_open(struct file **file, const struct shown *shown, const struct node *node, struct err *err);
void file_close(struct file *file);

/* Copies from `off`; fewer bytes only at the end. Count or -errno. Any thread. */
long file_read(struct file *file, uint64_t off, char *buf, size_t len, struct err *err);

/* The same in two: read for later, and given to the reader, up to `next`: retention may have what is before. */
long file_peek(struct file *file, uint64_t off, char *buf, size_t len, struct err *err);
void file_passed(struct file *file, uint64_t next);

/* file_peek for who goes on behind it: at least `least` but at the end, and as much more, up to `most`, as is read
 * better with it than later. */
long file_some(struct file *file, uint64_t off, char *buf, size_t least, size_t most, struct err *err);

/* file_peek beside who does that. */
long file_beside(struct file *file, uint64_t off, char *buf, size_t len, struct err *err);

/* As recent_read; where it is true, file_release has to follow. */
bool file_recent(struct file *file, uint64_t off, size_t len, struct recent_got *got);
void file_release(struct file *file, struct recent_got *got);

/* Its length now. */
int file_len(struct file *file, uint64_t *len, struct err *err);

/* A snapshot's manifest was read: where `r` says that it is damaged, that is noted. */
void file_note_manifest(const struct shown *shown, struct position position, int r, const struct err *err);

#endif
