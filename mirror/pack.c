#include "pack.h"

#include <string.h>

static size_t value_len(const struct value *value)
{
	if (value->kind == VALUE_INTEGER || value->kind == VALUE_REAL)
		return 1 + sizeof value->integer;
	return value->kind >= VALUE_TEXT ? 1 + sizeof(uint32_t) + value->len : 1;
}

static char *put(char *to, const struct value *value)
{
	uint32_t len = (uint32_t)value->len;

	*to++ = (char)value->kind;
	if (value->kind == VALUE_INTEGER || value->kind == VALUE_REAL) {
		memcpy(to, value->kind == VALUE_REAL ? (const void *)&value->real : &value->integer,
		       sizeof value->integer);
		return to + sizeof value->integer;
	}
	if (value->kind < VALUE_TEXT)
		return to;
	memcpy(to, &len, sizeof len);
	if (len > 0)
		memcpy(to + sizeof len, value->at, len);
	return to + sizeof len + len;
}

static const char *take(const char *from, struct value *value)
{
	uint32_t len;

	value->kind = (enum value_kind) * from++;
	if (value->kind == VALUE_INTEGER || value->kind == VALUE_REAL) {
		memcpy(value->kind == VALUE_REAL ? (void *)&value->real : &value->integer, from, sizeof value->integer);
		return from + sizeof value->integer;
	}
	if (value->kind < VALUE_TEXT)
		return from;
	memcpy(&len, from, sizeof len);
	value->at = from + sizeof len;
	value->len = len;
	return value->at + len;
}

size_t pack_len(const struct schema *schema, const struct value *values, bool key_only)
{
	size_t len = 0;

	for (unsigned i = 0; i < schema->column_count; i++)
		if (!key_only || schema->columns[i].key)
			len += value_len(&values[i]);
	return len;
}

void pack_row(char *to, const struct schema *schema, const struct value *values, bool key_only)
{
	for (unsigned i = 0; i < schema->key_count; i++)
		to = put(to, &values[schema->key[i]]);
	for (unsigned i = 0; !key_only && i < schema->column_count; i++)
		if (!schema->columns[i].key)
			to = put(to, &values[i]);
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

unsigned pack_read_rest(const char *from, const struct schema *schema, struct value *values)
{
	struct value value;
	unsigned count = 0;

	from = take_key(from, schema, values);
	for (unsigned i = 0; i < schema->column_count; i++) {
		if (schema->columns[i].key)
			continue;
		bool wanted = !values[i].kind;
		from = take(from, wanted ? &values[i] : &value);
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
