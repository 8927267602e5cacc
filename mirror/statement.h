/*
 * statement.h - the prepared statements of one table.
 *
 * Parameters are numbered by column: ?1 .. ?n are the new row's values in the
 * definition's order, ?n+1 .. ?2n the old row's. A statement names only those
 * it needs; which they are follows from its kind and from the columns that
 * are there.
 *
 *     INSERT   all of the new row; with a key: or else what is there becomes it
 *     UPDATE   new values WHERE the new row's key; the key's columns stay
 *     MOVE     new values, the key's too, WHERE the old row
 *     DELETE   WHERE the old row
 *     PUT      as INSERT, of all rows that ?1 gives (supply.h); with a key
 *     LAST     the highest key, of a table whose key is the rowid
 *
 * "The old row" is the one with the old key or, without a key, one of those
 * that equal it in all columns.
 *
 * Columns and indexes that people added to the table are let be.
 */
#ifndef MIRROR_STATEMENT_H
#define MIRROR_STATEMENT_H

#include <sqlite3.h>

#include "err.h"
#include "schema.h"
#include "value.h"

enum statement_kind {
	STATEMENT_INSERT,
	STATEMENT_UPDATE,
	STATEMENT_MOVE,
	STATEMENT_DELETE,
	STATEMENT_PUT,
	STATEMENT_LAST,
	STATEMENT_KINDS
};

struct statement_partial;

struct statement_cache {
	sqlite3 *sqlite;
	const struct schema *schema;
	sqlite3_stmt *whole[STATEMENT_KINDS]; /* with all columns there */
	struct statement_partial *partial;    /* with some absent: a bounded number of them */
};

/* The statement that sets the columns of `values` (one for each of the schema's, `present` of which are there). It stays the
 * cache's, and is gone with the next call. -ENOTSUP where the table is not as it was made, or what people added to it lacks something. */
int statement_get(struct statement_cache *cache, enum statement_kind kind, const struct value *values, unsigned present,
                  sqlite3_stmt **stmt, struct err *err);

/* Finalizes all: before the table is altered, and at the end. */
void statement_clear(struct statement_cache *cache);

#endif
