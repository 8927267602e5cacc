#include "filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "name.h"

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Cuts `list` at its commas into names[]; the count, 0 where one is misspelt. */
static size_t split(char *list, char **names, struct err *err)
{
	char schema[NAME_RAW_MAX], table[NAME_RAW_MAX];
	size_t count = 0;

	for (char *name; (name = strsep(&list, ","));) {
		if (!name_split(name, strlen(name), schema, table)) {
			err_set(err, 0,
			        "\"%s\" is no table name: write \"table\" in schema public, else \"schema.table\", "
			        "with %%XX for each of %% / . , in a name",
			        name);
			return 0;
		}
		names[count++] = name;
	}
	return count;
}

char *filter_normalize(const char *list, struct err *err)
{
	size_t len = strlen(list);
	char *copy = strdup(list), *result = malloc(len + 1), *end = result;
	char **names = calloc(len / 2 + 1, sizeof *names);

	if (!copy || !result || !names) {
		err_set(err, 0, "out of memory for a list of %zu bytes", len);
		free(result);
		result = NULL;
		goto out;
	}
	size_t count = split(copy, names, err);
	if (count == 0) {
		free(result);
		result = NULL;
		goto out;
	}
	qsort(names, count, sizeof *names, compare);
	for (size_t i = 0; i < count; i++)
		if (i == 0 || strcmp(names[i], names[i - 1]) != 0)
			end = stpcpy(i == 0 ? end : stpcpy(end, ","), names[i]);
out:
	free(names);
	free(copy);
	return result;
}

bool filter_has(const char *list, const char *component, size_t len)
{
	for (const char *at = list; at;) {
		size_t name_len = strcspn(at, ",");
		if (name_len == len && memcmp(at, component, len) == 0)
			return true;
		at = at[name_len] ? at + name_len + 1 : NULL;
	}
	return !list;
}

int filter_has_line(const char *list, const struct line_head *head, struct err *err)
{
	char schema[NAME_RAW_MAX] = "public", table[NAME_RAW_MAX], component[NAME_PATH_MAX];

	if (!list)
		return 1;
	if (head->table.len >= NAME_RAW_MAX || head->schema.len >= NAME_RAW_MAX)
		return err_set(err, -EBADMSG, "the table's name is too long");
	long table_len = line_unescape(table, head->table);
	long schema_len = head->schema.at ? line_unescape(schema, head->schema) : (long)strlen(schema);
	if (table_len < 0 || schema_len < 0)
		return err_set(err, -EBADMSG, "the table's name has a backslash that escapes nothing");
	table[table_len] = 0;
	schema[schema_len] = 0;
	size_t len = name_join(component, schema, table);
	return filter_has(list, component, len);
}
