/*
 * backfill.h - the WAL is copied back into its file by a thread of its own, while the mirror goes on.
 *
 *     backfill_open ─▶ backfill_start ... ─▶ backfill_close
 *
 * It has a connection of its own, which does nothing else. What is committed meanwhile waits for the next time; readers are
 * never waited for. Where nothing is to be done, it takes no processor time.
 *
 * A copy is begun only where something is left to copy. Where nothing is, the next commit begins at the WAL's start again;
 * SQLite before 3.51.3 has a race there (sqlite.org/wal.html, the WAL-reset bug): a copy that has just begun would take that
 * commit's pages for copied ones, which then are lost.
 *
 * After a failure nothing is copied until it is told: what could not be synced would be taken to be on the disk.
 *
 * All functions are one thread's: the one whose connection is `sqlite`.
 */
#ifndef MIRROR_BACKFILL_H
#define MIRROR_BACKFILL_H

#include <sqlite3.h>
#include <stdbool.h>

struct backfill;

/* For the file that `sqlite` has open, in WAL mode. NULL: it cannot be had. */
struct backfill *backfill_open(sqlite3 *sqlite);

/* Ends the thread, after what it is at: before `sqlite` is closed, which then is the last to close the file. */
void backfill_close(struct backfill *backfill);

/* After a commit, with which the WAL has so many pages: copies what was committed until now; more than once meanwhile is once. */
void backfill_start(struct backfill *backfill, int pages);

/* Until all that was started has ended. False: a copy has failed, and backfill_failed has not told it yet. */
bool backfill_wait(struct backfill *backfill);

/* SQLite's code, and errno or 0, of the first copy that failed since the last call; SQLITE_OK: none did. That a reader or a
 * full disk kept it from copying all is no failure. */
int backfill_failed(struct backfill *backfill, int *system);

#endif
