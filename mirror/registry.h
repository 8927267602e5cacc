/*
 * registry.h - the tables of the mirror: found for a line, kept in step with
 * the `schema` lines, known again after a restart.
 *
 * A table is its relid (the OID). Where a definition gives a name that
 * another relid has, that other one was renamed (or dropped, by a server that tells
 * none of that): it is moved aside (alter.h) and keeps its rows; its own definition
 * comes before its next line and gives it its new name.
 *
 * Tables that --tables does not name are not there at all. A table that is
 * renamed to a name not listed is moved aside, too.
 *
 * All functions run inside the caller's SQLite transaction; after a rollback
 * the registry no longer fits and is to be opened anew.
 */
#ifndef MIRROR_REGISTRY_H
#define MIRROR_REGISTRY_H

#include <sqlite3.h>

#include "addition.h"
#include "err.h"
#include "line.h"
#include "relation.h"

struct registry;

/* Reads _daystream_tables. `tables` is a normalized list (filter.h) or NULL; borrowed. `warn` gets a sentence
 * for each thing people added that a change of definition takes away. */
int registry_open(struct registry **opened, sqlite3 *sqlite, const char *tables, addition_warn *warn, struct err *err);
void registry_close(struct registry *registry);

/* The table of a line that has a _table; NULL where --tables leaves it out. Borrowed until
 * registry_define. -EBADMSG where no definition came before the line. */
int registry_find(struct registry *registry, const struct line_head *head, struct relation **table, struct err *err);

/* A `schema` line: creates, alters or does nothing. -EBADMSG where it does not follow the format. */
int registry_define(struct registry *registry, const struct line_head *head, struct err *err);

/* A `drop` line: the table goes, with its indexes and triggers. One that the mirror does not have is fine. */
int registry_drop(struct registry *registry, const struct line_head *head, struct err *err);

/* Drops all tables: a new generation begins. */
int registry_clear(struct registry *registry, struct err *err);

/* At the end of a transaction: -EBADMSG where a table still waits for the truncate that
 * alter_table announced. */
int registry_check(struct registry *registry, struct err *err);

#endif
