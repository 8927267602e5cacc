#include "catalog.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "alter.h"
#include "filter.h"
#include "name.h"

/* The bytes that begin a table's lines -> the table, or none where --tables leaves it out. */
struct entry {
	struct table *table;
	UT_hash_handle hh;
	size_t pairs_len;
	char pairs[];
};

struct known {
	struct table *table;
	uint32_t relid;
	UT_hash_handle hh;
};

struct catalog {
	sqlite3 *sqlite;
	const char *tables;
	struct entry *entries;
	struct known *by_relid;
	struct entry *last; /* what catalog_find found */
	bool emptied;       /* some table waits for a truncate */
};

static int out_of_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory for the list of tables");
}

static struct entry *find_entry(struct catalog *catalog, struct span pairs)
{
	struct entry *entry;

	HASH_FIND(hh, catalog->entries, pairs.at, pairs.len, entry);
	return entry;
}

static struct entry *add_entry(struct catalog *catalog, struct span pairs, struct table *table)
{
	struct entry *entry = calloc(1, sizeof *entry + pairs.len);

	if (!entry)
		return NULL;
	entry->table = table;
	entry->pairs_len = pairs.len;
	memcpy(entry->pairs, pairs.at, pairs.len);
	HASH_ADD_KEYPTR(hh, catalog->entries, entry->pairs, entry->pairs_len, entry);
	return entry;
}

/* Lines that begin so are the table's no longer. */
static void remove_entry(struct catalog *catalog, const struct table *table)
{
	struct span pairs = {table->schema.text, table->schema.table_pairs_len};
	struct entry *entry = find_entry(catalog, pairs);

	catalog->last = NULL;
	if (!entry || entry->table != table)
		return;
	HASH_DEL(catalog->entries, entry);
	free(entry);
}

/* Takes `schema` over, as table_open does. */
static int add_table(struct catalog *catalog, struct schema *schema, struct err *err)
{
	struct known *known = calloc(1, sizeof *known);
	struct table *table = known ? table_open(catalog->sqlite, schema) : NULL;

	if (!table) {
		free(known);
		return out_of_memory(err);
	}
	known->table = table;
	known->relid = table->schema.definition.relid;
	HASH_ADD(hh, catalog->by_relid, relid, sizeof known->relid, known);
	struct span pairs = {table->schema.text, table->schema.table_pairs_len};
	if (!table->schema.displaced && !add_entry(catalog, pairs, table))
		return out_of_memory(err);
	return 0;
}

static int load(struct catalog *catalog, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	struct schema schema;
	int rc;

	while ((rc = schema_load_next(catalog->sqlite, &stmt, &schema, err)) == 1) {
		rc = add_table(catalog, &schema, err);
		schema_fini(&schema);
		if (rc < 0) {
			sqlite3_finalize(stmt);
			return rc;
		}
	}
	schema_fini(&schema);
	return rc;
}

int catalog_open(struct catalog **opened, sqlite3 *sqlite, const char *tables, struct err *err)
{
	struct catalog *catalog = calloc(1, sizeof *catalog);

	*opened = NULL;
	if (!catalog)
		return out_of_memory(err);
	catalog->sqlite = sqlite;
	catalog->tables = tables;
	int rc = load(catalog, err);
	if (rc < 0) {
		catalog_close(catalog);
		return rc;
	}
	*opened = catalog;
	return 0;
}

void catalog_close(struct catalog *catalog)
{
	struct entry *entry, *next_entry;
	struct known *known, *next_known;

	if (!catalog)
		return;
	HASH_ITER(hh, catalog->entries, entry, next_entry)
	{
		HASH_DEL(catalog->entries, entry);
		free(entry);
	}
	HASH_ITER(hh, catalog->by_relid, known, next_known)
	{
		HASH_DEL(catalog->by_relid, known);
		table_close(known->table);
		free(known);
	}
	free(catalog);
}

/* 1: --tables has the line's table (or there is no list); 0: it has not. */
static int is_wanted(const struct catalog *catalog, const struct line_head *head, struct err *err)
{
	char schema[NAME_RAW_MAX] = "public", table[NAME_RAW_MAX], component[NAME_PATH_MAX];

	if (!catalog->tables)
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
	return filter_has(catalog->tables, component, len);
}

/* A line of a table that no entry knows: either it is not wanted, which is kept, or wrong. */
static int find_unknown(struct catalog *catalog, const struct line_head *head, struct err *err)
{
	int wanted = is_wanted(catalog, head, err);

	if (wanted < 0)
		return wanted;
	if (wanted)
		return err_set(err, -EBADMSG, "no definition of it came before this line");
	catalog->last = add_entry(catalog, head->table_pairs, NULL);
	return catalog->last ? 0 : out_of_memory(err);
}

int catalog_find(struct catalog *catalog, const struct line_head *head, struct table **table, struct err *err)
{
	struct span pairs = head->table_pairs;
	struct entry *last = catalog->last;

	*table = NULL;
	if (!last || last->pairs_len != pairs.len || memcmp(last->pairs, pairs.at, pairs.len) != 0) {
		catalog->last = find_entry(catalog, pairs);
		if (!catalog->last) {
			int rc = find_unknown(catalog, head, err);
			if (rc < 0)
				return rc;
		}
	}
	*table = catalog->last->table;
	return 0;
}

static int displace(struct catalog *catalog, struct table *table, struct err *err)
{
	remove_entry(catalog, table);
	statement_clear(&table->statements);
	return table->schema.displaced ? 0 : alter_displace(catalog->sqlite, &table->schema, err);
}

static struct known *find_relid(struct catalog *catalog, const struct line_head *head)
{
	uint64_t number;
	struct known *known = NULL;

	if (head->relid.at && position_parse_number(head->relid.at, head->relid.len, &number) == head->relid.len &&
	    number <= UINT32_MAX) {
		uint32_t relid = (uint32_t)number;
		HASH_FIND(hh, catalog->by_relid, &relid, sizeof relid, known);
	}
	return known;
}

static int alter(struct catalog *catalog, struct table *table, struct schema *schema, struct err *err)
{
	bool emptied;

	remove_entry(catalog, table);
	statement_clear(&table->statements);
	int rc = alter_table(catalog->sqlite, &table->schema, schema, &emptied, err);
	if (rc == 0)
		rc = table_redefine(table, schema, err);
	if (rc < 0)
		return rc;
	table->emptied = emptied;
	catalog->emptied = catalog->emptied || emptied;
	struct span pairs = {table->schema.text, table->schema.table_pairs_len};
	return add_entry(catalog, pairs, table) ? 0 : out_of_memory(err);
}

int catalog_define(struct catalog *catalog, const struct line_head *head, struct err *err)
{
	struct known *known = find_relid(catalog, head);
	struct schema schema;
	int rc =
	    head->table.at ? is_wanted(catalog, head, err) : err_set(err, -EBADMSG, "a schema line without a table");

	if (rc < 0)
		return rc;
	if (rc == 0)
		return known ? displace(catalog, known->table, err) : 0;

	rc = schema_parse(&schema, head, err);
	if (rc < 0)
		goto out;
	if (known && !known->table->schema.displaced && strcmp(known->table->schema.text, schema.text) == 0)
		goto out;
	struct entry *holder = find_entry(catalog, head->table_pairs);
	if (holder && holder->table && (!known || holder->table != known->table))
		rc = displace(catalog, holder->table, err);
	if (rc < 0)
		goto out;
	if (known) {
		rc = alter(catalog, known->table, &schema, err);
	} else {
		rc = schema_create(catalog->sqlite, &schema, err);
		if (rc == 0)
			rc = add_table(catalog, &schema, err);
	}
out:
	schema_fini(&schema);
	return rc;
}

int catalog_check(struct catalog *catalog, struct err *err)
{
	if (!catalog->emptied)
		return 0;
	for (struct known *known = catalog->by_relid; known; known = known->hh.next)
		if (known->table->emptied)
			return err_set(err, -EBADMSG,
			               "the new key of table \"%s\" does not fit its rows, and no truncate came; "
			               "delete the database and start again",
			               known->table->schema.name);
	catalog->emptied = false;
	return 0;
}
