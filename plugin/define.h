/*
 * define.h - `schema`, `drop` and `partial` lines: what the lines under a name mean, and whether they are all.
 *
 * A definition is told before the first line that needs it, and at the latest
 * at the end of the transaction that changed it. So once a transaction is
 * over, readers know all tables as they are, whether rows have changed or not.
 *
 * Where a name goes from one table to another within a transaction, what
 * becomes of the one comes before the other's `schema` line: its `drop`, or
 * the `schema` line with its new name.
 */
#ifndef DELTAFLOOD_DEFINE_H
#define DELTAFLOOD_DEFINE_H

#include "session.h"

/* The table's schema line, where one is due; and a `partial` line, where it comes with rows that readers never saw. */
void define_print(struct session *session, ReorderBufferTXN *txn, struct relation *relation);

/* The same, before a `truncate`: what it had does not count any more. */
void define_print_emptied(struct session *session, ReorderBufferTXN *txn, struct relation *relation);

/* At the end of a transaction: all that it has defined and not told yet. The
 * current memory context is one that is reset soon. */
void define_print_rest(struct session *session, ReorderBufferTXN *txn);

#endif
