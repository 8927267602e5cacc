/*
 * lines.h - the lines of a file, which may grow, with big ordinary reads and a running checksum.
 *
 * Memory: 2 MiB, or the longest line and 1 MiB for as long as it is needed.
 */
#ifndef COMMON_LINES_H
#define COMMON_LINES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "input.h"

/* As read(2), with more said: the count, 0 where there is no more at this time, or a negative errno. */
typedef long lines_read(void *ctx, char *buf, size_t len, struct err *err);

struct lines {
	struct input input; /* or: */
	lines_read *read;   /* not NULL: what is read is got by this, */
	void *ctx;          /* which is borrowed */
	char *path;
	/* buffer[start..end) has not been handed out; buffer[start..scanned) has no '\n';
	 * buffer[summed..start) is not in crc yet. */
	char *buffer;
	size_t size, start, end, scanned, summed;
	uint32_t crc;
};

/* The error of input_open, or -ENOMEM. lines_close is to be called in any case. */
int lines_open(struct lines *lines, const char *path, struct err *err);
int lines_open_read(struct lines *lines, lines_read *read, void *ctx, struct err *err);
void lines_close(struct lines *lines);

/* 1: a line without its '\n', borrowed until the next call; 0: there is no more at this time.
 * -EINTR after a signal, -ENOTCONN where reading a file fails (what `read` said, else), -EBADMSG where a line has no end, -ENOMEM. */
int lines_next(struct lines *lines, const char **text, size_t *len, struct err *err);

/* Looks for more bytes. 1: there are; 0: not at this time; else as lines_next. */
int lines_more(struct lines *lines, struct err *err);

/* The bytes behind the last line: the beginning of the next. */
size_t lines_rest(const struct lines *lines, const char **rest);

/* The CRC-32C of all since the last lines_sum_begin (or the start) up to `upto`, a place in the
 * line that was handed out last; NULL: to its end, with the '\n'. */
uint32_t lines_sum(const struct lines *lines, const char *upto);
void lines_sum_begin(struct lines *lines);

#endif
