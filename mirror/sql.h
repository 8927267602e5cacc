/*
 * sql.h - statements without a result, and what SQLite's errors mean.
 *
 * A pragma that is asked as a table is asked of "temp": in "main", a table of the source may have its name.
 */
#ifndef MIRROR_SQL_H
#define MIRROR_SQL_H

#include <sqlite3.h>

#include "err.h"

/* Writes SQLite's own words to `err`: "<doing>: <words>", or, where it is about the file, what is wrong with that one.
 * -EEXIST where a row does not pass a constraint or trigger; -ENOTSUP where a table is not as it was made, or what people
 * added lacks something; -EFBIG, -EIO, -EBUSY, -ENOSPC, -ENOMEM. */
int sql_error(sqlite3 *sqlite, const char *doing, struct err *err);

/* The same of a file's error that is not the connection's last one; `system` is its errno, or 0. */
int sql_failed(sqlite3 *sqlite, int code, int system, struct err *err);

/* The same of a call's error that SQLite does not keep as the connection's. */
int sql_untold(sqlite3 *sqlite, int code, struct err *err);

/* Runs statements without a result. */
int sql_run(sqlite3 *sqlite, const char *sql, struct err *err);

/* The same with what sqlite3_mprintf makes of `fmt` (%w for names). An ALTER TABLE wants to understand
 * every view and trigger of the file: one that somebody left broken there does not stop it. */
int sql_runf(sqlite3 *sqlite, struct err *err, const char *fmt, ...);

#endif
