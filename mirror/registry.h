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
#include <stdbool.h>

#include "addition.h"
#include "err.h"
#include "line.h"
#include "relation.h"

struct registry;

/* Reads _daystream_tables. `tables` is a normalized list (filter.h) or NULL; borrowed. `alone`: the
 * mirror is of one table's file, so that --resync takes no list. `exact`: the mirror began with all rows (relation.h);
 * this does not hold for tables that are marked. `warn` gets a sentence for each thing people added that a change of
 * definition takes away. */
int registry_open(struct registry **opened, sqlite3 *sqlite, const char *tables, bool alone, bool exact,
                  enum numeric numeric, addition_warn *warn, struct err *err);
void registry_close(struct registry *registry);

/* The table of a line that has a _table; NULL where --tables leaves it out. Borrowed until
 * registry_define. -EBADMSG where no definition came before the line. */
int registry_find(struct registry *registry, const struct line_head *head, struct relation **table, struct err *err);

/* A `schema` line: creates, alters or does nothing. -EBADMSG where it does not follow the format. */
int registry_define(struct registry *registry, const struct line_head *head, struct err *err);

/* A `drop` line: the table goes, with its indexes and triggers. One that the mirror does not have is fine. */
int registry_drop(struct registry *registry, const struct line_head *head, struct err *err);

/* A `partial` line: the table is marked as inexact, which is said. */
int registry_mark_partial(struct registry *registry, const struct line_head *head, struct err *err);

/* From here on the stream has these tables (a normalized list, NULL: all): those that it has no more are marked as
 * inexact. `existing`: as registry_expect. */
int registry_choose(struct registry *registry, const char *tables, const char *existing, struct position position,
                    struct err *err);

/* There are these tables (OIDs joined by blanks): of one that the mirror does not have, when it comes, the older rows do
 * not. */
int registry_expect(struct registry *registry, const char *existing, struct err *err);

/* Drops all tables: a new generation begins. */
int registry_clear(struct registry *registry, struct err *err);

/* From here on the definitions and rows of all tables come anew, as they are somewhere else:
 * a definition empties its table, and people's indexes, views, triggers and columns stay. `foreign`:
 * it is another database's, so that tables and columns are known by their names alone. */
int registry_refill(struct registry *registry, bool foreign, struct err *err);

/* All have come: tables that have not are dropped, and the mirror is exact. */
int registry_refilled(struct registry *registry, struct err *err);

/* The table that is called so in PostgreSQL (a path name); NULL: none. */
struct relation *registry_named(struct registry *registry, const char *name);

/* Those of the list (a normalized one) that somebody has dropped or changed are as they were made, without the rows that
 * they lack, which is said: they are marked as inexact from `position` on. */
int registry_mend(struct registry *registry, const char *tables, struct position position, struct err *err);

/* Drops one table. */
int registry_remove(struct registry *registry, struct relation *table, struct err *err);

/* Puts behind the sentence of an error of the table what is to be done about it, where there is something; returns `code`. */
int registry_remedy(const struct registry *registry, const struct relation *table, int code, struct err *err);

/* At the end of a transaction: -EBADMSG where a table still waits for the truncate that
 * alter_table announced. */
int registry_check(struct registry *registry, struct err *err);

#endif
