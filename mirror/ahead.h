/*
 * ahead.h - the stream's lines, read ahead by a thread of its own where many come.
 *
 *     follow_next ─▶ queue.h ─▶ ahead_next
 *
 * What it hands out, and in which order, is follow.h's: a line, or an end, or an error, which comes when all lines
 * before it were handed out. At an end the thread stands still, and so it does while few lines come: then
 * the caller reads by itself, so that a commit arrives without a detour.
 *
 * All functions are one thread's. Errors are those of follow.h; beside these -EAGAIN: no thread can be had.
 */
#ifndef MIRROR_AHEAD_H
#define MIRROR_AHEAD_H

#include "follow.h"

struct ahead;

/* As follow_open. Free the result with ahead_close, which ends the thread. */
int ahead_open(struct ahead **opened, const struct follow_source *source, const struct position *after,
               struct err *err);
void ahead_close(struct ahead *ahead);

/* As follow_next, but that `same` lines have no text (queue.h). */
int ahead_next(struct ahead *ahead, const struct follow_line **line, struct err *err);

/* Of the last line handed out. */
struct position ahead_position(const struct ahead *ahead);

/* After an end or an error, until the next ahead_next: as follow_in_line, follow_is_cut and follow_wait. */
bool ahead_in_line(const struct ahead *ahead);
bool ahead_is_cut(const struct ahead *ahead);
void ahead_wait(struct ahead *ahead, int stop_fd);

#endif
