/*
 * catalog.h - the tables of the mirror: found for a line, kept in step with
 * the `schema` lines, known again after a restart.
 *
 * A table is its relid (the OID). Where a definition gives a name that
 * another relid has, that other one was dropped or renamed: it is moved aside
 * (alter.h) and keeps its rows; when it was renamed, its own definition comes
 * before its next line and gives it its new name.
 *
 * Tables that --tables does not name are not there at all. A table that is
 * renamed to a name not listed is moved aside, too.
 *
 * All functions run inside the caller's SQLite transaction; after a rollback
 * the catalog no longer fits and is to be opened anew.
 */
#ifndef MIRROR_CATALOG_H
#define MIRROR_CATALOG_H

#include <sqlite3.h>

#include "err.h"
#include "line.h"
#include "table.h"

struct catalog;

/* Reads _daystream_tables. `tables` is a normalized list (filter.h) or NULL; borrowed. */
int catalog_open(struct catalog **opened, sqlite3 *sqlite, const char *tables, struct err *err);
void catalog_close(struct catalog *catalog);

/* The table of a line that has a _table; NULL where --tables leaves it out. Borrowed until
 * catalog_define. -EBADMSG where no definition came before the line. */
int catalog_find(struct catalog *catalog, const struct line_head *head, struct table **table, struct err *err);

/* A `schema` line: creates, alters or does nothing. -EBADMSG where it does not follow the format. */
int catalog_define(struct catalog *catalog, const struct line_head *head, struct err *err);

/* At the end of a transaction: -EBADMSG where a table still waits for the truncate that
 * alter_table announced. */
int catalog_check(struct catalog *catalog, struct err *err);

#endif
