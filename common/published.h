/*
 * published.h - the tables that the output plugin sends, as one snapshot of the server sees them.
 *
 * All is read by SQL from the catalogs' rows, so that it is as old as the snapshot of the connection's
 * transaction.
 */
#ifndef COMMON_PUBLISHED_H
#define COMMON_PUBLISHED_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "inserts.h"
#include "lacking.h"

struct published_table {
	char *name;   /* path name (name.h) */
	char *schema; /* its `schema` line without stamp, _xid and '\n', as the plugin prints it */
	uint32_t relid;
	uint64_t rows;  /* the server's estimate */
	uint64_t bytes; /* estimate of its lines, the definition with them */

	/* What reading its rows needs. */
	char *from;   /* "schema"."table", for SQL */
	char *values; /* the select list */
	struct inserts_format format;
	/* Its names, its file and its columns: a snapshot reads rows rightly as long as these are still so. */
	char *shape;
	unsigned attributes; /* that `shape` speaks of */
	bool has_parts;      /* its values may print what other types say: labels, attributes */
};

struct published {
	struct published_table *tables; /* by name */
	size_t count;
};

/* `tables`: path names joined by commas; NULL or "" for all that the plugin sends where it is given no list.
 * Those that do not exist are left out, or, where they `must_exist`, -ENOENT; -EACCES names one that may not be
 * read. `lacking` knows afterwards all that there are, whatever the list. Free with
 * published_fini, also after an error. */
int published_read(struct published *published, struct lacking *lacking, PGconn *conn, const char *tables,
                   bool must_exist, int wakefd, struct err *err);
void published_fini(struct published *published);

/* The order to copy them in, to be freed; NULL: out of memory. A table that is emptied or altered meanwhile ends a copy, so those
 * that take a moment come first; then the largest, so that none is left to the end. */
size_t *published_order(const struct published_table *tables, size_t count);

/* All tables that there are, sent or not: their OIDs joined by blanks, to be freed. -EAGAIN where it takes longer than
 * `timeout_ms` (0: no limit). */
int published_existing(PGconn *conn, int wakefd, int timeout_ms, char **relids, struct err *err);

/* By a connection whose snapshot is newer: -ESTALE where the table's shape is another one by now. */
int published_check(const struct published_table *table, PGconn *conn, int wakefd, struct err *err);

/* After the table's rows were read: -ESTALE where a label of its columns' types was renamed since what `then` sees, or a
 * composite type among these got or lost an attribute. Nothing locks them, and whatever the snapshot, values print as they
 * are now. */
int published_check_parts(const struct published_table *table, PGconn *then, PGconn *now, int wakefd, struct err *err);

#endif
