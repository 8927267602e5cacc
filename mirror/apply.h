/*
 * apply.h - the stream's lines -> the database, whole transactions only.
 *
 *     apply_line ... apply_line     one SQLite transaction, opened by the first line
 *     apply_commit                  after any `commit` line: rows and position are there at once
 *     apply_rollback                at any time: all since the last apply_commit is undone;
 *                                   the stream is to be read again from there
 *
 * Many transactions of the stream make one of SQLite, never a part of one.
 * Lines go to SQLite as they come, or by the batches of coalesce.h, so a transaction of any size needs no more
 * memory than those and SQLite's page cache.
 *
 * A mirror of one table's file (database.table_file) gets no commit lines: there the caller
 * commits only where a transaction ends, and the position is that of the last line.
 *
 * What cannot be placed in a table without a replica identity, or one that is not exact any
 * more, is passed over, said once and marked (schema.h); so it is in tables named to apply_tolerate.
 *
 * What a line says lasts only once its `commit` line has come: the caller
 * has that checked (follow.h).
 *
 * Errors: as in relation.h; beside these -ESTALE where the stream is another one
 * than the mirror was made from, so that only a new start helps. Sentences
 * begin with the line's position and its table. A row that waited (apply_coalesce) may be found wrong only later.
 */
#ifndef MIRROR_APPLY_H
#define MIRROR_APPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "database.h"
#include "err.h"
#include "line.h"

struct apply;
struct registry;

/* `database`, which has been opened, and `tables` (a normalized list or NULL) are borrowed. A database without a
 * position begins at the `newest_generation` (0: at the first line). `warn` gets the
 * sentence where something is passed over. */
int apply_open(struct apply **opened, struct database *database, const char *tables, uint64_t newest_generation,
               void (*warn)(const char *text), struct err *err);

/* Rolls back what has not been committed. */
void apply_close(struct apply *apply);

/* One line, whose head line_parse has split; borrowed for the call. */
int apply_line(struct apply *apply, const struct line_head *head, struct err *err);

/* Whether the last line was within a transaction: then apply_commit is not possible yet. */
bool apply_in_transaction(const struct apply *apply);

/* All comes anew, in one SQLite transaction which is begun here: the definitions and rows of all
 * tables by apply_line, from lines without stamps, then apply_refilled, then what these lack. The mirror
 * is exact from then on. `origin` is where they are from. */
int apply_refill(struct apply *apply, const struct origin *origin, struct err *err);
int apply_refilled(struct apply *apply, struct err *err);

/* These tables (a normalized list, borrowed; NULL: none) are brought anew meanwhile. One that somebody has dropped or changed
 * is made as it was before, in a transaction of its own, so that the stream can go on over it (registry_mend). */
int apply_tolerate(struct apply *apply, const char *tables, struct err *err);

/* Whether rows wait for the end of their batch, so that only the last state of each is written (coalesce.h). At first
 * they do not. Change it only where nothing waits: after apply_commit or apply_rollback. */
void apply_coalesce(struct apply *apply, bool on);

/* Its tables; borrowed until the next apply_rollback. */
struct registry *apply_registry(struct apply *apply);

/* The end of what is published was reached: from here on a new generation ends the mirror,
 * which before only made it begin anew, with the tables that it finds there. */
void apply_caught_up(struct apply *apply);

/* Lines and their bytes since the last apply_commit. */
struct apply_amount {
	size_t lines, bytes;
};
struct apply_amount apply_taken(const struct apply *apply);
/* Those of them that do not wait, but are in SQLite's transaction. */
struct apply_amount apply_written(const struct apply *apply);

/* Nothing to commit is fine. After an error: apply_rollback. */
int apply_commit(struct apply *apply, struct err *err);
int apply_rollback(struct apply *apply, struct err *err);

#endif
