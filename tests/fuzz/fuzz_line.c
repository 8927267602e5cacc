/*
 * fuzz_line.c - the line codec and `schema` lines on any bytes: escaping is
 * undone by unescaping, what is split off is a part of the line, and nothing
 * reads or writes outside its buffer (each has its exact size, for the
 * sanitizer to see).
 */
#include <stdint.h>
#include <string.h>

#include "definition.h"
#include "line.h"
#include "property.h"

static void check_escape(const char *text, size_t len)
{
	char *escaped = malloc(2 * len + 1), *back = malloc(len + 1);

	must(escaped && back);
	size_t escaped_len = line_escape(escaped, text, len);
	must(escaped_len >= len && escaped_len <= 2 * len);
	must(!memchr(escaped, '\t', escaped_len) && !memchr(escaped, '\n', escaped_len));
	struct span value = {escaped, escaped_len};
	must(!line_is_null(value));
	must(line_unescape(back, value) == (long)len && memcmp(back, text, len) == 0);
	must(line_unescape(escaped, value) == (long)len && memcmp(escaped, text, len) == 0);
	free(escaped);
	free(back);
}

static void check_unescape(struct span value)
{
	char *raw = malloc(value.len + 1);

	must(raw);
	long len = line_unescape(raw, value);
	must(len >= -1 && len <= (long)value.len);
	/* The spelling is not always ours (a raw \r may stand there), its meaning is. */
	if (len >= 0)
		check_escape(raw, (size_t)len);
	free(raw);
}

static void inside(struct span part, const char *line, size_t len)
{
	must(!part.at || (part.at >= line && part.at + part.len <= line + len));
}

static void check_definition(const struct line_head *head)
{
	struct definition def;
	struct err err;
	unsigned keys = 0;

	if (definition_parse(&def, head, &err) == 0) {
		must(def.relid > 0 && *def.table && *def.schema);
		for (unsigned i = 0; i < def.column_count; i++) {
			const struct column *column = &def.columns[i];
			must(column->number > 0 && column->name && column->type && column->base);
			must(column->key <= def.key_count);
			keys += column->key > 0;
			for (unsigned j = 0; j < i; j++)
				must(strcmp(def.columns[j].name, column->name) != 0);
		}
		must(keys == def.key_count && (keys > 0) == (def.identity == IDENTITY_KEY));
	}
	definition_fini(&def);
}

static void check_line(const char *line, size_t len)
{
	struct line_head head;

	if (!line_parse(line, len, &head))
		return;
	const struct span spans[] = {head.schema, head.table,  head.xid,         head.relid,
	                             head.key,    head.action, head.table_pairs, head.pairs};
	for (size_t i = 0; i < sizeof spans / sizeof *spans; i++)
		inside(spans[i], line, len);
	must(head.action.at);
	must(!head.schema.at || head.table.at);

	struct span rest = head.pairs, name, value;
	const char *after = head.action.at + head.action.len;
	int more;
	while ((more = line_next(&rest, &name, &value)) == 1) {
		inside(name, line, len);
		inside(value, line, len);
		must(name.at == after + 1 && value.at == name.at + name.len + 1);
		after = value.at + value.len;
		check_unescape(value);
	}
	must(more < 0 || after == line + len);
	check_definition(&head);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *line = malloc(size ? size : 1);

	must(line);
	if (size)
		memcpy(line, data, size);
	check_escape(line, size);
	check_unescape((struct span){line, size});
	check_line(line, size);
	free(line);
	return 0;
}
