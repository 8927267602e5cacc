#include "pack.h"

#include <endian.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* INTEGER and how many bytes it has, up to 8. */
enum { ABSENT, NOTHING, REAL, INTEGER = 2, TEXT = 11, BLOB };
/* The longest number, and a kind before it. */
#define VALUE_MOST 11
/* Bytes behind a row are read and written with its last ones. */
#define BEHIND 32

static inline char *put_number(char *to, uint64_t number)
{
	for (; number >= 128; number >>= 7)
		*to++ = (char)(number | 128);
	*to++ = (char)number;
	return to;
}

static inline const char *take_number(const char *from, uint64_t *number)
{
	uint64_t byte = (unsigned char)*from++;

	*number = byte & 127;
	for (unsigned shift = 7; byte & 128; shift += 7) {
		byte = (unsigned char)*from++;
		*number |= (byte & 127) << shift;
	}
	return from;
}

static char *put_bytes(char *to, uint64_t kind, const struct value *value)
{
	to = put_number(to, kind + 2 * (uint64_t)value->len);
	if (value->len > 0)
		memcpy(to, value->at, value->len);
	return to + value->len;
}

static inline char *put_integer(char *to, int64_t integer)
{
	uint64_t number = (uint64_t)integer << 1 ^ (integer < 0 ? UINT64_MAX : 0), low = htole64(number);
	unsigned count = (71u - (unsigned)__builtin_clzll(number | 1)) / 8;

	*to = (char)(INTEGER + count);
	memcpy(to + 1, &low, sizeof low);
	return to + 1 + count;
}

static char *put(char *to, const struct value *value)
{
	switch (value->kind) {
	case VALUE_ABSENT: *to++ = ABSENT; return to;
	case VALUE_NULL: *to++ = NOTHING; return to;
	case VALUE_INTEGER: return put_integer(to, value->integer);
	case VALUE_REAL:
		*to++ = REAL;
		memcpy(to, &value->real, sizeof value->real);
		return to + sizeof value->real;
	case VALUE_TEXT: return put_bytes(to, TEXT, value);
	default: return put_bytes(to, BLOB, value);
	}
}

static inline const char *take(const char *from, struct value *value)
{
	uint64_t head, number;

	from = take_number(from, &head);
	if (head >= TEXT) {
		value->kind = head & 1 ? VALUE_TEXT : VALUE_BLOB;
		value->at = from;
		value->len = (size_t)(head - TEXT) >> 1;
		return from + value->len;
	}
	if (head > INTEGER) {
		memcpy(&number, from, sizeof number);
		number = le64toh(number) & UINT64_MAX >> (64 - 8 * (head - INTEGER));
		value->kind = VALUE_INTEGER;
		value->integer = (int64_t)(number >> 1 ^ (number & 1 ? UINT64_MAX : 0));
		return from + (head - INTEGER);
	}
	value->kind = head == ABSENT ? VALUE_ABSENT : VALUE_NULL;
	if (head != REAL)
		return from;
	value->kind = VALUE_REAL;
	memcpy(&value->real, from, sizeof value->real);
	return from + sizeof value->real;
}

static inline const char *pass(const char *from)
{
	struct value value;

	return take(from, &value);
}

size_t pack_most(const struct schema *schema, size_t len)
{
	return schema->column_count * (size_t)VALUE_MOST + len + BEHIND;
}

size_t pack_row(char *to, const struct schema *schema, const struct value *values, bool key_only)
{
	char *end = to;

	for (unsigned i = 0; i < schema->key_count; i++)
		end = put(end, &values[schema->key[i]]);
	for (unsigned i = 0; !key_only && i < schema->column_count; i++)
		if (!schema->columns[i].key)
			end = put(end, &values[i]);
	return (size_t)(end - to);
}

/* ---- a line's pairs */

enum { BLOCK = 16 };
typedef unsigned char block __attribute__((vector_size(BLOCK)));

/* A bit for each byte of a block that is a tab or a backslash. */
static inline unsigned ends_in(block bytes)
{
	bytes = (block)(bytes == '\t') | (block)(bytes == '\\');
#ifdef __SSE2__
	return (unsigned)_mm_movemask_epi8((__m128i)bytes);
#else
	unsigned bits = 0;

	for (unsigned i = 0; i < BLOCK; i++)
		bits |= (bytes[i] & 1u) << i;
	return bits;
#endif
}

/* Copies the text that begins at `at` to `to`, up to a tab, a backslash or the end, and maybe some bytes behind it; returns
 * how long it is. A block before the end can be read. */
static inline size_t copy_text(char *to, const char *at, const char *end)
{
	size_t len = 0;
	unsigned ends = 0;

	for (block bytes; !ends; len += ends ? (unsigned)__builtin_ctz(ends) : BLOCK) {
		size_t left = (size_t)(end - at) - len;
		if (left >= BLOCK) {
			memcpy(&bytes, at + len, BLOCK);
			memcpy(to + len, &bytes, BLOCK);
			ends = ends_in(bytes);
		} else {
			memcpy(&bytes, end - BLOCK, BLOCK);
			memcpy(to + len, at + len, left);
			ends = ends_in(bytes) >> (BLOCK - left) | 1u << left;
		}
	}
	return len;
}

/* The number before a text that stands one byte behind it. */
static inline char *put_text_number(char *to, size_t len)
{
	uint64_t head = TEXT + 2 * (uint64_t)len;
	char number[VALUE_MOST];

	if (head < 128) {
		*to = (char)head;
		return to + 1 + len;
	}
	size_t count = (size_t)(put_number(number, head) - number);
	memmove(to + count, to + 1, len);
	memcpy(to, number, count);
	return to + count + len;
}

/* Any value; NULL: it is none, or a key's that is NULL. */
static char *pack_any(char *to, const struct schema_column *column, const char **at, const char *end,
                      struct value_room *room)
{
	struct value value;
	struct err err;
	bool escaped;
	size_t len = line_value_len(*at, (size_t)(end - *at), &escaped);

	if (value_room_reset(room, len, &err) < 0 ||
	    value_read_text(&value, column->storage, (struct span){*at, len}, escaped, room, &err) < 0 ||
	    (column->key && value.kind == VALUE_NULL))
		return NULL;
	*at += len;
	return put(to, &value);
}

/* The integer that begins at[0..end), where it is one of up to 15 digits and not the last value: returns how long it is. 0: it
 * is to be read by pack_any. */
static inline size_t read_integer(int64_t *integer, const char *at, const char *end)
{
	uint64_t number;

	if (end - at <= 16)
		return 0;
	size_t sign = *at == '-', count = position_parse_sixteen(at += sign, &number);
	if (count == 0 || count == 16 || at[count] != '\t' || (*at == '0' && count + sign > 1))
		return 0;
	*integer = sign ? -(int64_t)number : (int64_t)number;
	return sign + count;
}

static inline bool ends_at(const char *at, const char *end)
{
	return at == end || *at == '\t';
}

/* Nearly all values are found out here. */
static inline char *pack_value(char *to, const struct schema_column *column, const char **value, const char *end,
                               struct value_room *room)
{
	const char *at = *value;
	int64_t integer;
	size_t len;

	if (column->storage == STORAGE_INTEGER && (len = read_integer(&integer, at, end)) > 0) {
		*value = at + len;
		return put_integer(to, integer);
	}
	if (column->storage == STORAGE_TEXT && ends_at(at + (len = copy_text(to + 1, at, end)), end)) {
		*value = at + len;
		return put_text_number(to, len);
	}
	if (column->storage == STORAGE_BOOLEAN && at < end && (*at == '0' || *at == '1') && ends_at(at + 1, end)) {
		*value = at + 1;
		return put_integer(to, *at == '1');
	}
	return pack_any(to, column, value, end, room);
}

size_t pack_line(char *to, const struct schema *schema, struct span pairs, struct value_room *room)
{
	const struct schema_column *column = schema->columns, *last = column + schema->column_count;
	const char *at = pairs.at;
	char *begin = to;

	if (pairs.len < BLOCK)
		return 0;
	for (const char *end = at + pairs.len;; column++, at++) {
		if (column == last || !schema_is_named(column, (struct span){at, (size_t)(end - at)}))
			return 0;
		at += column->wire_len + 1;
		if (!(to = pack_value(to, column, &at, end, room)))
			return 0;
		if (at == end)
			return column + 1 == last ? (size_t)(to - begin) : 0;
	}
}

/* ---- and back */

static const char *take_key(const char *from, const struct schema *schema, struct value *values)
{
	for (unsigned i = 0; i < schema->key_count; i++)
		from = take(from, &values[schema->key[i]]);
	return from;
}

void pack_read_first(const char *from, struct value *value)
{
	take(from, value);
}

void pack_read_key(const char *from, const struct schema *schema, struct value *values)
{
	for (unsigned i = 0; i < schema->column_count; i++)
		values[i].kind = VALUE_ABSENT;
	take_key(from, schema, values);
}

size_t pack_key_len(const char *from, unsigned key_count)
{
	const char *end = from;

	for (unsigned i = 0; i < key_count; i++)
		end = pass(end);
	return (size_t)(end - from);
}

void pack_read_row(const char *from, const struct schema *schema, struct value *values)
{
	from = take_key(from, schema, values);
	for (unsigned i = 0; i < schema->column_count; i++)
		if (!schema->columns[i].key)
			from = take(from, &values[i]);
}

unsigned pack_read_rest(const char *from, const struct schema *schema, struct value *values)
{
	unsigned count = 0;

	from += pack_key_len(from, schema->key_count);
	for (unsigned i = 0; i < schema->column_count; i++) {
		if (schema->columns[i].key)
			continue;
		bool wanted = !values[i].kind;
		from = wanted ? take(from, &values[i]) : pass(from);
		count += wanted && values[i].kind;
	}
	return count;
}

int pack_order(const char *a, const char *b, unsigned key_count)
{
	struct value left, right;
	int order = 0;

	for (unsigned i = 0; order == 0 && i < key_count; i++) {
		a = take(a, &left);
		b = take(b, &right);
		order = value_order(&left, &right);
	}
	return order;
}
