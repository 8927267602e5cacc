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

struct supply {
	/* Whether there is one more; then `values` are its columns. Called when the row before is written. */
	bool (*next)(struct supply *supply);
	const struct value *values; /* borrowed until the next call; of the first row at the start */
	bool added;                 /* the row was not there before */
};

/* Makes _daystream_rows known to a connection. -EIO. */
int supply_register(sqlite3 *sqlite, struct err *err);

/* Runs a statement that writes what `supply` gives, into a table with a rowid; to be reset afterwards. */
void supply_step(sqlite3_stmt *stmt, struct supply *supply);

#endif
