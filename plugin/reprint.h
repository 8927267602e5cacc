/*
 * reprint.h - columns of another type, whose rows were not written anew.
 *
 * PostgreSQL writes none where the bytes stay the same (a cast WITHOUT
 * FUNCTION). What the rows print from then on is in no line; of some types
 * readers can tell it from what they have (FORMAT.md).
 */
#ifndef DELTAFLOOD_REPRINT_H
#define DELTAFLOOD_REPRINT_H

#include "relation.h"

/* Of a definition that is told in a transaction that has changed catalogs: the columns (from 0) whose older rows readers
 * cannot tell any more, where these were `kept` since the definition before it. Else only takes note of it. */
List *reprint_find(struct relation_cache *cache, ReorderBufferTXN *txn, struct relation *relation, bool kept);

#endif
