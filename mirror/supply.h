/*
 * supply.h - rows in memory as a table of SQLite's, so that one statement takes many:
 *
 *     INSERT INTO t (...) SELECT c0, c1, ... FROM _daystream_rows(?1) WHERE true ...
 *
 * where ?1 stands for what supply_step has. SQLite has less to do for each row of it than for a statement that
 * is bound, run and reset again and again. No table of a mirror has that name (schema.h).
 */
#ifndef MIRROR_SUPPLY_H
#define MIRROR_SUPPLY_H

#include <sqlite3.h>
#include <stdbool.h>

#include "err.h"
#include "value.h"

/* PostgreSQL's tables have no more columns. */
#define SUPPLY_COLUMNS 1600

/* Where the key is the rowid (value.h: an integer), a row that is one behind all others is given without: then SQLite takes just
 * that number, and goes on at the table's end, instead of looking for the key from the root. */
struct supply {
	/* Whether there is one more; then `values` are its columns. Called when the row before is written. */
	bool (*next)(struct supply *supply);
	const struct value *values; /* borrowed until the next call; of the first row at the start */
	bool added;                 /* the row was not there before */
	int key;                    /* which column the rowid is; -1: none */
	bool has_last;              /* the table has rows, */
	int64_t last;               /* and this is their highest rowid */
	bool astray;                /* SQLite took another number */
};

/* Makes _daystream_rows known to a connection. -ENOMEM, -EIO. */
int supply_register(sqlite3 *sqlite, struct err *err);

/* Runs a statement that writes what `supply` gives, into a table with a rowid; to be reset afterwards. */
void supply_step(sqlite3_stmt *stmt, struct supply *supply);

#endif
