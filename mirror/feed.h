/*
 * feed.h - lines that one function has, for another one on a second thread: so a copy is received while its rows are
 * inserted.
 *
 *     read ─▶ feed_line ─▶ queue.h ─▶ each
 *     └── a thread of its own ──┘     └─ the caller's ─┘
 */
#ifndef MIRROR_FEED_H
#define MIRROR_FEED_H

#include <stddef.h>

#include "err.h"
#include "follow.h"

struct feed;

/* What a `read` that waits for somebody else waits for as well: that `each` wants no more, or that the program is to
 * end (stop.h). Then it stays readable. */
struct feed_end {
	int over_fd; /* an eventfd: no more is wanted */
	int fd;      /* either */
};
int feed_end_open(struct feed_end *end, struct err *err);
void feed_end_close(struct feed_end *end);

/* Gives all its lines to feed_line; an error of which it returns. */
typedef int feed_read(void *ctx, struct feed *feed, struct err *err);

/* A line whose grammar is wrong has no head.action. Its error ends it all. */
typedef int feed_each(void *ctx, const struct follow_line *line, struct err *err);

/* The first error of the two; one of `read` comes when `each` has had all lines before it. -EAGAIN, -ENOMEM: there is
 * no thread. `end` is told of an error of `each`; NULL: `read` waits for nothing that a signal does not end. */
int feed_run(feed_read *read, void *read_ctx, feed_each *each, void *each_ctx, const struct feed_end *end,
             struct err *err);

/* One line, without its '\n'; borrowed for the call. */
int feed_line(struct feed *feed, const char *text, size_t len, struct err *err);

#endif
