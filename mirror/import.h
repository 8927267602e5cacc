/*
 * import.h - a query's result from a server -> a table of an SQLite database, all of it or nothing.
 *
 * The query runs in a read-only transaction. Types are those of value.h; columns are found by their names.
 */
#ifndef MIRROR_IMPORT_H
#define MIRROR_IMPORT_H

#include <stdbool.h>

#include "err.h"
#include "value.h"

struct import_options {
	const char *conninfo, *query, *path, *table;
	const char *key; /* columns joined by commas, as in name.h, or NULL */
	bool replace;    /* rows of the same key or, without a key, all that is there */
	enum numeric numeric;
};

/* The table is made where it is not there, as is the database. -EINVAL and -EEXIST where query, key and table do
 * not fit each other; otherwise as rows.h and database.h. */
int import_run(const struct import_options *options, struct err *err);

#endif
