/*
 * touched.h - which tables a transaction's changes of the catalogs may concern.
 *
 * The server writes into the WAL which cache entries a transaction made
 * stale: tables by their OID; of types, enums' labels and schemas only a hash
 * of it, so these are looked up among those that were there before.
 */
#ifndef DELTAFLOOD_TOUCHED_H
#define DELTAFLOOD_TOUCHED_H

#include "nodes/pg_list.h"
#include "replication/reorderbuffer.h"
#include "utils/snapmgr.h"

/* OIDs in order, each once: tables, but also what else pg_class has. Some may
 * be gone, some may not have changed. `before` is lookup_without_own's, `now` the
 * snapshot at the transaction's end. The list is in the current memory context. */
List *touched_find(ReorderBufferTXN *txn, Snapshot before, Snapshot now);

#endif
