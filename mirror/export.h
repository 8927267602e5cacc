/*
 * export.h - a query's result from an SQLite database -> a table of a server, all of it or nothing.
 *
 * One COPY ... FROM STDIN, columns by their names. Numbers go as the shortest text that is the same number, text as it
 * is, blobs as bytea, NULL as NULL; what a type of the server does not take is the server's error.
 */
#ifndef MIRROR_EXPORT_H
#define MIRROR_EXPORT_H

#include "err.h"

struct export_options {
	const char *path, *query, *conninfo;
	const char *table; /* as in SQL: schema-qualified, quoted where it has to be */
};

int export_run(const struct export_options *options, struct err *err);

#endif
