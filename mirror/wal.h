/*
 * wal.h - the WAL of the mirror's file: when it is copied back into it, and how long that waits for others.
 *
 * It is copied back while the mirror goes on (backfill.h). So it does not begin at its start again before the mirror has a
 * moment without lines; where it has none, it waits for that now and then.
 *
 * What was not synced, though the disk said that it was, is in the page cache and not on the disk: whoever
 * would sync it again would be told that all is well. So an error while copying back ends the program, and
 * nothing is copied back at its end; whoever opens the file next writes the WAL once more before it trusts it.
 */
#ifndef MIRROR_WAL_H
#define MIRROR_WAL_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "backfill.h"
#include "err.h"

struct wal {
	sqlite3 *sqlite;
	bool beside;                    /* `backfill` may be had, */
	struct backfill *backfill;      /* as soon as it pays; NULL: not yet */
	int stop_fd;                    /* readable: give up waiting for others */
	int64_t wait_until_ms;          /* of the monotonic clock; 0 waits as long as it takes, */
	int64_t since_ms;               /* from then on, */
	void (*warn)(const char *text); /* which is told once when it is long; NULL: it is not */
	int least;                      /* so many pages pay */
	int pages, next;                /* at the last commit; from how many on to copy them back */
};

/* The connection waits for another writer of the file: a person at work in the mirror. After ten seconds `warn` (NULL: nobody)
 * gets a sentence. `sqlite` and `wal` stay. */
void wal_init(struct wal *wal, sqlite3 *sqlite, int stop_fd, void (*warn)(const char *text));

/* Writes and syncs what an earlier process left, under SQLite's lock for writers. -EIO, -ENOSPC, -EBUSY. */
int wal_rewrite(struct wal *wal, struct err *err);

/* From here on commits have it copied back now and then, `beside` what goes on or before they return: this takes the place
 * of SQLite's own way to do that. */
void wal_watch(struct wal *wal, bool beside);

/* After a commit: whether copying back beside it went well. -EIO, -ENOSPC. */
int wal_check(struct wal *wal, struct err *err);

/* Before the connection is closed. */
void wal_close(struct wal *wal);

/* Copies all of it back and gives its space away. -EBUSY where a reader holds it for longer than a moment; -EIO, -ENOSPC. */
int wal_empty(struct wal *wal, struct err *err);

#endif
