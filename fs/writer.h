/*
 * writer.h - the one writer of a store: stamps lines, appends them, syncs and
 * shows whole transactions.
 *
 *     writer_begin ─▶ writer_line ... ─▶ writer_commit ─▶ writer_flush      thread A
 *                                                     └▶ writer_sync       thread B: fdatasync, show
 *
 * - A transaction's lines get the second of writer_begin, never below the one
 *   before, and count on from there; so the same transactions, read again,
 *   get the same positions.
 * - A new segment starts at writer_begin, where the newest is full or the UTC
 *   day changes. It opens with the `origin` and the definitions in force.
 * - A definition that is in force is not written again.
 * - Nothing is shown that is not synced, nor a part of a transaction.
 *
 * Thread A has all functions but writer_sync and writer_durable_lsn. After
 * -ENOSPC and -EDQUOT (the disk is full) and -EAGAIN (writer_begin: the full segment
 * is still being synced) all is as it was, and the same call may be made again.
 * After any other error the process has to end; the next start recovers.
 */
#ifndef FS_WRITER_H
#define FS_WRITER_H

#include "store.h"

struct writer;

/* The store is borrowed; it was opened with STORE_WRITE. */
int writer_open(struct writer **writer, struct store *store, uint64_t segment_bytes, struct err *err);

/* Writes the durable end down (confirmed.h) and frees. What was not committed
 * or not synced is left to the next recovery. */
void writer_close(struct writer *writer);

/* `second`: Unix time of the commit. */
int writer_begin(struct writer *writer, uint64_t second, struct err *err);

/* One line without stamp and '\n', and its head; a `schema` line in force is
 * dropped. */
int writer_line(struct writer *writer, const char *line, size_t len, const struct line_head *head, struct err *err);

/* The `commit` line, without stamp and crc; ends the transaction. */
int writer_commit(struct writer *writer, const char *line, size_t len, uint64_t lsn, struct err *err);

/* Takes back a begun transaction, if there is one: the source broke off. */
int writer_rollback(struct writer *writer, struct err *err);

/* Hands what is buffered to the kernel, and wakes writer_sync. */
int writer_flush(struct writer *writer, struct err *err);

/* The server needs nothing before `lsn` any more, since all it sent up to there was
 * appended. Written down (confirmed.h) by writer_sync once it is on disk; only
 * then writer_durable_lsn tells it. Between transactions, after writer_flush. */
void writer_idle(struct writer *writer, uint64_t lsn);

/* A timeline that the next segment's `origin` has to name. */
void writer_timeline(struct writer *writer, uint32_t timeline);

/* Up to where everything is on disk and shown, as an LSN. Any thread. */
uint64_t writer_durable_lsn(struct writer *writer);

/* The last commit that was appended, synced or not. Thread A. */
uint64_t writer_appended_lsn(const struct writer *writer);

/* Waits for commits that are flushed and not synced, syncs them all at once
 * and shows them. 1: done so; 0: nothing within `timeout_ms` or writer_stop. */
int writer_sync(struct writer *writer, int timeout_ms, struct err *err);
void writer_stop(struct writer *writer);

/* Starts a store, or a new generation of one: writes a segment that holds the
 * `origin` line and a commit line of `xid` at `lsn`, synced. `after` is the last
 * position before it (zeros for none). */
int writer_origin(int segments_dirfd, struct position after, uint64_t second, const struct origin *origin, uint64_t xid,
                  uint64_t lsn, const char *time, struct err *err);

#endif
