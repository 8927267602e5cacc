/*
 * scan.h - the lines of a file between two offsets, one after the other.
 *
 * Memory: one buffer of 256 KiB, or of the longest line met. One thread.
 */
#ifndef FS_SCAN_H
#define FS_SCAN_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

/* As pread(2), with more said: -errno and `err`. */
typedef long scan_read(void *ctx, uint64_t off, char *buf, size_t len, struct err *err);

struct scan {
	int fd;          /* borrowed; or: */
	scan_read *read; /* not NULL: what is read is got by this */
	void *ctx;
	uint64_t off, end; /* of the next line; where to stop */
	char *buf;
	size_t cap, len, at; /* buf[at..len) is read and not yet handed out */
};

/* Starts at `off`, which begins a line, and stops at `end`. */
int scan_init(struct scan *scan, int fd, uint64_t off, uint64_t end, struct err *err);
int scan_init_read(struct scan *scan, scan_read *read, void *ctx, uint64_t off, uint64_t end, struct err *err);

/* The next line without its '\n', borrowed until the next call; *off is where
 * it starts. Returns 1; 0 at the end; -ENODATA where bytes without '\n' are
 * left before the end (scan->off is where they start); -EIO and the like. */
int scan_next(struct scan *scan, const char **line, size_t *len, uint64_t *off, struct err *err);

void scan_fini(struct scan *scan);

#endif
