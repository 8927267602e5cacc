#include "definition.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "name.h"

/* Appends the unescaped value to def->text at *used and ends it with a NUL. */
static const char *keep(struct definition *def, size_t *used, struct span value)
{
	char *out = def->text + *used;
	long len = line_unescape(out, value);

	if (len < 0 || memchr(out, 0, (size_t)len))
		return NULL;
	out[len] = 0;
	*used += (size_t)len + 1;
	return out;
}

static bool small_number(const char *text, unsigned most, unsigned *number)
{
	uint64_t value;
	size_t n = position_parse_number(text, strlen(text), &value);

	if (n == 0 || text[n] || value > most)
		return false;
	*number = (unsigned)value;
	return true;
}

static bool parse_facts(struct definition *def, size_t *used, struct column *column, const char *facts)
{
	struct span rest = {facts, strlen(facts)}, name, value;
	int more;

	while ((more = line_next(&rest, &name, &value)) == 1) {
		const char *text = keep(def, used, value);
		if (!text)
			return false;
		bool good = true;
		if (span_is(name, "number"))
			good = small_number(text, 65535, &column->number);
		else if (span_is(name, "type"))
			column->type = text;
		else if (span_is(name, "base"))
			column->base = text;
		else if (span_is(name, "notnull"))
			column->not_null = strcmp(text, "1") == 0;
		else if (span_is(name, "pk"))
			good = small_number(text, 65535, &column->pk);
		else if (span_is(name, "labels"))
			column->labels = text;
		else if (span_is(name, "parts"))
			column->parts = text;
		else if (span_is(name, "missing"))
			column->missing = text;
		if (!good)
			return false;
	}
	if (!column->base)
		column->base = column->type;
	return more == 0 && column->number > 0 && column->type;
}

static struct column *find_column(struct definition *def, const char *name)
{
	for (unsigned i = 0; i < def->column_count; i++)
		if (strcmp(def->columns[i].name, name) == 0)
			return &def->columns[i];
	return NULL;
}

static bool parse_key(struct definition *def, const char *list)
{
	def->identity = IDENTITY_KEY;
	for (const char *part = list;;) {
		size_t len = strcspn(part, ",");
		char name[NAME_RAW_MAX] = "*";
		bool star = len == 3 && memcmp(part, "%2A", 3) == 0; /* bare, it is the whole row */
		if (!star && (name_decode(name, part, len) < 0 || strcmp(name, "*") == 0))
			return false;
		struct column *column = find_column(def, name);
		if (!column || column->key)
			return false;
		column->key = ++def->key_count;
		if (!part[len])
			return true;
		part += len + 1;
	}
}

static unsigned count_pairs(struct span rest)
{
	unsigned count = 0;
	struct span name, value;

	while (line_next(&rest, &name, &value) == 1)
		count++;
	return count;
}

static int parse(struct definition *def, const struct line_head *head, size_t *used)
{
	struct span rest = head->pairs, name, value;
	uint64_t relid;
	int more;

	if (!head->table.at || !head->relid.at || !head->key.at)
		return -EBADMSG;
	def->schema = head->schema.at ? keep(def, used, head->schema) : "public";
	def->table = keep(def, used, head->table);
	if (!def->schema || !def->table || !*def->schema || !*def->table)
		return -EBADMSG;
	if (position_parse_number(head->relid.at, head->relid.len, &relid) != head->relid.len || relid == 0 ||
	    relid > UINT32_MAX)
		return -EBADMSG;
	def->relid = (uint32_t)relid;

	while ((more = line_next(&rest, &name, &value)) == 1) {
		struct column *column = &def->columns[def->column_count];
		const char *facts;
		if (!(column->name = keep(def, used, name)) || !(facts = keep(def, used, value)) ||
		    find_column(def, column->name) || !parse_facts(def, used, column, facts))
			return -EBADMSG;
		def->column_count++;
	}
	if (more < 0)
		return -EBADMSG;

	if (line_is_null(head->key)) {
		def->identity = IDENTITY_NONE;
	} else if (span_is(head->key, "*")) {
		def->identity = IDENTITY_FULL;
	} else {
		const char *list = keep(def, used, head->key);
		if (!list || !parse_key(def, list))
			return -EBADMSG;
	}
	return 0;
}

int definition_parse(struct definition *def, const struct line_head *head, struct err *err)
{
	size_t used = 0;

	*def = (struct definition){0};
	/* Each byte of the line is kept at most twice (facts, and what stands in
	 * them) with a NUL for each pair, which had two tabs. */
	def->text = malloc(2 * (head->schema.len + head->table.len + head->key.len + head->pairs.len) + 16);
	def->columns = calloc(count_pairs(head->pairs) + 1, sizeof *def->columns);
	if (!def->text || !def->columns)
		return err_set(err, -ENOMEM, "out of memory for a schema line of %zu bytes", head->pairs.len);
	if (parse(def, head, &used) < 0)
		return err_set(
		    err, -EBADMSG, "the schema line of table \"%.*s\" does not follow the format (docs/FORMAT.md)",
		    (int)(head->table.len < 300 ? head->table.len : 300), head->table.at ? head->table.at : "");
	return 0;
}

void definition_fini(struct definition *def)
{
	free(def->text);
	free(def->columns);
	*def = (struct definition){0};
}
