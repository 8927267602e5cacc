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
	return !list || name_listed(list, component, len);
}

int filter_has_line(const char *list, const struct line_head *head, struct err *err)
{
	char component[NAME_PATH_MAX];

	if (!list)
		return 1;
	size_t len = name_of_pairs(component, head->table_pairs);
	if (len == 0)
		return err_set(err, -EBADMSG, "the line's _schema and _table are no table's name");
	return name_listed(list, component, len);
}
