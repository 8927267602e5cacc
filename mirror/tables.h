/*
 * tables.h - the tables that a mirror has, by what begins their lines, and by their relid.
 *
 * A table that is moved aside is known by its relid only. Lines may also begin as those of a table that the mirror leaves
 * out: that is known, too.
 *
 * Owns the relations. Errors: -ENOMEM.
 */
#ifndef MIRROR_TABLES_H
#define MIRROR_TABLES_H

#include "err.h"
#include "hash.h"
#include "line.h"
#include "relation.h"

/* The bytes that begin a table's lines -> the table; NULL: the mirror leaves it out. */
struct tables_entry {
	struct relation *table;
	UT_hash_handle hh;
	size_t pairs_len;
	char pairs[];
};

struct tables_known {
	struct relation *table;
	uint32_t relid;
	UT_hash_handle hh;
};

/* Zeros are none. */
struct tables {
	struct tables_entry *entries;
	struct tables_known *by_relid; /* all, to be gone through by hh.next */
	struct tables_entry *last;     /* what tables_entry found: mostly the next line is its, too */
};

void tables_fini(struct tables *tables);

/* Whose lines begin so; NULL: nobody's that is known. Borrowed until tables_begin or tables_leave. */
struct tables_entry *tables_entry(struct tables *tables, struct span pairs);

/* From here on lines that begin so are the table's (NULL: left out), which until now were nobody's. */
struct tables_entry *tables_begin(struct tables *tables, struct span pairs, struct relation *table, struct err *err);
/* From here on those that begin as the table's schema says. */
struct tables_entry *tables_name(struct tables *tables, struct relation *table, struct err *err);
/* The table's lines begin so no longer. */
void tables_leave(struct tables *tables, const struct relation *table);

struct tables_known *tables_known(struct tables *tables, uint32_t relid);

/* A table that is not there: takes `table` over, as it does after an error. */
int tables_add(struct tables *tables, struct relation *table, struct err *err);
/* Closes it; its schema is still what it was added with. */
void tables_remove(struct tables *tables, struct relation *table);

/* Its relid is the schema's from here on. */
void tables_renumber(struct tables *tables, struct tables_known *known);
/* All relids become others, which no table has: the highest. */
void tables_renumber_all(struct tables *tables);
/* by_relid is in that order from here on. */
void tables_sort(struct tables *tables);

/* By its path name in PostgreSQL; by its name in SQLite. NULL: none. */
struct relation *tables_named(const struct tables *tables, const char *name);
struct relation *tables_called(const struct tables *tables, const char *name);

#endif
