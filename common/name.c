#include "name.h"

#include <string.h>

static bool must_escape(unsigned char byte, bool leading)
{
	return byte < 0x20 || byte == 0x7f || byte == '%' || byte == '/' || byte == '.' || byte == ',' ||
	       (leading && byte == '-');
}

size_t name_encode(char *out, const char *name, size_t len)
{
	static const char digits[] = "0123456789ABCDEF";
	char *end = out;

	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)name[i];
		if (must_escape(byte, i == 0)) {
			*end++ = '%';
			*end++ = digits[byte >> 4];
			*end++ = digits[byte & 15];
		} else {
			*end++ = (char)byte;
		}
	}
	return (size_t)(end - out);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

long name_decode(char *out, const char *part, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++) {
		unsigned char byte = (unsigned char)part[i];
		if (byte == '%') {
			int high = i + 2 < len ? hex_digit(part[i + 1]) : -1;
			int low = i + 2 < len ? hex_digit(part[i + 2]) : -1;
			if (high < 0 || low < 0)
				return -1;
			byte = (unsigned char)(high << 4 | low);
			if (byte == 0 || !must_escape(byte, n == 0))
				return -1;
			i += 2;
		} else if (must_escape(byte, n == 0)) {
			return -1;
		}
		if (n + 1 >= NAME_RAW_MAX)
			return -1;
		out[n++] = (char)byte;
	}
	if (n == 0)
		return -1;
	out[n] = 0;
	return (long)n;
}

size_t name_join(char *out, const char *schema, const char *table)
{
	size_t schema_len = strlen(schema), table_len = strlen(table), n = 0;

	if (schema_len >= NAME_RAW_MAX || table_len >= NAME_RAW_MAX)
		return 0;
	if (strcmp(schema, "public") != 0) {
		n = name_encode(out, schema, schema_len);
		out[n++] = '.';
	}
	n += name_encode(out + n, table, table_len);
	out[n] = 0;
	return n;
}

bool name_split(const char *component, size_t len, char *schema, char *table)
{
	const char *dot = memchr(component, '.', len);

	if (!dot) {
		strcpy(schema, "public");
		return name_decode(table, component, len) > 0;
	}
	size_t schema_len = (size_t)(dot - component);
	return name_decode(schema, component, schema_len) > 0 && strcmp(schema, "public") != 0 &&
	       name_decode(table, dot + 1, len - schema_len - 1) > 0;
}

size_t name_pairs(char *out, const char *schema, const char *table)
{
	size_t schema_len = strlen(schema), table_len = strlen(table);
	char *end = out;

	if (schema_len >= NAME_RAW_MAX || table_len >= NAME_RAW_MAX)
		return 0;
	if (strcmp(schema, "public") != 0) {
		end = stpcpy(end, "_schema\t");
		end += line_escape(end, schema, schema_len);
		*end++ = '\t';
	}
	end = stpcpy(end, "_table\t");
	end += line_escape(end, table, table_len);
	return (size_t)(end - out);
}

/* To `out` (room for NAME_RAW_MAX), with a NUL. */
static bool unescape(char *out, struct span value)
{
	char raw[2 * NAME_RAW_MAX];
	long len = value.len < sizeof raw ? line_unescape(raw, value) : -1;

	if (len <= 0 || len >= NAME_RAW_MAX || memchr(raw, 0, (size_t)len))
		return false;
	memcpy(out, raw, (size_t)len);
	out[len] = 0;
	return true;
}

size_t name_of_pairs(char *out, struct span pairs)
{
	char schema[NAME_RAW_MAX] = "public", table[NAME_RAW_MAX] = "";
	struct span name, value;

	while (line_next(&pairs, &name, &value) == 1)
		if (!unescape(span_is(name, "_schema") ? schema : table, value))
			return 0;
	return *table ? name_join(out, schema, table) : 0;
}

bool name_listed(const char *list, const char *component, size_t len)
{
	for (const char *at = list;; at++) {
		size_t n = strcspn(at, ",");
		if (n == len && memcmp(at, component, len) == 0)
			return true;
		at += n;
		if (!*at)
			return false;
	}
}
