/*
 * value.h - a value of the stream -> a value of SQLite.
 *
 *     base type                           storage   declared   what SQLite holds
 *     smallint integer bigint oid         INTEGER   INTEGER    the number
 *     boolean                             BOOLEAN   INTEGER    0 or 1
 *     real, double precision              REAL      (nothing)  the nearest double; NaN is the text 'NaN',
 *                                                              which SQLite's REAL has no value for
 *     bytea                               BLOB      BLOB       the bytes
 *     all others                          TEXT      TEXT       what PostgreSQL prints, byte for byte
 *
 * Floats are declared without a type because a column of REAL affinity
 * writes -0.0 as the integer 0 and so loses its sign; without an affinity
 * each double comes back bit for bit. Infinities are REAL infinities.
 *
 * A value that its type cannot have is an error, never a guess. Nothing here
 * depends on the locale as long as the program does not call setlocale.
 */
#ifndef MIRROR_VALUE_H
#define MIRROR_VALUE_H

#include <sqlite3.h>
#include <stddef.h>

#include "err.h"
#include "line.h"

enum storage { STORAGE_INTEGER, STORAGE_BOOLEAN, STORAGE_REAL, STORAGE_BLOB, STORAGE_TEXT };

/* By the base type as format_type prints it. */
enum storage value_storage(const char *base);

/* What stands behind a column's name in CREATE TABLE: "INTEGER", "", ... */
const char *value_declaration(enum storage storage);

/* Room for the values of one row that do not stand in the line as they are. */
struct value_room {
	char *at;
	size_t size, used;
};

/* Forgets what is there and makes room for a row whose values are `need`
 * bytes on the line. Room far above the usual is given back. -ENOMEM. */
int value_room_reset(struct value_room *room, size_t need, struct err *err);
void value_room_fini(struct value_room *room);

/* Binds the escaped `value` (or NULL) to a parameter. SQLite borrows the bytes
 * from the line or from `room`: both have to stay until the statement is
 * reset. -EBADMSG where the value is none of its type. */
int value_bind(sqlite3_stmt *stmt, int parameter, enum storage storage, struct span value, struct value_room *room,
               struct err *err);

#endif
