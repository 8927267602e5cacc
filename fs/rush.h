/*
 * rush.h - whether commits keep coming so fast that some more milliseconds do not matter to those who read them.
 *
 * A sync takes the processor as long as some hundred small transactions do, so in a rush each serves those of
 * a few milliseconds. A commit after silence, those of a client who waits for each and a burst are no rush: none of them
 * waits. Nor does a large one, unless any commit was handed over just before.
 *
 * Pure: it is told how much came, and what time it is.
 */
#ifndef FS_RUSH_H
#define FS_RUSH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	RUSH_COMMITS = 8,        /* or: */
	RUSH_BYTES = 64 << 10,   /* from one look at the source to the next one, twice */
	RUSH_LOOK = 256,         /* a look that does not end counts as one after so many commits, or: */
	RUSH_LOOK_LEN = 1 << 20, /* bytes */
	RUSH_HOLD_MS = 4,        /* from one sync's beginning to the next one's */
};

struct rush {
	uint64_t looked; /* commits, at the end of the last look */
	size_t bytes;    /* since then */
	bool many, on;   /* it brought many; so did the one before */
	int64_t handed_ms;
};

/* The source was looked at: `commits` have come by now, in all, and so many bytes since this was told before; `more`: the look
 * goes on. */
void rush_looked(struct rush *rush, uint64_t commits, size_t bytes, bool more);

/* What has come is handed over to be synced. */
void rush_handed(struct rush *rush, int64_t now_ms);

/* Within the last RUSH_HOLD_MS. */
bool rush_handed_lately(const struct rush *rush, int64_t now_ms);

/* Whether what has come since should wait for what comes next. */
bool rush_holds(const struct rush *rush, int64_t now_ms);

#endif
