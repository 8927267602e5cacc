/*
 * addition.h - what people added to the mirror's tables: columns, indexes, triggers.
 *
 * They survive wherever the columns that they need do. What cannot is taken
 * away, since a trigger that fails would end the mirror, and `warn` gets a
 * sentence that names it. Views stay in any case: SQLite looks at them when
 * they are read.
 */
#ifndef MIRROR_ADDITION_H
#define MIRROR_ADDITION_H

#include <sqlite3.h>

#include "err.h"
#include "schema.h"

typedef void addition_warn(const char *text);

/* Before the columns of `old` (as table new->name) become those of `new`: a person's column whose name
 * one of these takes becomes "<name>#own". */
int addition_make_room(sqlite3 *sqlite, const struct schema *old, const struct schema *new, addition_warn *warn,
                       struct err *err);

/* Adds the columns of the table new->name that no definition speaks of to `table`, and appends
 * ", \"name\"" of each to `names`. A generated one cannot be copied. */
int addition_copy_columns(sqlite3 *sqlite, const struct schema *old, const struct schema *new, const char *table,
                          sqlite3_str *names, addition_warn *warn, struct err *err);

/* The indexes and triggers of a table, to be made again once another table stands in its place. */
struct additions {
	char **cells; /* of sqlite3_get_table: kind, name, statement; a header first */
	int count;
};

int additions_read(struct additions *additions, sqlite3 *sqlite, const char *table, struct err *err);
int additions_restore(struct additions *additions, sqlite3 *sqlite, const char *table, addition_warn *warn,
                      struct err *err);
void additions_fini(struct additions *additions);

/* After a table or column has gone: takes the triggers away that fail without it, on whatever table. */
int additions_check_triggers(sqlite3 *sqlite, addition_warn *warn, struct err *err);

/* The table gets another name. A trigger of it that needs what is gone, and that nothing has set off so far, would keep the old
 * name, with which SQLite takes the whole file for damaged: it is taken away. */
int additions_rename_table(sqlite3 *sqlite, const char *from, const char *to, addition_warn *warn, struct err *err);

#endif
