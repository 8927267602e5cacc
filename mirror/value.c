#include "value.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Room that a row may leave behind for the next; a 200 MB value's is given back. */
#define ROOM_KEPT (4u << 20)

enum storage value_storage(const char *base)
{
	static const struct {
		const char *base;
		enum storage storage;
	} known[] = {
	    {"smallint", STORAGE_INTEGER}, {"integer", STORAGE_INTEGER},       {"bigint", STORAGE_INTEGER},
	    {"oid", STORAGE_INTEGER},      {"boolean", STORAGE_BOOLEAN},       {"real", STORAGE_REAL},
	    {"bytea", STORAGE_BLOB},       {"double precision", STORAGE_REAL},
	};

	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (strcmp(base, known[i].base) == 0)
			return known[i].storage;
	return STORAGE_TEXT;
}

const char *value_declaration(enum storage storage)
{
	switch (storage) {
	case STORAGE_INTEGER:
	case STORAGE_BOOLEAN: return "INTEGER";
	case STORAGE_BLOB: return "BLOB";
	case STORAGE_REAL: return "";
	default: return "TEXT";
	}
}

int value_room_reset(struct value_room *room, size_t need, struct err *err)
{
	room->used = 0;
	if (need <= room->size && (room->size <= ROOM_KEPT || need > ROOM_KEPT))
		return 0;

	size_t size = need < 65536 ? 65536 : need;
	free(room->at);
	room->at = malloc(size);
	room->size = room->at ? size : 0;
	return room->at ? 0 : err_set(err, -ENOMEM, "out of memory for a row of %zu bytes", need);
}

void value_room_fini(struct value_room *room)
{
	free(room->at);
	*room = (struct value_room){0};
}

static int refuse(const char *what, struct span text, struct err *err)
{
	return err_set(err, -EBADMSG, "\"%.*s\" is no %s", (int)(text.len < 60 ? text.len : 60), text.at, what);
}

static int bind_integer(sqlite3_stmt *stmt, int parameter, struct span text, struct err *err)
{
	bool negative = text.len > 0 && text.at[0] == '-';
	uint64_t number;
	size_t sign = negative ? 1 : 0, digits = position_parse_number(text.at + sign, text.len - sign, &number);

	if (digits == 0 || digits + sign != text.len || number > (uint64_t)INT64_MAX + sign ||
	    (negative && number == 0))
		return refuse("integer", text, err);
	/* 0 - number wraps to the right value for INT64_MIN too. */
	return sqlite3_bind_int64(stmt, parameter, (sqlite3_int64)(negative ? 0 - number : number));
}

static int bind_boolean(sqlite3_stmt *stmt, int parameter, struct span text, struct err *err)
{
	if (text.len != 1 || (text.at[0] != '0' && text.at[0] != '1'))
		return refuse("boolean (1 or 0)", text, err);
	return sqlite3_bind_int(stmt, parameter, text.at[0] == '1');
}

static int bind_real(sqlite3_stmt *stmt, int parameter, struct span text, struct err *err)
{
	char copy[64], *end;

	if (span_is(text, "NaN"))
		return sqlite3_bind_text(stmt, parameter, "NaN", 3, SQLITE_STATIC);
	if (span_is(text, "Infinity"))
		return sqlite3_bind_double(stmt, parameter, INFINITY);
	if (span_is(text, "-Infinity"))
		return sqlite3_bind_double(stmt, parameter, -INFINITY);
	if (text.len == 0 || text.len >= sizeof copy)
		return refuse("floating-point number", text, err);
	memcpy(copy, text.at, text.len);
	copy[text.len] = 0;
	/* strtod also knows spaces, hexadecimal and names, PostgreSQL prints none. */
	if (strspn(copy, "+-.0123456789eE") != text.len)
		return refuse("floating-point number", text, err);
	double number = strtod(copy, &end);
	if (*end)
		return refuse("floating-point number", text, err);
	return sqlite3_bind_double(stmt, parameter, number);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `raw` stands in the room and is overwritten: the bytes are half as long. */
static int bind_bytes(sqlite3_stmt *stmt, int parameter, char *raw, size_t len, struct err *err)
{
	struct span text = {raw, len};

	if (len < 2 || len % 2 || raw[0] != '\\' || raw[1] != 'x')
		return refuse("bytea in hexadecimal (\\x...)", text, err);
	size_t count = len / 2 - 1;
	for (size_t i = 0; i < count; i++) {
		int high = hex_digit(raw[2 + 2 * i]), low = hex_digit(raw[3 + 2 * i]);
		if (high < 0 || low < 0)
			return err_set(err, -EBADMSG, "a bytea has a byte that is not hexadecimal at digit %zu", 2 * i);
		raw[i] = (char)(high << 4 | low);
	}
	return sqlite3_bind_blob64(stmt, parameter, raw, count, SQLITE_STATIC);
}

static int bind_raw(sqlite3_stmt *stmt, int parameter, enum storage storage, struct span raw, struct err *err)
{
	switch (storage) {
	case STORAGE_INTEGER: return bind_integer(stmt, parameter, raw, err);
	case STORAGE_BOOLEAN: return bind_boolean(stmt, parameter, raw, err);
	case STORAGE_REAL: return bind_real(stmt, parameter, raw, err);
	default: return sqlite3_bind_text64(stmt, parameter, raw.at, raw.len, SQLITE_STATIC, SQLITE_UTF8);
	}
}

int value_bind(sqlite3_stmt *stmt, int parameter, enum storage storage, struct span value, struct value_room *room,
               struct err *err)
{
	int rc;

	if (line_is_null(value)) {
		rc = sqlite3_bind_null(stmt, parameter);
	} else if (value.len == 0 || !memchr(value.at, '\\', value.len)) {
		if (storage == STORAGE_BLOB)
			return refuse("bytea in hexadecimal (\\x...)", value, err);
		rc = bind_raw(stmt, parameter, storage, value, err);
	} else {
		char *raw = room->at + room->used;
		if (room->size - room->used < value.len)
			return err_set(err, -EINVAL, "no room for a value of %zu bytes", value.len);
		long len = line_unescape(raw, value);
		if (len < 0)
			return err_set(err, -EBADMSG, "a value has a backslash that escapes nothing");
		room->used += value.len;
		rc = storage == STORAGE_BLOB ? bind_bytes(stmt, parameter, raw, (size_t)len, err)
		                             : bind_raw(stmt, parameter, storage, (struct span){raw, (size_t)len}, err);
	}
	if (rc == SQLITE_TOOBIG)
		return err_set(err, -EFBIG, "a value of %zu bytes is longer than SQLite can hold", value.len);
	if (rc > 0)
		return err_set(err, -EIO, "cannot bind a value: %s", sqlite3_errstr(rc));
	return rc;
}
