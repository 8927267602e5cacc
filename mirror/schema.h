/*
 * schema.h - a table's definition in PostgreSQL -> its table in SQLite.
 *
 * Names. A table of schema public has its own name, any other is called
 * "schema.table". A name that is reserved (sqlite_..., _daystream...) gets "_"
 * before it; where it is taken, "#<relid>" is appended. Names are compared
 * without regard to ASCII case, as SQLite does. Of tables that come together,
 * in a copy, the one with the lowest OID has it without: it came first to
 * those that followed. Columns have their own names;
 * one that differs from an earlier one in case only, or is called _rowid_,
 * gets "#<number>" appended: so _rowid_ always is SQLite's own.
 *
 * Types: value.h. Of constraints, only the key is declared:
 *
 *     the replica identity's columns          SCHEMA_KEY: PRIMARY KEY, NOT NULL; one integer column
 *                                             becomes INTEGER PRIMARY KEY, SQLite's rowid
 *     FULL, and the table has a primary key   SCHEMA_KEY with the primary key's columns
 *     FULL without one                        SCHEMA_ROW: equal rows may stand twice
 *     none                                    SCHEMA_NONE: rows can be added, not found again
 *
 * A replica identity's index is never deferrable, so at each line of the
 * stream no two rows have the same key. A deferrable primary key under FULL
 * does not promise that: the plugin must not report it as `pk`.
 *
 * What is there already is written down in
 *
 *     CREATE TABLE _daystream_tables (
 *         relid INTEGER PRIMARY KEY,
 *         schema TEXT, "table" TEXT,   in PostgreSQL; NULL once another table has the name
 *         name TEXT NOT NULL,          in SQLite
 *         definition TEXT NOT NULL,    the schema line, from _schema or _table on, without _xid
 *         inexact_since TEXT)          "<epoch>.<seq>" of the first change that could not be placed: since then
 *                                      the rows are not all as in PostgreSQL; NULL: they are. TRUNCATE mends
 *                                      it, as does --resync
 */
#ifndef MIRROR_SCHEMA_H
#define MIRROR_SCHEMA_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "definition.h"
#include "err.h"
#include "line.h"
#include "value.h"

enum schema_match { SCHEMA_KEY, SCHEMA_ROW, SCHEMA_NONE };

struct schema_column {
	char *name; /* in SQLite */
	char *wire; /* as lines spell it, escaped, and a tab */
	size_t wire_len;
	uint64_t begin, begin_mask; /* the first 8 bytes of that and a tab, and which of them there are */
	enum storage storage;
	unsigned number; /* what stays when the column is renamed */
	unsigned key;    /* place in the key, from 1; 0 when not in it */
	char *labels; /* an enum's, with those that rows have and the definition lacks (reprint.h); NULL: as it says */
};

struct schema {
	struct definition definition;
	char *text;                            /* the definition as it stands in _daystream_tables */
	char *name;                            /* in SQLite; NULL until schema_create or alter_table */
	size_t table_pairs_len;                /* text begins with the line_head.table_pairs of the table's lines */
	bool displaced;                        /* its name in PostgreSQL is another table's now */
	char inexact_since[POSITION_TEXT_MAX]; /* "": it is exact */

	enum schema_match match;
	unsigned key_count;
	unsigned *key;  /* the key's columns in order: indexes into columns */
	bool rowid_key; /* INTEGER PRIMARY KEY */
	bool key_first; /* the first columns are the key's, in its order, and not all */
	unsigned column_count;
	struct schema_column *columns; /* in the definition's order */
};

/* Whether the pair that begins `rest` has its name. Most names are shorter than the call of memcmp is worth. */
static inline bool schema_is_named(const struct schema_column *column, struct span rest)
{
	size_t len = column->wire_len + 1;
	uint64_t begin;

	if (rest.len < sizeof begin || len > sizeof begin)
		return rest.len >= len && memcmp(rest.at, column->wire, len) == 0;
	memcpy(&begin, rest.at, sizeof begin);
	return ((begin ^ column->begin) & column->begin_mask) == 0;
}

/* From a `schema` line; owns its memory. -EBADMSG, -ENOMEM; schema_fini is to be called in any case. */
int schema_parse(struct schema *schema, const struct line_head *head, enum numeric numeric, struct err *err);
void schema_fini(struct schema *schema);

/* Whether a column is called so in SQLite. */
bool schema_has_name(const struct schema *schema, const char *name);

/* The column of that number; NULL where there is none. */
const struct schema_column *schema_find_number(const struct schema *schema, unsigned number);

/* The one without a number, to be freed; NULL: out of memory. */
char *schema_plain_name(const struct schema *schema);

/* A name for SQLite's table, to be freed: its own as above, or, where `aside`, the one with
 * "#<relid>". A table may keep `schema->name`, where it has one. NULL after an error. */
int schema_pick_name(sqlite3 *sqlite, const struct schema *schema, bool aside, char **picked, struct err *err);

/* CREATE TABLE `name` with the columns and the key. */
int schema_create_as(sqlite3 *sqlite, const struct schema *schema, const char *name, struct err *err);

/* Picks the name, creates the table and writes it down. */
int schema_create(sqlite3 *sqlite, struct schema *schema, struct err *err);

/* Drops the table, and what is written down of it. */
int schema_drop(sqlite3 *sqlite, const struct schema *schema, struct err *err);

/* Writes it into _daystream_tables. */
int schema_save(sqlite3 *sqlite, const struct schema *schema, struct err *err);

/* Writes inexact_since. */
int schema_save_mark(sqlite3 *sqlite, const struct schema *schema, struct err *err);

/* Reads row after row of _daystream_tables: `stmt` is NULL for the first. 1: `schema` is
 * filled; 0: there is no more, `stmt` is done with. */
int schema_load_next(sqlite3 *sqlite, sqlite3_stmt **stmt, struct schema *schema, enum numeric numeric,
                     struct err *err);

#endif
