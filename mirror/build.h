/*
 * build.h - a new mirror, built beside its final name.
 *
 *     <db>.building   written without any care for a crash: only this program's lock holds it
 *        rows ─▶ what they lack ─▶ the stream up to its end as it is then ─▶ synced, renamed to <db>
 *
 * So a half-filled file never has the final name. What an interrupted one left is thrown away by the next.
 */
#ifndef MIRROR_BUILD_H
#define MIRROR_BUILD_H

#include <stdbool.h>

#include "err.h"
#include "mirror.h"

/* How often it was begun anew. */
struct build_tries {
	unsigned count, changed; /* of what ends it, and of what does not, as tables changed meanwhile */
	bool waiting;            /* for a snapshot, and it has been said */
	bool failing;            /* the daemon cannot take one, and it has been said */
	struct err away;         /* what was said last of the mount or the server */
	int pause_ms;            /* the last one */
};

/* Fills the mirror from the server (wish->conninfo) or the mount's newest snapshot, in its transaction,
 * which is not committed. 1: all rows are there; 0: there is nothing to fill it from, nor will be.
 * -EAGAIN: the daemon is about to take a snapshot. Else as load.h. */
int build_fill(struct mirror *mirror, struct err *err);

/* After an error: waits, and returns 0, where it is to be begun anew; else `code`. */
int build_again(struct build_tries *tries, const struct mirror_wish *wish, int code, struct err *err);

/* Opens `path` anew, fills it and follows to the end. -EINTR after a signal. mirror_close is to be called in
 * any case, and, where the file is not wanted, build_discard before. */
int build_beside(struct mirror *mirror, const struct mirror_wish *wish, const char *path, struct err *err);
void build_discard(struct mirror *mirror);

/* All of it. -EINTR after a signal: then there is no database. */
int build_new(const struct mirror_wish *wish, struct err *err);

/* Removes what an interrupted building or resync left beside the mirror, which is there. */
void build_sweep(const struct mirror_wish *wish);

#endif
