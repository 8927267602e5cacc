/*
 * fuzz_name.c - path components: one that is taken is the one that its table
 * is given, and each table's component is taken and gives it back. Positions
 * and LSNs, which stand in paths too, likewise.
 */
#include <stdint.h>
#include <string.h>

#include "name.h"
#include "position.h"
#include "property.h"

static void check_component(const char *text, size_t len)
{
	char schema[NAME_RAW_MAX], table[NAME_RAW_MAX], again[NAME_PATH_MAX];

	if (!name_split(text, len, schema, table))
		return;
	must(*schema && *table);
	must(name_join(again, schema, table) == len && memcmp(again, text, len) == 0);
}

/* The input, cut in two at its first NUL, as a schema and a table. */
static void check_names(const char *text, size_t len)
{
	char schema[NAME_RAW_MAX] = {0}, table[NAME_RAW_MAX] = {0}, back[2][NAME_RAW_MAX], path[NAME_PATH_MAX];
	const char *cut = memchr(text, 0, len);
	size_t schema_len = cut ? (size_t)(cut - text) : 0;
	size_t table_len = cut ? len - schema_len - 1 : len;

	if (schema_len >= NAME_RAW_MAX || table_len >= NAME_RAW_MAX)
		return;
	memcpy(schema, text, schema_len);
	memcpy(table, cut ? cut + 1 : text, table_len);
	if (!*schema)
		strcpy(schema, "public");
	if (!*table)
		return;
	size_t n = name_join(path, schema, table);
	must(n > 0 && n < NAME_PATH_MAX && path[n] == 0 && !memchr(path, '/', n));
	must(name_split(path, n, back[0], back[1]));
	must(strcmp(back[0], schema) == 0 && strcmp(back[1], table) == 0);
}

static void check_position(const char *text, size_t len)
{
	struct position pos;
	char again[POSITION_TEXT_MAX];
	uint64_t number, lsn, lsn_again;
	char lsn_text[LSN_TEXT_MAX];

	must(position_parse_number(text, len, &number) <= len);
	if (position_parse(text, len, &pos)) {
		position_print(again, pos);
		must(strlen(again) == len && memcmp(again, text, len) == 0);
	}
	if (lsn_parse(text, len, &lsn)) {
		lsn_print(lsn_text, lsn);
		must(lsn_parse(lsn_text, strlen(lsn_text), &lsn_again) && lsn_again == lsn);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size ? size : 1);

	must(text);
	if (size)
		memcpy(text, data, size);
	check_component(text, size);
	check_names(text, size);
	check_position(text, size);
	free(text);
	return 0;
}
