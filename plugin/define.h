/*
 * define.h - `schema`, `drop`, `partial` and `truncate` lines: what the lines under a name mean, and whether they are all.
 *
 * A definition is told before the first line that needs it, and at the latest
 * at the end of the transaction that changed it. So once a transaction is
 * over, readers know all tables as they are, whether rows have changed or not.
 *
 * Where a name goes from one table to another within a transaction, what
 * becomes of the one comes before the other's `schema` line: its `drop`, or
 * the `schema` line with its new name.
 *
 * What is done to an unlogged table is not in the log. Where a transaction makes one of a table, and logs it again, the
 * log has the rows that are left then, and nothing where none is. But the table is in another file (pg_class.relfilenode) then. So
 * it is known of each table in which file the rows are that readers have.
 */
#ifndef DELTAFLOOD_DEFINE_H
#define DELTAFLOOD_DEFINE_H

#include "session.h"

/* What has to stand before a change of a table: its schema line, where one is due; a `truncate`, where the rows that readers
 * have went without a line; or a `partial` line, where it comes with rows that they never saw. `file` is
 * the pg_class.relfilenode of what the change was made to. */
void define_print(struct session *session, ReorderBufferTXN *txn, struct relation *relation, Oid file);

/* A `truncate`, and before it the schema line, where one is due. The rows that come next are those of `file`;
 * InvalidOid: of whichever the next change is made to. */
void define_print_truncate(struct session *session, ReorderBufferTXN *txn, struct relation *relation, Oid file);

/* Instead, of a table that is not wanted under the name that it has. */
void define_pass(struct session *session, ReorderBufferTXN *txn, struct relation *relation, Oid file);

/* At the end of a transaction: all that it has defined, or emptied, and not told yet. The
 * current memory context is one that is reset soon. */
void define_print_rest(struct session *session, ReorderBufferTXN *txn);

#endif
