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
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "line.h"

enum storage { STORAGE_INTEGER, STORAGE_BOOLEAN, STORAGE_REAL, STORAGE_BLOB, STORAGE_TEXT };

/* What becomes of `numeric`: its text, which is exact, or the nearest double. */
enum numeric { NUMERIC_TEXT, NUMERIC_REAL };

/* "text" or "real"; false for all else. */
bool value_parse_numeric(const char *text, enum numeric *numeric);
const char *value_print_numeric(enum numeric numeric);

/* By the base type as format_type prints it. */
enum storage value_storage(const char *base, enum numeric numeric);
bool value_is_numeric(const char *base);

/* What stands behind a column's name in CREATE TABLE: "INTEGER", "", ... */
const char *value_declaration(enum storage storage);

/* Room for the values of one row that do not stand in the line as they are. */
struct value_room {
	char *at;
	size_t size, used;
};

/* Room that a row may leave behind for the next; a 200 MB value's is given back. */
#define VALUE_ROOM_KEPT ((size_t)4 << 20)

/* Another room instead. -ENOMEM. */
int value_room_renew(struct value_room *room, size_t need, struct err *err);

/* Forgets what is there and makes room for a row whose values are `need`
 * bytes on the line. Room far above the usual is given back. -ENOMEM. */
static inline int value_room_reset(struct value_room *room, size_t need, struct err *err)
{
	room->used = 0;
	bool fits = need <= room->size && (room->size <= VALUE_ROOM_KEPT || need > VALUE_ROOM_KEPT);
	return fits ? 0 : value_room_renew(room, need, err);
}
void value_room_fini(struct value_room *room);

enum value_kind { VALUE_ABSENT, VALUE_NULL, VALUE_INTEGER, VALUE_REAL, VALUE_TEXT, VALUE_BLOB };

/* What SQLite holds, or is to hold; absent: the line does not say it. */
struct value {
	enum value_kind kind;
	int64_t integer;
	double real;
	const char *at; /* text or bytes, borrowed */
	size_t len;
};

/* The value that begins text[0..len), of an integer's column, where it is an ordinary one: returns how long it is. 0: it is
 * to be read by value_read. */
size_t value_read_integer(struct value *value, const char *text, size_t len);

/* Reads the escaped `text` (or NULL); `escaped`: there may be a backslash in it. The value borrows its bytes from `text` or `room`. -EBADMSG
 * where it is none of its type. */
int value_read_text(struct value *value, enum storage storage, struct span text, bool escaped, struct value_room *room,
                    struct err *err);
int value_read(struct value *value, enum storage storage, struct span text, struct value_room *room, struct err *err);

/* What a column of a row holds; borrowed until the statement goes on. */
void value_of_column(struct value *value, sqlite3_stmt *stmt, int column);

/* Below, at or above 0: SQLite's own order, that is NULL, numbers (-0 is 0), text by its bytes
 * of UTF-8, blobs. */
int value_order(const struct value *a, const struct value *b);

/* Equal in kind and in each bit. */
bool value_same(const struct value *a, const struct value *b);

/* What a person can tell it by, in at most `size` bytes; returns `text`. */
char *value_print(char *text, size_t size, const struct value *value);

/* SQLite borrows the bytes until the statement is reset. */
int value_put(sqlite3_stmt *stmt, int parameter, const struct value *value, struct err *err);

/* As what a function or a virtual table of SQL returns; the bytes are borrowed as long as the row is. */
void value_result(sqlite3_context *context, const struct value *value);

/* Gives a connection the SQL function daystream_minus_zero(x): 1 where x is -0, else 0. To SQLite's
 * own comparisons -0 is 0. */
int value_add_functions(sqlite3 *sqlite, struct err *err);

/* value_read and value_put. SQLite borrows the bytes from the line or from `room`: both have to
 * stay until the statement is reset. */
int value_bind(sqlite3_stmt *stmt, int parameter, enum storage storage, struct span text, struct value_room *room,
               struct err *err);

#endif
