/*
 * keep.h - what people wrote into columns that they added, kept while a table's rows come anew.
 *
 * A row is known again by its key; in tables without one, those columns become NULL. All of it happens in
 * the caller's SQLite transaction; between the two calls the table may be altered.
 */
#ifndef MIRROR_KEEP_H
#define MIRROR_KEEP_H

#include <sqlite3.h>

#include "err.h"
#include "schema.h"

/* Before the rows go. */
int keep_save(sqlite3 *sqlite, const struct schema *schema, struct err *err);

/* When they are there again; `schema` is what the table is now. Without keep_save it does nothing. */
int keep_restore(sqlite3 *sqlite, const struct schema *schema, struct err *err);

#endif
