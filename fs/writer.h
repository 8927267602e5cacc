/*
 * writer.h - the one writer of a store: stamps lines, appends them, syncs and
 * shows whole transactions.
 *
 *     writer_begin ─▶ writer_line ... ─▶ writer_commit ─▶ writer_flush ─▶ durable.h (another thread): synced, shown
 *
 * - A transaction's lines get the second of writer_begin, never below the one
 *   before, and count on from there; so the same transactions, read again,
 *   get the same positions.
 * - A new segment starts at writer_begin, where the newest is full or the UTC
 *   day changes. It opens with the `origin` and the definitions in force.
 * - A definition that is in force is not written again.
 * - Nothing is shown that is not synced, nor a part of a transaction.
 *
 * One thread has all of it, but for writer_durable's. After -ENOSPC and
 * -EDQUOT (the disk is full) and -EAGAIN (writer_begin: the full segment is
 * still being synced) all is as it was, and the same call may be made again.
 * After any other error the process has to end; the next start recovers.
 */
#ifndef FS_WRITER_H
#define FS_WRITER_H

#include "durable.h"
#include "store.h"
#include "unplaced.h"

struct writer;

/* The store is borrowed; it was opened with STORE_WRITE. */
int writer_open(struct writer **writer, struct store *store, uint64_t segment_bytes, struct err *err);

/* Writes the durable end down (confirmed.h) and frees. What was not committed
 * or not synced is left to the next recovery. */
void writer_close(struct writer *writer);

/* `second`: Unix time of the commit. */
int writer_begin(struct writer *writer, uint64_t second, struct err *err);

/* 1 where the line is a definition that is in force, which writer_line leaves out. */
int writer_has(struct writer *writer, const struct line_head *head, struct err *err);

/* Whether a definition of the table of that one is in force. */
bool writer_knows(const struct writer *writer, const struct line_head *head);

/* One line without stamp and '\n', and its head; a `schema` line in force is
 * left out, a `drop` line takes one out of force. */
int writer_line(struct writer *writer, const char *line, size_t len, const struct line_head *head, struct err *err);

/* The same for a row of the table that the line before was of, which has been taken: nothing else of it matters. */
int writer_row(struct writer *writer, const char *line, size_t len, struct err *err);

/* The `commit` line, without stamp and crc, and of its head the xid; ends the transaction. */
int writer_commit(struct writer *writer, const char *line, size_t len, const struct line_head *head, uint64_t lsn,
                  struct err *err);

/* Takes back a begun transaction, if there is one: the source broke off. */
int writer_rollback(struct writer *writer, struct err *err);

/* Commits that are not handed over yet. */
bool writer_has_new(const struct writer *writer);

/* Hands what is buffered to the kernel, and its commits to the syncing thread. */
int writer_flush(struct writer *writer, struct err *err);

/* A timeline that the next segment's `origin` has to name. */
void writer_timeline(struct writer *writer, uint32_t timeline);

/* A `message` line that belongs to no transaction: the next one begins a segment that opens with it. Of the definitions
 * in force, those of other `tables` (path names joined by commas; "" for all) are so no longer. -ENOMEM. */
int writer_note(struct writer *writer, const char *line, size_t len, const char *tables);

/* The last commit that was appended, synced or not. */
struct position writer_appended(const struct writer *writer);
uint64_t writer_appended_lsn(const struct writer *writer);
uint32_t writer_appended_sum(struct writer *writer); /* store_end's */

/* The tables whose changes could not be placed, as far as the newest segment tells. Borrowed. */
const struct unplaced *writer_unplaced(const struct writer *writer);

/* What syncs and shows its commits; as long as the writer is open. */
struct durable *writer_durable(struct writer *writer);

#endif
