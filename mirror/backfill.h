/*
 * backfill.h - the WAL is copied back into its file by a thread of its own, while the mirror goes on.
 *
 *     backfill_open ─▶ backfill_start ... ─▶ backfill_end
 *
 * It has a connection of its own, which does nothing else. What is committed meanwhile waits for the next time; readers are
 * never waited for. Where nothing is to be done, it takes no processor time.
 *
 * All functions are one thread's: the one whose connection is `sqlite`.
 */
#ifndef MIRROR_BACKFILL_H
#define MIRROR_BACKFILL_H

#include <sqlite3.h>

struct backfill;

/* For the file that `sqlite` has open, in WAL mode. NULL: it cannot be had. */
struct backfill *backfill_open(sqlite3 *sqlite);

/* Ends the thread, after what it is at: before `sqlite` is closed, which then is the last to close the file. */
void backfill_close(struct backfill *backfill);

/* Copies what was committed until now; more than once meanwhile is once. */
void backfill_start(struct backfill *backfill);

/* Until all that was started has ended. */
void backfill_wait(struct backfill *backfill);

/* SQLite's code, and errno or 0, of the first copy that failed since the last call; SQLITE_OK: none did. That a reader or a
 * full disk kept it from copying all is no failure. */
int backfill_failed(struct backfill *backfill, int *system);

#endif
