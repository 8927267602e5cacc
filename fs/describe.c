#include "describe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t print_column(char *out, const struct column *column, enum identity identity)
{
	size_t n = line_escape(out, column->name, strlen(column->name));

	out[n++] = '\t';
	n += line_escape(out + n, column->type, strlen(column->type));
	return n + (size_t)sprintf(out + n, "\t%u\n", identity == IDENTITY_FULL ? column->pk : column->key);
}

int describe_line(const char *line, size_t line_len, char **text, size_t *len, struct position *position,
                  struct err *err)
{
	struct definition def = {0};
	struct line_head head;
	size_t room = 1;
	int r;

	if (!line_parse(line, line_len, &head) || !span_is(head.action, "schema"))
		return err_set(err, -EBADMSG, "not a schema line");
	*position = head.position;
	if ((r = definition_parse(&def, &head, err)) < 0)
		goto out;
	for (unsigned i = 0; i < def.column_count; i++)
		room += 2 * (strlen(def.columns[i].name) + strlen(def.columns[i].type)) + 16;
	if (!(*text = malloc(room))) {
		r = err_set(err, -ENOMEM, "out of memory for a definition");
		goto out;
	}
	*len = 0;
	for (unsigned i = 0; i < def.column_count; i++)
		*len += print_column(*text + *len, &def.columns[i], def.identity);
out:
	definition_fini(&def);
	return r;
}
