/*
 * columns.h - the columns of tables, by SQL, and the `schema` lines that they make.
 *
 * The lines are those that plugin/schema.c prints, byte for byte.
 */
#ifndef COMMON_COLUMNS_H
#define COMMON_COLUMNS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "line.h"

/* The columns of some tables; rows from..to-1 are those of the table that columns_take came to. */
struct columns {
	PGresult *res;
	int from, to;
};

/* Of the tables with these OIDs, which are joined by commas. Free with columns_fini, also after an error. */
int columns_read(struct columns *columns, PGconn *conn, const char *oids, int wakefd, struct err *err);
void columns_fini(struct columns *columns);

/* Goes on to the columns of table oids[table]: of each in turn, from 0. */
void columns_take(struct columns *columns, size_t table);

/* Of a row; the name is raw and borrowed until columns_fini. */
const char *columns_name(const struct columns *columns, int row);
bool columns_is_boolean(const struct columns *columns, int row);
/* Its values print labels, or values of other types. */
bool columns_prints_others(const struct columns *columns, int row);

/* What the table's values print of other types: an array of labels and attributes, for SQL, and whether it has all of
 * `before`, another one, or is gone ("t"). */
int columns_parts(PGconn *conn, uint32_t relid, const char *before, int wakefd, PGresult **res, struct err *err);

/* The table that the columns are of. */
struct columns_owner {
	struct span pairs; /* what names it on a line (name_pairs) */
	const char *oid;
	char identity;                   /* pg_class.relreplident */
	const char *primary, *replident; /* the numbers of the keys' columns, "2 1"; "": there is no such key */
};

/* Its `schema` line without stamp, _xid and '\n', to be freed. -ENOMEM. */
int columns_print_schema(const struct columns *columns, const struct columns_owner *owner, char **text,
                         struct err *err);

#endif
