/*
 * retain.h - what a store gives up: its oldest segments, by age and by size, and the snapshots that no
 * stream follows any more.
 *
 *  - Whole sealed segments, oldest first; never the newest, never one that has not expired.
 *  - By days: its last line is older than keep_days, counted back from the newest line, or from now where
 *    that is earlier; a leap of both counts when it has stood for an hour (age.h). So a store that stands still
 *    loses nothing, nor does one whose clocks are wrong for a while.
 *  - By bytes: all segments together have more than keep_bytes.
 *  - Not beyond the newest whole snapshot of all tables of this generation, unless `may_pass_snapshot`:
 *    it would leave no way for a new follower to start.
 *  - A segment that somebody still reads through an open file is unlinked, and can be read on, while such
 *    segments have no more than keep_bytes, or 1 GiB.
 *  - A snapshot goes when its position is given up, or when its generation is over.
 */
#ifndef FS_RETAIN_H
#define FS_RETAIN_H

#include <stdbool.h>

#include "config.h"
#include "view.h"

struct retain {
	struct store *store; /* all is borrowed; retain_once and the thread: opened with STORE_WRITE */
	struct table_set *tables;
	struct view_set *views;
	const struct config *config;
	/* By our thread. Whether the newest snapshot may be given up before there is a newer one: where taking one
	 * failed, or none is taken by itself; and that one newer than `snapshot` is waited for. */
	bool (*may_pass_snapshot)(void *ctx);
	void (*held)(void *ctx, struct position snapshot);
	void *ctx;
};

/* Gives up what has expired at `now` (Unix time). One thread at a time. 1: more would go, if it were
 * not for the newest snapshot, which is *snapshot; 0: it would not. After an error, the rest goes the next time. */
int retain_once(const struct retain *retain, uint64_t now, bool may_pass_snapshot, struct position *snapshot,
                struct err *err);

/* Gives up what is before the segment of that number. Also of a store that somebody else writes (STORE_FOLLOW), who has
 * removed the files. */
int retain_give_up(const struct retain *retain, size_t edge, struct err *err);

/* A thread that does so every second, and keeps the reserve (reserve.h). */
struct retainer;
int retain_start(struct retainer **retainer, const struct retain *retain, struct err *err);
void retain_stop(struct retainer *retainer); /* NULL is fine */

#endif
