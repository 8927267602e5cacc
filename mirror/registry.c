#include "registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "alter.h"
#include "filter.h"
#include "name.h"

/* The bytes that begin a table's lines -> the table, or none where --tables leaves it out. */
struct entry {
	struct relation *table;
	UT_hash_handle hh;
	size_t pairs_len;
	char pairs[];
};

struct known {
	struct relation *table;
	uint32_t relid;
	UT_hash_handle hh;
};

struct registry {
	sqlite3 *sqlite;
	const char *tables;
	addition_warn *warn;
	struct entry *entries;
	struct known *by_relid;
	struct entry *last; /* what registry_find found */
	bool emptied;       /* some table waits for a truncate */
};

static int out_of_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory for the list of tables");
}

static struct entry *find_entry(struct registry *registry, struct span pairs)
{
	struct entry *entry;

	HASH_FIND(hh, registry->entries, pairs.at, pairs.len, entry);
	return entry;
}

static struct entry *add_entry(struct registry *registry, struct span pairs, struct relation *table)
{
	struct entry *entry = calloc(1, sizeof *entry + pairs.len);

	if (!entry)
		return NULL;
	entry->table = table;
	entry->pairs_len = pairs.len;
	memcpy(entry->pairs, pairs.at, pairs.len);
	HASH_ADD_KEYPTR(hh, registry->entries, entry->pairs, entry->pairs_len, entry);
	return entry;
}

/* Lines that begin so are the table's no longer. */
static void remove_entry(struct registry *registry, const struct relation *table)
{
	struct span pairs = {table->schema.text, table->schema.table_pairs_len};
	struct entry *entry = find_entry(registry, pairs);

	registry->last = NULL;
	if (!entry || entry->table != table)
		return;
	HASH_DEL(registry->entries, entry);
	free(entry);
}

/* Takes `schema` over, as relation_open does. */
static int add_table(struct registry *registry, struct schema *schema, struct err *err)
{
	struct known *known = calloc(1, sizeof *known);
	struct relation *table = known ? relation_open(registry->sqlite, schema) : NULL;

	if (!table) {
		free(known);
		return out_of_memory(err);
	}
	known->table = table;
	known->relid = table->schema.definition.relid;
	HASH_ADD(hh, registry->by_relid, relid, sizeof known->relid, known);
	struct span pairs = {table->schema.text, table->schema.table_pairs_len};
	if (!table->schema.displaced && !add_entry(registry, pairs, table))
		return out_of_memory(err);
	return 0;
}

static int load(struct registry *registry, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	struct schema schema;
	int rc;

	while ((rc = schema_load_next(registry->sqlite, &stmt, &schema, err)) == 1) {
		rc = add_table(registry, &schema, err);
		schema_fini(&schema);
		if (rc < 0) {
			sqlite3_finalize(stmt);
			return rc;
		}
	}
	schema_fini(&schema);
	return rc;
}

int registry_open(struct registry **opened, sqlite3 *sqlite, const char *tables, addition_warn *warn, struct err *err)
{
	struct registry *registry = calloc(1, sizeof *registry);

	*opened = NULL;
	if (!registry)
		return out_of_memory(err);
	registry->sqlite = sqlite;
	registry->tables = tables;
	registry->warn = warn;
	int rc = load(registry, err);
	if (rc < 0) {
		registry_close(registry);
		return rc;
	}
	*opened = registry;
	return 0;
}

static void forget_all(struct registry *registry)
{
	struct entry *entry, *next_entry;
	struct known *known, *next_known;

	registry->last = NULL;
	registry->emptied = false;
	HASH_ITER(hh, registry->entries, entry, next_entry)
	{
		HASH_DEL(registry->entries, entry);
		free(entry);
	}
	HASH_ITER(hh, registry->by_relid, known, next_known)
	{
		HASH_DEL(registry->by_relid, known);
		relation_close(known->table);
		free(known);
	}
}

void registry_close(struct registry *registry)
{
	if (!registry)
		return;
	forget_all(registry);
	free(registry);
}

int registry_clear(struct registry *registry, struct err *err)
{
	for (struct known *known = registry->by_relid; known; known = known->hh.next) {
		statement_clear(&known->table->statements);
		int rc = schema_drop(registry->sqlite, &known->table->schema, err);
		if (rc < 0)
			return rc;
	}
	forget_all(registry);
	return 0;
}

int registry_drop(struct registry *registry, const struct line_head *head, struct err *err)
{
	struct entry *entry = find_entry(registry, head->table_pairs);
	struct relation *table = entry ? entry->table : NULL;
	struct known *known;

	if (!table)
		return 0;
	uint32_t relid = table->schema.definition.relid;
	remove_entry(registry, table);
	statement_clear(&table->statements);
	int rc = schema_drop(registry->sqlite, &table->schema, err);
	HASH_FIND(hh, registry->by_relid, &relid, sizeof relid, known);
	HASH_DEL(registry->by_relid, known);
	free(known);
	relation_close(table);
	return rc < 0 ? rc : additions_check_triggers(registry->sqlite, registry->warn, err);
}

/* 1: --tables has the line's table (or there is no list); 0: it has not. */
static int is_wanted(const struct registry *registry, const struct line_head *head, struct err *err)
{
	char schema[NAME_RAW_MAX] = "public", table[NAME_RAW_MAX], component[NAME_PATH_MAX];

	if (!registry->tables)
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
	return filter_has(registry->tables, component, len);
}

/* A line of a table that no entry knows: either it is not wanted, which is kept, or wrong. */
static int find_unknown(struct registry *registry, const struct line_head *head, struct err *err)
{
	int wanted = is_wanted(registry, head, err);

	if (wanted < 0)
		return wanted;
	if (wanted)
		return err_set(err, -EBADMSG, "no definition of it came before this line");
	registry->last = add_entry(registry, head->table_pairs, NULL);
	return registry->last ? 0 : out_of_memory(err);
}

int registry_find(struct registry *registry, const struct line_head *head, struct relation **table, struct err *err)
{
	struct span pairs = head->table_pairs;
	struct entry *last = registry->last;

	*table = NULL;
	if (!last || last->pairs_len != pairs.len || memcmp(last->pairs, pairs.at, pairs.len) != 0) {
		registry->last = find_entry(registry, pairs);
		if (!registry->last) {
			int rc = find_unknown(registry, head, err);
			if (rc < 0)
				return rc;
		}
	}
	*table = registry->last->table;
	return 0;
}

static int displace(struct registry *registry, struct relation *table, struct err *err)
{
	remove_entry(registry, table);
	statement_clear(&table->statements);
	return table->schema.displaced ? 0 : alter_displace(registry->sqlite, &table->schema, err);
}

static struct known *find_relid(struct registry *registry, const struct line_head *head)
{
	uint64_t number;
	struct known *known = NULL;

	if (head->relid.at && position_parse_number(head->relid.at, head->relid.len, &number) == head->relid.len &&
	    number <= UINT32_MAX) {
		uint32_t relid = (uint32_t)number;
		HASH_FIND(hh, registry->by_relid, &relid, sizeof relid, known);
	}
	return known;
}

static int alter(struct registry *registry, struct relation *table, struct schema *schema, struct err *err)
{
	bool emptied;

	remove_entry(registry, table);
	statement_clear(&table->statements);
	int rc = alter_table(registry->sqlite, &table->schema, schema, &emptied, registry->warn, err);
	if (rc == 0)
		rc = relation_redefine(table, schema, err);
	if (rc < 0)
		return rc;
	table->emptied = emptied;
	registry->emptied = registry->emptied || emptied;
	struct span pairs = {table->schema.text, table->schema.table_pairs_len};
	return add_entry(registry, pairs, table) ? 0 : out_of_memory(err);
}

int registry_define(struct registry *registry, const struct line_head *head, struct err *err)
{
	struct known *known = find_relid(registry, head);
	struct schema schema;
	int rc =
	    head->table.at ? is_wanted(registry, head, err) : err_set(err, -EBADMSG, "a schema line without a table");

	if (rc < 0)
		return rc;
	if (rc == 0)
		return known ? displace(registry, known->table, err) : 0;

	rc = schema_parse(&schema, head, err);
	if (rc < 0)
		goto out;
	if (known && !known->table->schema.displaced && strcmp(known->table->schema.text, schema.text) == 0)
		goto out;
	struct entry *holder = find_entry(registry, head->table_pairs);
	if (holder && holder->table && (!known || holder->table != known->table))
		rc = displace(registry, holder->table, err);
	if (rc < 0)
		goto out;
	if (known) {
		rc = alter(registry, known->table, &schema, err);
	} else {
		rc = schema_create(registry->sqlite, &schema, err);
		if (rc == 0)
			rc = add_table(registry, &schema, err);
	}
out:
	schema_fini(&schema);
	return rc;
}

int registry_check(struct registry *registry, struct err *err)
{
	if (!registry->emptied)
		return 0;
	for (struct known *known = registry->by_relid; known; known = known->hh.next)
		if (known->table->emptied)
			return err_set(err, -EBADMSG,
			               "the new key of table \"%s\" does not fit its rows, and no truncate came; "
			               "delete the database and start again",
			               known->table->schema.name);
	registry->emptied = false;
	return 0;
}
