/*
 * published.h - the tables that the output plugin sends, as one snapshot of the server sees them.
 *
 * All is read by SQL from the catalogs' rows, so that it is as old as the snapshot of the connection's
 * transaction; the definitions are those that plugin/schema.c prints, byte for byte.
 */
#ifndef COMMON_PUBLISHED_H
#define COMMON_PUBLISHED_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "copy.h"
#include "inserts.h"

/* What copying a table's rows needs beside struct copy_table. */
struct published_table {
	char *from;   /* "schema"."table", for SQL */
	char *values; /* the select list */
	struct inserts_format format;
	/* Its names, its file and its columns: a snapshot reads rows rightly as long as these are still so. */
	char *shape;
	unsigned attributes; /* that `shape` speaks of */
};

struct published {
	struct copy_table *tables;    /* by name */
	struct published_table *more; /* at the same place */
	size_t count;
};

/* `tables` as copy_open's; where not `must_exist`, those that do not exist are left out. Free with
 * published_fini, also after an error. */
int published_read(struct published *published, PGconn *conn, const char *tables, bool must_exist, int wakefd,
                   struct err *err);
void published_fini(struct published *published);

/* By a connection whose snapshot is newer: -ESTALE where the table's shape is another one by now. */
int published_check(const struct published *published, size_t i, PGconn *conn, int wakefd, struct err *err);

#endif
