/*
 * regular.h - opens and writes a file of the store: a plain one, all the bytes, or it is an error. What somebody put in its
 * place, a folder, a link, a pipe that nobody writes to, is named, and never waited for.
 */
#ifndef FS_REGULAR_H
#define FS_REGULAR_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

/* As openat; what is created can be read by its owner only. `folder` stands before the name in a message:
 * "segments/", or "". Returns the descriptor; -ENOENT and the like; -EINVAL where it is no plain file. */
int regular_open(int dirfd, const char *folder, const char *name, int flags, struct err *err);

/* Its length, or -errno: as regular_open, without opening it. */
int64_t regular_len(int dirfd, const char *folder, const char *name, struct err *err);

/* All of the bytes, at the descriptor's place. 0, or -errno with errno set. */
int regular_write(int fd, const char *bytes, size_t len);

#endif
