#include "suspect.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "line.h"

/* How much of a value is printed. */
#define PRINT_BYTES 60

/* kind, and then 8 bytes of a number, or of a length and so many bytes */
#define VALUE_HEAD 9

static void drop(struct suspect *suspect)
{
	free(suspect->row);
	sqlite3_free(suspect->columns);
	free(suspect);
}

void suspects_clear(struct suspects *suspects)
{
	struct suspect *suspect, *next;

	HASH_ITER(hh, suspects->all, suspect, next)
	{
		HASH_DEL(suspects->all, suspect);
		drop(suspect);
	}
	suspects->count = suspects->bytes = 0;
	memset(suspects->beyond, 0, sizeof suspects->beyond);
}

void suspects_fini(struct suspects *suspects)
{
	suspects_clear(suspects);
	free(suspects->room);
	*suspects = (struct suspects){0};
}

static bool has_bytes(const struct value *value)
{
	return value->kind == VALUE_TEXT || value->kind == VALUE_BLOB;
}

static char *encode_value(char *out, const struct value *value, bool keyed)
{
	uint64_t number = value->kind == VALUE_INTEGER ? (uint64_t)value->integer : 0;

	if (has_bytes(value)) {
		number = value->len;
	} else if (value->kind == VALUE_REAL) {
		/* In a key, -0 and 0 are one value. */
		double real = keyed && value->real == 0 ? 0 : value->real;
		memcpy(&number, &real, sizeof number);
	}
	*out++ = (char)value->kind;
	memcpy(out, &number, sizeof number);
	out += sizeof number;
	if (has_bytes(value) && value->len > 0) {
		memcpy(out, value->at, value->len);
		out += value->len;
	}
	return out;
}

long suspects_encode(struct suspects *suspects, const struct sides *sides, const struct value *row, bool key_only,
                     struct err *err)
{
	size_t need = 1;

	for (unsigned i = 0; i < sides->count; i++)
		need += VALUE_HEAD + (has_bytes(&row[i]) ? row[i].len : 0);
	if (need > suspects->room_size) {
		free(suspects->room);
		suspects->room = malloc(need);
		suspects->room_size = suspects->room ? need : 0;
		if (!suspects->room)
			return err_set(err, -ENOMEM, "out of memory for a row of %zu bytes", need);
	}
	char *end = suspects->room;
	for (unsigned i = 0; i < sides->count; i++)
		if (!key_only || sides_orders(sides, i))
			end = encode_value(end, &row[i], key_only && sides->keyed);
	return end - suspects->room;
}

int suspects_find(struct suspects *suspects, const struct sides *sides, const struct value *row, struct suspect **found,
                  struct err *err)
{
	long len = suspects_encode(suspects, sides, row, true, err);

	*found = NULL;
	if (len < 0)
		return (int)len;
	HASH_FIND(hh, suspects->all, suspects->room, (size_t)len, *found);
	return 0;
}

int suspects_add(struct suspects *suspects, const struct sides *sides, const struct value *row,
                 enum suspect_verdict seems, struct suspect **found, struct err *err)
{
	long len = suspects_encode(suspects, sides, row, true, err);

	*found = NULL;
	if (len < 0)
		return (int)len;
	HASH_FIND(hh, suspects->all, suspects->room, (size_t)len, *found);
	if (*found)
		return 0;
	/* One always is taken, however large. */
	if (suspects->count > 0 &&
	    (suspects->count >= SUSPECT_MOST || suspects->bytes + (size_t)len > SUSPECT_BYTES_MOST)) {
		suspects->beyond[SUSPECT_OPEN]++;
		suspects->beyond[seems]++;
		return 0;
	}
	struct suspect *suspect = calloc(1, sizeof *suspect + (size_t)len);
	if (!suspect)
		return err_set(err, -ENOMEM, "out of memory for a key of %ld bytes", len);
	memcpy(suspect->key, suspects->room, (size_t)len);
	suspect->key_len = (size_t)len;
	HASH_ADD_KEYPTR(hh, suspects->all, suspect->key, suspect->key_len, suspect);
	suspects->count++;
	suspects->bytes += (size_t)len;
	*found = suspect;
	return 0;
}

bool suspect_next_value(const struct suspect *suspect, const char **at, struct value *value)
{
	uint64_t number;

	if (!*at)
		*at = suspect->key;
	if (*at == suspect->key + suspect->key_len)
		return false;
	*value = (struct value){.kind = (enum value_kind) * *at};
	memcpy(&number, *at + 1, sizeof number);
	*at += VALUE_HEAD;
	if (has_bytes(value)) {
		value->at = *at;
		value->len = number;
		*at += number;
	} else if (value->kind == VALUE_REAL) {
		memcpy(&value->real, &number, sizeof number);
	} else {
		value->integer = (int64_t)number;
	}
	return true;
}

static void print_value(sqlite3_str *text, const struct value *value)
{
	char escaped[2 * PRINT_BYTES];
	size_t shown = value->len < PRINT_BYTES ? value->len : PRINT_BYTES;

	switch (value->kind) {
	case VALUE_NULL: sqlite3_str_appendall(text, "NULL"); break;
	case VALUE_INTEGER: sqlite3_str_appendf(text, "%lld", (long long)value->integer); break;
	case VALUE_REAL:
		/* SQLite prints -0 without its sign. */
		sqlite3_str_appendf(text, "%s%!.17g", value->real == 0 && signbit(value->real) ? "-" : "", value->real);
		break;
	case VALUE_BLOB:
		sqlite3_str_appendall(text, "\\x");
		for (size_t i = 0; i < shown; i++)
			sqlite3_str_appendf(text, "%02x", (unsigned char)value->at[i]);
		break;
	default:
		/* Not in the midst of a character. */
		while (shown > 0 && shown < value->len && (value->at[shown] & 0xc0) == 0x80)
			shown--;
		sqlite3_str_append(text, escaped, (int)line_escape(escaped, value->at, shown));
	}
	if (has_bytes(value) && shown < value->len)
		sqlite3_str_appendf(text, "... (%llu bytes)", (unsigned long long)value->len);
}

char *suspect_print(const struct suspect *suspect, const struct sides *sides)
{
	sqlite3_str *text = sqlite3_str_new(NULL);
	struct value value;
	const char *at = NULL;
	unsigned i = 0;

	while (suspect_next_value(suspect, &at, &value)) {
		while (i < sides->count && !sides_orders(sides, i))
			i++;
		const char *name = sides->schema->columns[i++].name;
		char escaped[1024];
		size_t len = strlen(name) < sizeof escaped / 2 ? strlen(name) : sizeof escaped / 2;
		sqlite3_str_appendall(text, sqlite3_str_length(text) ? ", " : "");
		sqlite3_str_append(text, escaped, (int)line_escape(escaped, name, len));
		sqlite3_str_appendall(text, "=");
		print_value(text, &value);
	}
	return sqlite3_str_finish(text);
}
