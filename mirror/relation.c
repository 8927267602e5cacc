#include "relation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql.h"

static int alloc_rows(struct relation *table)
{
	size_t count = table->schema.column_count + 1;

	free(table->row.values);
	free(table->old.values);
	table->row.values = calloc(count, sizeof *table->row.values);
	table->old.values = calloc(count, sizeof *table->old.values);
	return table->row.values && table->old.values ? 0 : -ENOMEM;
}

struct relation *relation_open(sqlite3 *sqlite, struct schema *schema)
{
	struct relation *table = calloc(1, sizeof *table);

	if (!table)
		return NULL;
	table->sqlite = sqlite;
	table->schema = *schema;
	table->statements = (struct statement_cache){.sqlite = sqlite, .schema = &table->schema};
	if (alloc_rows(table) < 0) {
		free(table->row.values);
		free(table->old.values);
		free(table);
		return NULL;
	}
	*schema = (struct schema){0};
	return table;
}

void relation_close(struct relation *table)
{
	if (!table)
		return;
	statement_clear(&table->statements);
	schema_fini(&table->schema);
	value_room_fini(&table->room);
	free(table->row.values);
	free(table->old.values);
	free(table);
}

int relation_redefine(struct relation *table, struct schema *schema, struct err *err)
{
	statement_clear(&table->statements);
	schema_fini(&table->schema);
	table->schema = *schema;
	table->says_all = false;
	*schema = (struct schema){0};
	if (alloc_rows(table) < 0)
		return err_set(err, -ENOMEM, "out of memory for a table of %u columns", table->schema.column_count);
	return 0;
}

/* The column that the next pair names. Rows come in the definition's order, so it nearly
 * always is the expected one, or stands soon behind it. */
static const struct schema_column *find_column(const struct schema *schema, unsigned expected, struct span rest)
{
	unsigned count = schema->column_count;

	for (unsigned tried = 0, i = expected; tried < count; tried++, i++) {
		if (i >= count)
			i = 0;
		const struct schema_column *column = &schema->columns[i];
		if (schema_is_named(column, rest))
			return column;
	}
	return NULL;
}

static int no_column(struct span rest, struct err *err)
{
	size_t len = rest.len < 80 ? rest.len : 80;
	const char *tab = memchr(rest.at, '\t', len);

	return err_set(err, -EBADMSG, "the line has a column \"%.*s\" that the definition has not",
	               (int)(tab ? (size_t)(tab - rest.at) : len), rest.at);
}

/* The value that begins `rest`, whose length is returned. What is longer than a number stays where it is: on the line, or in
 * the room. */
static long read_value(struct relation *table, const struct schema_column *column, struct span rest,
                       struct value *value, struct err *err)
{
	bool escaped;
	size_t len = column->storage == STORAGE_INTEGER ? value_read_integer(value, rest.at, rest.len) : 0;

	if (len > 0)
		return (long)len;
	len = line_value_len(rest.at, rest.len, &escaped);
	int rc = value_read_text(value, column->storage, (struct span){rest.at, len}, escaped, &table->room, err);
	return rc < 0 ? err_prefix(err, rc, "column \"%s\"", column->name) : (long)len;
}

static int read_row(struct relation *table, struct relation_row *row, struct span rest, struct err *err)
{
	const struct schema *schema = &table->schema;
	const char *end = rest.at ? rest.at + rest.len : NULL;
	unsigned expected = 0, present = 0;

	for (unsigned i = 0; i < schema->column_count; i++)
		row->values[i].kind = VALUE_ABSENT;
	while (rest.at) {
		const struct schema_column *column = find_column(schema, expected, rest);
		if (!column)
			return no_column(rest, err);
		unsigned i = (unsigned)(column - schema->columns);
		if (row->values[i].kind)
			return err_set(err, -EBADMSG, "the line has column \"%s\" twice", column->name);
		const char *at = rest.at + column->wire_len + 1;
		long len = read_value(table, column, (struct span){at, (size_t)(end - at)}, &row->values[i], err);
		if (len < 0)
			return (int)len;
		present++;
		expected = i + 1;
		at += len;
		rest = at < end ? (struct span){at + 1, (size_t)(end - at - 1)} : (struct span){NULL, 0};
	}
	row->present = present;
	return 0;
}

/* Binds the columns that are there, or of them only the key's, from parameter `first` on. */
static int bind_row(const struct schema *schema, sqlite3_stmt *stmt, const struct relation_row *row, unsigned first,
                    bool key_only, struct err *err)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < schema->column_count; i++) {
		if (!row->values[i].kind || (key_only && !schema->columns[i].key))
			continue;
		rc = value_put(stmt, (int)(first + i), &row->values[i], err);
		if (rc < 0)
			err_prefix(err, rc, "column \"%s\"", schema->columns[i].name);
	}
	return rc;
}

/* After sqlite3_step; returns the rows that it changed. */
static int reset(struct relation *table, sqlite3_stmt *stmt, const char *doing, struct err *err)
{
	int rc = sqlite3_reset(stmt);
	if (rc == SQLITE_OK)
		return sqlite3_changes(table->sqlite);
	return sql_error(table->sqlite, doing, err);
}

/* Runs one statement over row and old row (NULL: none); returns the rows it changed. */
static int run(struct relation *table, enum statement_kind kind, const struct relation_row *row,
               const struct relation_row *old, struct err *err)
{
	static const char *const doing[] = {"cannot insert the row", "cannot update the row",
	                                    "cannot change the row's key", "cannot delete the row"};
	const struct schema *schema = &table->schema;
	sqlite3_stmt *stmt;

	int rc = statement_get(&table->statements, kind, row ? row->values : NULL, row ? row->present : 0, &stmt, err);
	if (rc == 0 && row)
		rc = bind_row(schema, stmt, row, 1, false, err);
	if (rc == 0 && old)
		rc = bind_row(schema, stmt, old, schema->column_count + 1, schema->match == SCHEMA_KEY, err);
	if (rc < 0)
		return rc;
	sqlite3_step(stmt);
	return reset(table, stmt, doing[kind], err);
}

/* Reads the rows that a line brings, and sees that what places them is there. */
static int begin(struct relation *table, const char *what, const struct span *old, const struct span *row,
                 struct err *err)
{
	const struct schema *schema = &table->schema;
	struct relation_row *placing = old ? &table->old : &table->row;

	if (table->emptied)
		return err_set(err, -EBADMSG,
		               "the table's new key does not fit its rows, and no truncate came; "
		               "delete the database and start again");
	int rc = value_room_reset(&table->room, (row ? row->len : 0) + (old ? old->len : 0), err);
	if (rc == 0 && row)
		rc = read_row(table, &table->row, *row, err);
	if (rc == 0 && old)
		rc = read_row(table, &table->old, *old, err);
	if (rc < 0)
		return rc;
	for (unsigned i = 0; schema->match == SCHEMA_KEY && i < schema->key_count; i++) {
		const struct schema_column *column = &schema->columns[schema->key[i]];
		if (placing->values[schema->key[i]].kind <= VALUE_NULL)
			return err_set(err, -EBADMSG, "this %s does not say column \"%s\" of the key", what,
			               column->name);
	}
	if (schema->match == SCHEMA_ROW && old && placing->present != schema->column_count)
		return err_set(err, -EBADMSG, "this %s does not say the whole old row", what);
	return 0;
}

static int not_placeable(const struct relation *table, const char *what, struct err *err)
{
	const struct definition *definition = &table->schema.definition;
	char *name = sqlite3_mprintf("\"%w\".\"%w\"", definition->schema, definition->table);

	err_set(err, -ENOENT,
	        "it has no replica identity, so this %s cannot be placed; on the server: ALTER TABLE %s REPLICA "
	        "IDENTITY FULL",
	        what, name ? name : "");
	sqlite3_free(name);
	return -ENOENT;
}

/* The placing row's key, as far as there is room. */
static void print_key(const struct relation *table, const struct relation_row *row, char *text, size_t size)
{
	const struct schema *schema = &table->schema;
	size_t len = 0;

	*text = 0;
	for (unsigned i = 0; i < schema->column_count && len < size; i++) {
		char value[80];
		if (!row->values[i].kind || (schema->match == SCHEMA_KEY && !schema->columns[i].key))
			continue;
		int n = snprintf(text + len, size - len, "%s%s %s", len ? ", " : "", schema->columns[i].name,
		                 value_print(value, sizeof value, &row->values[i]));
		len += n > 0 ? (size_t)n : 0;
	}
}

int relation_missing(const struct relation *table, const char *what, const struct relation_row *row, struct err *err)
{
	char key[400];

	print_key(table, row, key, sizeof key);
	if (table->exact)
		return err_set(err, -ENOENT, "the row that this %s speaks of (%s) is not there", what, key);
	return err_set(err, -ENOENT,
	               "the row that this %s speaks of (%s) is not there (it is older than the stream?), and the line "
	               "leaves columns out",
	               what, key);
}

int relation_read(struct relation *table, enum relation_change change, struct span pairs, struct relation_row **row,
                  struct err *err)
{
	static const char *const what[] = {"insert", "update", "delete"};
	bool old = change == RELATION_DELETE;

	*row = old ? &table->old : &table->row;
	int rc = begin(table, what[change], old ? &pairs : NULL, old ? NULL : &pairs, err);
	if (rc == 0 && change == RELATION_INSERT && table->row.present != table->schema.column_count)
		return err_set(err, -EBADMSG, "this insert does not say the whole row");
	return rc;
}

int relation_make_insert(struct relation *table, struct err *err)
{
	int changed = run(table, STATEMENT_INSERT, &table->row, NULL, err);

	return changed < 0 ? changed : 0;
}

/* Whether the key is the rowid, and no number comes from elsewhere: people may have made the table anew. */
static bool counts_on(const struct relation *table)
{
	const struct schema *schema = &table->schema;
	int counter = 1;

	/* A key that is no rowid is in an index, so its table is not in order. */
	return schema->rowid_key && table->in_order &&
	       sqlite3_table_column_metadata(table->sqlite, "main", schema->name, schema->columns[schema->key[0]].name,
	                                     NULL, NULL, NULL, NULL, &counter) == SQLITE_OK &&
	       !counter;
}

/* What the supply has to know where the key is the rowid. */
static int find_last(struct relation *table, struct supply *supply, struct err *err)
{
	sqlite3_stmt *stmt;

	supply->key = counts_on(table) ? (int)table->schema.key[0] : -1;
	if (supply->key < 0)
		return 0;
	int rc = statement_get(&table->statements, STATEMENT_LAST, NULL, 0, &stmt, err);
	if (rc < 0)
		return rc;
	if (sqlite3_step(stmt) == SQLITE_ROW) {
		supply->has_last = sqlite3_column_type(stmt, 0) == SQLITE_INTEGER;
		supply->last = sqlite3_column_int64(stmt, 0);
	}
	rc = reset(table, stmt, "cannot look for the last row", err);
	return rc < 0 ? rc : 0;
}

int relation_make_all(struct relation *table, struct supply *supply, struct err *err)
{
	sqlite3_stmt *stmt;
	int rc = find_last(table, supply, err);

	if (rc == 0)
		rc = statement_get(&table->statements, STATEMENT_PUT, NULL, 0, &stmt, err);
	if (rc < 0)
		return rc;
	supply_step(stmt, supply);
	rc = reset(table, stmt, "cannot write the row", err);
	if (rc >= 0 && supply->astray)
		return err_set(err, -EIO, "SQLite gave a row another rowid than the one behind the last");
	return rc < 0 ? rc : 0;
}

int relation_make_update(struct relation *table, bool add, struct err *err)
{
	int changed = run(table, STATEMENT_UPDATE, &table->row, NULL, err);

	if (changed != 0)
		return changed < 0 ? changed : 0;
	return add ? relation_make_insert(table, err) : relation_missing(table, "update", &table->row, err);
}

int relation_make_delete(struct relation *table, bool must, struct err *err)
{
	int changed = run(table, STATEMENT_DELETE, NULL, &table->old, err);

	if (changed == 0 && must)
		return relation_missing(table, "delete", &table->old, err);
	return changed < 0 ? changed : 0;
}

int relation_insert(struct relation *table, struct span pairs, struct err *err)
{
	struct relation_row *row;
	int rc = relation_read(table, RELATION_INSERT, pairs, &row, err);

	return rc < 0 ? rc : relation_make_insert(table, err);
}

static int update_row(struct relation *table, struct err *err)
{
	const struct schema *schema = &table->schema;
	bool whole = table->row.present == schema->column_count;

	if (table->row.present == schema->key_count)
		return whole && !table->exact ? relation_make_insert(table, err) : 0;
	return relation_make_update(table, whole && !table->exact, err);
}

int relation_update(struct relation *table, struct span row, struct err *err)
{
	if (table->schema.match == SCHEMA_NONE)
		return not_placeable(table, "update", err);
	int rc = begin(table, "update", NULL, &row, err);
	/* Without a key, the whole row is it: it has not changed. */
	return rc < 0 || table->schema.match == SCHEMA_ROW ? rc : update_row(table, err);
}

/* Of a row with a key: whether it stays where it is. */
static bool same_key(const struct relation *table)
{
	const struct schema *schema = &table->schema;

	for (unsigned i = 0; i < schema->key_count; i++) {
		if (!value_same(&table->old.values[schema->key[i]], &table->row.values[schema->key[i]]))
			return false;
	}
	return true;
}

int relation_replace(struct relation *table, struct span old, struct span row, struct err *err)
{
	if (table->schema.match == SCHEMA_NONE)
		return not_placeable(table, "update", err);
	int rc = begin(table, "replace", &old, &row, err);
	if (rc < 0 || table->row.present == 0)
		return rc;
	if (table->schema.match == SCHEMA_KEY && same_key(table))
		return update_row(table, err);
	int changed = run(table, STATEMENT_MOVE, &table->row, &table->old, err);
	if (changed != 0)
		return changed < 0 ? changed : 0;
	bool whole = table->row.present == table->schema.column_count;
	return whole && !table->exact ? relation_make_insert(table, err)
	                              : relation_missing(table, "update", &table->old, err);
}

int relation_delete(struct relation *table, struct span old, struct err *err)
{
	if (table->schema.match == SCHEMA_NONE)
		return not_placeable(table, "delete", err);
	struct relation_row *row;
	int rc = relation_read(table, RELATION_DELETE, old, &row, err);
	return rc < 0 ? rc : relation_make_delete(table, table->exact, err);
}

int relation_truncate(struct relation *table, struct err *err)
{
	char *sql = sqlite3_mprintf("DELETE FROM \"%w\"", table->schema.name);

	if (!sql)
		return err_set(err, -ENOMEM, "out of memory for a statement");
	int rc = sql_run(table->sqlite, sql, err);
	sqlite3_free(sql);
	if (rc == 0)
		table->emptied = table->partial = false;
	return rc;
}

int relation_mark(struct relation *table, struct position position, struct err *err)
{
	if (*table->schema.inexact_since)
		return 0;
	position_print(table->schema.inexact_since, position);
	table->exact = false;
	int rc = schema_save_mark(table->sqlite, &table->schema, err);
	return rc < 0 ? rc : 1;
}

int relation_unmark(struct relation *table, bool exact, struct err *err)
{
	table->exact = exact;
	if (!*table->schema.inexact_since)
		return 0;
	*table->schema.inexact_since = 0;
	return schema_save_mark(table->sqlite, &table->schema, err);
}
