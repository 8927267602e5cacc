#include "unplaced.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "name.h"

static size_t find(const struct unplaced *unplaced, const char *name)
{
	size_t i = 0;

	while (i < unplaced->count && strcmp(unplaced->names[i], name) != 0)
		i++;
	return i;
}

int unplaced_add(struct unplaced *unplaced, const struct line_head *head)
{
	char name[NAME_PATH_MAX];

	if (!name_of_pairs(name, head->table_pairs) || find(unplaced, name) < unplaced->count)
		return 0;
	if (unplaced->count == unplaced->cap) {
		size_t cap = unplaced->cap ? 2 * unplaced->cap : 8;
		char **more = realloc(unplaced->names, cap * sizeof *more);
		if (!more)
			return -ENOMEM;
		unplaced->names = more;
		unplaced->cap = cap;
	}
	if (!(unplaced->names[unplaced->count] = strdup(name)))
		return -ENOMEM;
	unplaced->count++;
	unplaced->added++;
	return 0;
}

void unplaced_remove(struct unplaced *unplaced, const struct line_head *head)
{
	char name[NAME_PATH_MAX];

	if (unplaced->count == 0 || !name_of_pairs(name, head->table_pairs))
		return;
	size_t i = find(unplaced, name);
	if (i == unplaced->count)
		return;
	free(unplaced->names[i]);
	unplaced->count--;
	unplaced->removed++;
	memmove(&unplaced->names[i], &unplaced->names[i + 1], (unplaced->count - i) * sizeof *unplaced->names);
}

int unplaced_line(struct unplaced *unplaced, const struct catalog *catalog, const struct line_head *head)
{
	/* With a replica identity, what comes can be placed again. */
	if (span_is(head->action, "drop") ||
	    (span_is(head->action, "schema") && head->key.at && !line_is_null(head->key)))
		unplaced_remove(unplaced, head);
	return catalog_unplaced(catalog, head) ? unplaced_add(unplaced, head) : 0;
}

char *unplaced_print(char *text, size_t size, const struct unplaced *unplaced)
{
	static const char more[] = ",...";
	size_t len = 0;

	text[0] = 0;
	for (size_t i = 0; i < unplaced->count; i++) {
		size_t name_len = strlen(unplaced->names[i]), comma = i > 0;
		/* What is kept free is enough for `more`, which begins with the comma. */
		if (len + comma + name_len + sizeof more > size) {
			memcpy(text + len, more + !comma, sizeof more - !comma);
			break;
		}
		if (comma)
			text[len++] = ',';
		memcpy(text + len, unplaced->names[i], name_len + 1);
		len += name_len;
	}
	return text;
}

void unplaced_fini(struct unplaced *unplaced)
{
	for (size_t i = 0; i < unplaced->count; i++)
		free(unplaced->names[i]);
	free(unplaced->names);
	*unplaced = (struct unplaced){0};
}
