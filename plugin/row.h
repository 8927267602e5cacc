/*
 * row.h - the pairs of a row behind `_action`.
 */
#ifndef DELTAFLOOD_ROW_H
#define DELTAFLOOD_ROW_H

#include "relation.h"

/* Appends "\tname\tvalue" for each column of a new row. Left out is what the
 * change did not touch and the server therefore does not have here: TOAST
 * values in a row of their own. */
void row_append_new(StringInfo out, const struct relation_cache *cache, struct relation *relation, TupleDesc desc,
                    HeapTuple tuple);

/* The same for an old row: the columns of the replica identity only, since
 * the server puts NULLs for all others. */
void row_append_old(StringInfo out, const struct relation_cache *cache, struct relation *relation, TupleDesc desc,
                    HeapTuple tuple);

#endif
