#include "pack.h"

#include <string.h>

enum { ABSENT, NOTHING, INTEGER, REAL, TEXT, BLOB };
/* The longest number, and a kind before it. */
#define VALUE_MOST 11

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

static char *put(char *to, const struct value *value)
{
	switch (value->kind) {
	case VALUE_ABSENT: *to++ = ABSENT; return to;
	case VALUE_NULL: *to++ = NOTHING; return to;
	case VALUE_INTEGER:
		*to++ = INTEGER;
		return put_number(to, (uint64_t)value->integer << 1 ^ (value->integer < 0 ? UINT64_MAX : 0));
	case VALUE_REAL:
		*to++ = REAL;
		memcpy(to, &value->real, sizeof value->real);
		return to + sizeof value->real;
	case VALUE_TEXT: return put_bytes(to, TEXT, value);
	default: return put_bytes(to, BLOB, value);
	}
}

static const char *take(const char *from, struct value *value)
{
	uint64_t head, number;

	from = take_number(from, &head);
	switch (head) {
	case ABSENT: value->kind = VALUE_ABSENT; return from;
	case NOTHING: value->kind = VALUE_NULL; return from;
	case INTEGER:
		from = take_number(from, &number);
		value->kind = VALUE_INTEGER;
		value->integer = (int64_t)(number >> 1 ^ (number & 1 ? UINT64_MAX : 0));
		return from;
	case REAL:
		value->kind = VALUE_REAL;
		memcpy(&value->real, from, sizeof value->real);
		return from + sizeof value->real;
	default:
		value->kind = head & 1 ? VALUE_BLOB : VALUE_TEXT;
		value->at = from;
		value->len = (size_t)(head - TEXT) >> 1;
		return from + value->len;
	}
}

static const char *pass(const char *from)
{
	struct value value;

	return take(from, &value);
}

size_t pack_most(const struct schema *schema, size_t len)
{
	return schema->column_count * (size_t)VALUE_MOST + len;
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

static const char *take_key(const char *from, const struct schema *schema, struct value *values)
{
	for (unsigned i = 0; i < schema->key_count; i++)
		from = take(from, &values[schema->key[i]]);
	return from;
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
