/*
 * input.h - the files that are followed: opened and read on, looked for, listed.
 *
 * A path leads into the file system, unless it begins as one of another way there does (mirror/nfs.h): who
 * reads need not know.
 *
 * Errors are negative errnos. Another way answers -ENOENT only where it was told so, and -ENOTCONN where there
 * was nobody to ask.
 */
#ifndef COMMON_INPUT_H
#define COMMON_INPUT_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct input {
	int fd; /* of the file system, and what poll(2) may be asked about; -1: it is of another way, or closed */
	const struct input_way *way;
	void *file;  /* the other way's */
	uint64_t at; /* what comes next */
};

enum input_kind { INPUT_FILE, INPUT_FOLDER };

/* Files that are got otherwise. All may be called by several threads. */
struct input_way {
	const char *prefix; /* of their paths */
	int (*open)(void **file, const char *path, struct err *err);
	long (*read)(void *file, uint64_t at, char *buf, size_t len);
	int64_t (*size)(void *file);
	void (*close)(void *file);
	int (*kind)(const char *path);
	int (*list)(const char *path, char ***names, struct err *err);
};

/* From now on there is this one, too. Borrowed for ever. */
void input_add(const struct input_way *way);

/* "cannot open PATH: why". input_close is to be called in any case. */
int input_open(struct input *input, const char *path, struct err *err);
void input_close(struct input *input);

/* As read(2). */
long input_read(struct input *input, char *buf, size_t len);

/* How many bytes it tells of. */
int64_t input_size(const struct input *input);

/* Whether it can be opened: 0, or as input_open. (access(2) would not do: sshfs answers it without asking.) */
int input_look(const char *path, struct err *err);

/* enum input_kind, or an error. */
int input_kind(const char *path);

/* What a link says, cut where it is too long. -ENOSYS of another way: there, links are not read. */
int input_link(const char *path, char *target, size_t size);

/* How many names a folder has, in any order; to be given to input_free. "cannot list PATH: why". */
int input_list(const char *path, char ***names, struct err *err);
void input_free(char **names, int count);

#endif
