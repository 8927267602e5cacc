#include "value.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql.h"

const char *value_print_numeric(enum numeric numeric)
{
	return numeric == NUMERIC_REAL ? "real" : "text";
}

bool value_parse_numeric(const char *text, enum numeric *numeric)
{
	*numeric = strcmp(text, "real") == 0 ? NUMERIC_REAL : NUMERIC_TEXT;
	return strcmp(text, value_print_numeric(*numeric)) == 0;
}

bool value_is_numeric(const char *base)
{
	size_t len = strlen("numeric");

	return strncmp(base, "numeric", len) == 0 && (base[len] == 0 || base[len] == '(');
}

enum storage value_storage(const char *base, enum numeric numeric)
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
	return numeric == NUMERIC_REAL && value_is_numeric(base) ? STORAGE_REAL : STORAGE_TEXT;
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

int value_room_renew(struct value_room *room, size_t need, struct err *err)
{
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

static int read_integer(struct value *value, struct span text, struct err *err)
{
	bool negative = text.len > 0 && text.at[0] == '-';
	uint64_t number;
	size_t sign = negative ? 1 : 0, digits = position_parse_number(text.at + sign, text.len - sign, &number);

	if (digits == 0 || digits + sign != text.len || number > (uint64_t)INT64_MAX + sign ||
	    (negative && number == 0))
		return refuse("integer", text, err);
	/* 0 - number wraps to the right value for INT64_MIN too. */
	*value = (struct value){.kind = VALUE_INTEGER, .integer = (int64_t)(negative ? 0 - number : number)};
	return 0;
}

static int read_boolean(struct value *value, struct span text, struct err *err)
{
	if (text.len != 1 || (text.at[0] != '0' && text.at[0] != '1'))
		return refuse("boolean (1 or 0)", text, err);
	*value = (struct value){.kind = VALUE_INTEGER, .integer = text.at[0] == '1'};
	return 0;
}

static int read_real(struct value *value, struct span text, struct err *err)
{
	char small[64], *copy = small, *end;

	*value = (struct value){.kind = VALUE_REAL};
	if (span_is(text, "NaN")) {
		*value = (struct value){.kind = VALUE_TEXT, .at = "NaN", .len = 3};
		return 0;
	}
	if (span_is(text, "Infinity") || span_is(text, "-Infinity")) {
		value->real = text.at[0] == '-' ? -INFINITY : INFINITY;
		return 0;
	}
	/* Only a numeric is that long. */
	if (text.len >= sizeof small && !(copy = malloc(text.len + 1)))
		return err_set(err, -ENOMEM, "out of memory for a number of %zu digits", text.len);
	memcpy(copy, text.at, text.len);
	copy[text.len] = 0;
	/* strtod also knows spaces, hexadecimal and names, PostgreSQL prints none. */
	bool good = text.len > 0 && strspn(copy, "+-.0123456789eE") == text.len;
	if (good) {
		value->real = strtod(copy, &end);
		good = !*end;
	}
	if (copy != small)
		free(copy);
	return good ? 0 : refuse("floating-point number", text, err);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* `raw` stands in the room and is overwritten: the bytes are half as long. */
static int read_bytes(struct value *value, char *raw, size_t len, struct err *err)
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
	*value = (struct value){.kind = VALUE_BLOB, .at = raw, .len = count};
	return 0;
}

static int read_raw(struct value *value, enum storage storage, struct span raw, struct err *err)
{
	switch (storage) {
	case STORAGE_INTEGER: return read_integer(value, raw, err);
	case STORAGE_BOOLEAN: return read_boolean(value, raw, err);
	case STORAGE_REAL: return read_real(value, raw, err);
	case STORAGE_BLOB: return refuse("bytea in hexadecimal (\\x...)", raw, err);
	default:
		value->kind = VALUE_TEXT;
		value->at = raw.at;
		value->len = raw.len;
		return 0;
	}
}

size_t value_read_integer(struct value *value, const char *text, size_t len)
{
	/* So many digits are below 2^63. */
	enum { DIGITS = 18 };
	size_t sign = len > 0 && text[0] == '-';
	uint64_t number;
	size_t digits = position_parse_number(text + sign, len - sign, &number), end = sign + digits;

	if (digits == 0 || digits > DIGITS || (end < len && text[end] != '\t') || (sign && number == 0))
		return 0;
	value->kind = VALUE_INTEGER;
	value->integer = sign ? -(int64_t)number : (int64_t)number;
	return end;
}

int value_read(struct value *value, enum storage storage, struct span text, struct value_room *room, struct err *err)
{
	return value_read_text(value, storage, text, text.len > 0 && memchr(text.at, '\\', text.len), room, err);
}

int value_read_text(struct value *value, enum storage storage, struct span text, bool escaped, struct value_room *room,
                    struct err *err)
{
	if (!escaped)
		return read_raw(value, storage, text, err);
	if (line_is_null(text)) {
		*value = (struct value){.kind = VALUE_NULL};
		return 0;
	}

	char *raw = room->at + room->used;
	if (room->size - room->used < text.len)
		return err_set(err, -EINVAL, "no room for a value of %zu bytes", text.len);
	long len = line_unescape(raw, text);
	if (len < 0)
		return err_set(err, -EBADMSG, "a value has a backslash that escapes nothing");
	room->used += text.len;
	return storage == STORAGE_BLOB ? read_bytes(value, raw, (size_t)len, err)
	                               : read_raw(value, storage, (struct span){raw, (size_t)len}, err);
}

void value_of_column(struct value *value, sqlite3_stmt *stmt, int column)
{
	*value = (struct value){.kind = VALUE_NULL};
	switch (sqlite3_column_type(stmt, column)) {
	case SQLITE_INTEGER:
		value->kind = VALUE_INTEGER;
		value->integer = sqlite3_column_int64(stmt, column);
		return;
	case SQLITE_FLOAT:
		value->kind = VALUE_REAL;
		value->real = sqlite3_column_double(stmt, column);
		return;
	case SQLITE_TEXT:
		value->kind = VALUE_TEXT;
		value->at = (const char *)sqlite3_column_text(stmt, column);
		break;
	case SQLITE_BLOB:
		value->kind = VALUE_BLOB;
		value->at = sqlite3_column_blob(stmt, column);
		break;
	default: return;
	}
	value->len = (size_t)sqlite3_column_bytes(stmt, column);
}

static int order_integer_real(int64_t integer, double real)
{
	/* A person may have put a number of the other kind there: exact beyond 2^53, too. */
	if (real < -9223372036854775808.0)
		return 1;
	if (real >= 9223372036854775808.0)
		return -1;
	int64_t whole = (int64_t)real;
	if (integer != whole)
		return integer < whole ? -1 : 1;
	double rest = real - (double)whole;
	return rest > 0 ? -1 : rest < 0;
}

static int order_numbers(const struct value *a, const struct value *b)
{
	if (a->kind == VALUE_INTEGER && b->kind == VALUE_INTEGER)
		return (a->integer > b->integer) - (a->integer < b->integer);
	if (a->kind == VALUE_INTEGER)
		return order_integer_real(a->integer, b->real);
	if (b->kind == VALUE_INTEGER)
		return -order_integer_real(b->integer, a->real);
	return (a->real > b->real) - (a->real < b->real);
}

int value_order(const struct value *a, const struct value *b)
{
	static const int ranks[] = {[VALUE_ABSENT] = -1, [VALUE_NULL] = 0, [VALUE_INTEGER] = 1,
	                            [VALUE_REAL] = 1,    [VALUE_TEXT] = 2, [VALUE_BLOB] = 3};
	int rank = ranks[a->kind];

	if (rank != ranks[b->kind])
		return rank - ranks[b->kind];
	if (rank <= 0)
		return 0;
	if (rank == 1)
		return order_numbers(a, b);
	size_t shorter = a->len < b->len ? a->len : b->len;
	int order = shorter ? memcmp(a->at, b->at, shorter) : 0;
	return order ? order : (a->len > b->len) - (a->len < b->len);
}

bool value_same(const struct value *a, const struct value *b)
{
	if (a->kind != b->kind)
		return false;
	switch (a->kind) {
	case VALUE_ABSENT:
	case VALUE_NULL: return true;
	case VALUE_INTEGER: return a->integer == b->integer;
	case VALUE_REAL: return memcmp(&a->real, &b->real, sizeof a->real) == 0;
	default: return a->len == b->len && (a->len == 0 || memcmp(a->at, b->at, a->len) == 0);
	}
}

char *value_print(char *text, size_t size, const struct value *value)
{
	size_t len = value->len < size / 2 ? value->len : size / 2 - 1;

	switch (value->kind) {
	case VALUE_INTEGER: snprintf(text, size, "%" PRId64, value->integer); break;
	case VALUE_REAL: snprintf(text, size, "%.17g", value->real); break;
	case VALUE_TEXT: text[line_escape(text, value->at, len)] = 0; break;
	case VALUE_BLOB: snprintf(text, size, "a bytea of %zu bytes", value->len); break;
	default: snprintf(text, size, "\\N"); break;
	}
	return text;
}

static int put(sqlite3_stmt *stmt, int parameter, const struct value *value)
{
	switch (value->kind) {
	case VALUE_INTEGER: return sqlite3_bind_int64(stmt, parameter, value->integer);
	case VALUE_REAL: return sqlite3_bind_double(stmt, parameter, value->real);
	/* A NULL pointer would be bound as NULL. */
	case VALUE_TEXT:
		return sqlite3_bind_text64(stmt, parameter, value->at ? value->at : "", value->len, SQLITE_STATIC,
		                           SQLITE_UTF8);
	case VALUE_BLOB:
		return sqlite3_bind_blob64(stmt, parameter, value->at ? value->at : "", value->len, SQLITE_STATIC);
	default: return sqlite3_bind_null(stmt, parameter);
	}
}

int value_put(sqlite3_stmt *stmt, int parameter, const struct value *value, struct err *err)
{
	int rc = put(stmt, parameter, value);

	if (rc == SQLITE_TOOBIG)
		return err_set(err, -EFBIG,
		               "a value of %zu bytes is longer than SQLite can hold (a mirror can do without its "
		               "table: name the others by --tables)",
		               value->len);
	if (rc == SQLITE_NOMEM)
		return err_set(err, -ENOMEM, "out of memory for a value of %zu bytes", value->len);
	if (rc != SQLITE_OK)
		return err_set(err, -EIO, "cannot bind a value: %s", sqlite3_errstr(rc));
	return 0;
}

void value_result(sqlite3_context *context, const struct value *value)
{
	switch (value->kind) {
	case VALUE_INTEGER: sqlite3_result_int64(context, value->integer); break;
	case VALUE_REAL: sqlite3_result_double(context, value->real); break;
	case VALUE_TEXT:
		sqlite3_result_text64(context, value->at ? value->at : "", value->len, SQLITE_STATIC, SQLITE_UTF8);
		break;
	case VALUE_BLOB: sqlite3_result_blob64(context, value->at ? value->at : "", value->len, SQLITE_STATIC); break;
	default: sqlite3_result_null(context); break;
	}
}

static void minus_zero(sqlite3_context *context, int count, sqlite3_value **values)
{
	(void)count;
	double real = sqlite3_value_type(values[0]) == SQLITE_FLOAT ? sqlite3_value_double(values[0]) : 1;
	sqlite3_result_int(context, real == 0 && signbit(real));
}

int value_add_functions(sqlite3 *sqlite, struct err *err)
{
	if (sqlite3_create_function(sqlite, "daystream_minus_zero", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
	                            minus_zero, NULL, NULL) != SQLITE_OK)
		return sql_error(sqlite, "cannot add a function to SQLite", err);
	return 0;
}

int value_bind(sqlite3_stmt *stmt, int parameter, enum storage storage, struct span text, struct value_room *room,
               struct err *err)
{
	struct value value;
	int rc = value_read(&value, storage, text, room, err);

	return rc < 0 ? rc : value_put(stmt, parameter, &value, err);
}
