/*
 * snapshot.h - takes a snapshot of the store's tables (docs/FORMAT.md, "A snapshot").
 *
 *     copy_open ─▶ dump: tables/<name>, by some threads ─▶ copy_mark ─▶ overlap, up to the marker ─▶ manifest,
 *              └─▶ overlap: what the stream brings meanwhile ───────────▲                           name
 *
 * Any process that may read the store can do so, while daystreamfs serves it: without that, the
 * marker would never come. Nothing of the slot is used, and no writer of the server waited for. What
 * is not finished leaves nothing behind.
 */
#ifndef FS_SNAPSHOT_H
#define FS_SNAPSHOT_H

#include "config.h"
#include "position.h"
#include "progress.h"

struct snapshot_request {
	const char *tables;                 /* path names joined by commas; NULL: all that the store has */
	unsigned jobs;                      /* connections that copy at once */
	int wakefd;                         /* readable: give up, -EINTR */
	struct progress *progress;          /* NULL is fine */
	void (*warn)(const char *sentence); /* as copy.h */
};

/* Takes one; *taken is its position. -EBUSY: another one is being taken; -ENOTCONN: no daystreamfs serves the store, or
 * not any more; -ENOSPC: there is not enough room; -ENOENT names a table that is not there; as copy.h else. */
int snapshot_take(int store_dirfd, const struct config *config, const struct snapshot_request *request,
                  struct position *taken, struct err *err);

#endif
