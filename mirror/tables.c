#include "tables.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "name.h"

static struct span pairs_of(const struct relation *table)
{
	return (struct span){table->schema.text, table->schema.table_pairs_len};
}

void tables_fini(struct tables *tables)
{
	struct tables_entry *entry, *next_entry;
	struct tables_known *known, *next_known;

	tables->last = NULL;
	HASH_ITER(hh, tables->entries, entry, next_entry)
	{
		HASH_DEL(tables->entries, entry);
		free(entry);
	}
	HASH_ITER(hh, tables->by_relid, known, next_known)
	{
		HASH_DEL(tables->by_relid, known);
		relation_close(known->table);
		free(known);
	}
}

struct tables_entry *tables_entry(struct tables *tables, struct span pairs)
{
	struct tables_entry *last = tables->last;

	if (last && last->pairs_len == pairs.len && memcmp(last->pairs, pairs.at, pairs.len) == 0)
		return last;
	HASH_FIND(hh, tables->entries, pairs.at, pairs.len, last);
	tables->last = last;
	return last;
}

struct tables_entry *tables_begin(struct tables *tables, struct span pairs, struct relation *table, struct err *err)
{
	struct tables_entry *entry = calloc(1, sizeof *entry + pairs.len);

	if (!entry) {
		err_set(err, -ENOMEM, "out of memory for the list of tables");
		return NULL;
	}
	entry->table = table;
	entry->pairs_len = pairs.len;
	memcpy(entry->pairs, pairs.at, pairs.len);
	HASH_ADD_KEYPTR(hh, tables->entries, entry->pairs, entry->pairs_len, entry);
	return entry;
}

struct tables_entry *tables_name(struct tables *tables, struct relation *table, struct err *err)
{
	return tables_begin(tables, pairs_of(table), table, err);
}

void tables_leave(struct tables *tables, const struct relation *table)
{
	struct tables_entry *entry = tables_entry(tables, pairs_of(table));

	tables->last = NULL;
	if (!entry || entry->table != table)
		return;
	HASH_DEL(tables->entries, entry);
	free(entry);
}

struct tables_known *tables_known(struct tables *tables, uint32_t relid)
{
	struct tables_known *known;

	HASH_FIND(hh, tables->by_relid, &relid, sizeof relid, known);
	return known;
}

int tables_add(struct tables *tables, struct relation *table, struct err *err)
{
	struct tables_known *known = calloc(1, sizeof *known);

	if (!known) {
		relation_close(table);
		return err_set(err, -ENOMEM, "out of memory for the list of tables");
	}
	known->table = table;
	known->relid = table->schema.definition.relid;
	HASH_ADD(hh, tables->by_relid, relid, sizeof known->relid, known);
	return table->schema.displaced || tables_name(tables, table, err) ? 0 : -ENOMEM;
}

void tables_remove(struct tables *tables, struct relation *table)
{
	struct tables_known *known = tables_known(tables, table->schema.definition.relid);

	tables_leave(tables, table);
	HASH_DEL(tables->by_relid, known);
	relation_close(table);
	free(known);
}

void tables_renumber(struct tables *tables, struct tables_known *known)
{
	HASH_DEL(tables->by_relid, known);
	known->relid = known->table->schema.definition.relid;
	HASH_ADD(hh, tables->by_relid, relid, sizeof known->relid, known);
}

void tables_renumber_all(struct tables *tables)
{
	struct tables_known *known, *next, *all = NULL;
	uint32_t away = UINT32_MAX;

	HASH_ITER(hh, tables->by_relid, known, next)
	{
		HASH_DEL(tables->by_relid, known);
		known->relid = known->table->schema.definition.relid = away--;
		HASH_ADD(hh, all, relid, sizeof known->relid, known);
	}
	tables->by_relid = all;
}

static int by_relid(const struct tables_known *one, const struct tables_known *other)
{
	return one->relid < other->relid ? -1 : one->relid > other->relid;
}

void tables_sort(struct tables *tables)
{
	HASH_SORT(tables->by_relid, by_relid);
}

struct relation *tables_named(const struct tables *tables, const char *name)
{
	char component[NAME_PATH_MAX];

	for (struct tables_known *known = tables->by_relid; known; known = known->hh.next) {
		const struct schema *schema = &known->table->schema;
		if (!schema->displaced && name_join(component, schema->definition.schema, schema->definition.table) &&
		    strcmp(component, name) == 0)
			return known->table;
	}
	return NULL;
}

struct relation *tables_called(const struct tables *tables, const char *name)
{
	struct tables_known *known = tables->by_relid;

	while (known && sqlite3_stricmp(known->table->schema.name, name) != 0)
		known = known->hh.next;
	return known ? known->table : NULL;
}
