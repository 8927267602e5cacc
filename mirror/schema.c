#include "schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql.h"

bool schema_has_name(const struct schema *schema, const char *name)
{
	for (unsigned i = 0; i < schema->column_count; i++)
		if (sqlite3_stricmp(name, schema->columns[i].name) == 0)
			return true;
	return false;
}

/* "<name>#<number>"; frees `name`. */
static char *append_number(char *name, unsigned number)
{
	char *longer = NULL;

	if (!name || asprintf(&longer, "%s#%u", name, number) < 0)
		longer = NULL;
	free(name);
	return longer;
}

static bool fill_column(struct schema *schema, unsigned i)
{
	const struct column *from = &schema->definition.columns[i];
	struct schema_column *column = &schema->columns[i];
	size_t len = strlen(from->name);

	column->name = strdup(from->name);
	while (column->name && (sqlite3_stricmp(column->name, "_rowid_") == 0 || schema_has_name(schema, column->name)))
		column->name = append_number(column->name, from->number);
	column->wire = malloc(2 * len + 1);
	if (!column->name || !column->wire)
		return false;
	column->wire_len = line_escape(column->wire, from->name, len);
	column->wire[column->wire_len] = '\t';
	size_t begin = column->wire_len + 1 < sizeof column->begin ? column->wire_len + 1 : sizeof column->begin;
	memcpy(&column->begin, column->wire, begin);
	memset(&column->begin_mask, 0xff, begin);
	column->storage = value_storage(from->base, NUMERIC_TEXT);
	column->number = from->number;
	return true;
}

/* The columns that tell rows apart, in order; see the header. */
static bool fill_key(struct schema *schema)
{
	const struct definition *definition = &schema->definition;
	unsigned count = definition->column_count;

	schema->match = definition->identity == IDENTITY_NONE ? SCHEMA_NONE : SCHEMA_ROW;
	schema->key = calloc(count + 1, sizeof *schema->key);
	if (!schema->key)
		return false;
	if (definition->identity == IDENTITY_NONE)
		return true;
	bool full = definition->identity == IDENTITY_FULL;
	for (unsigned place = 1; place <= count; place++) {
		unsigned i = 0;
		while (i < count && (full ? definition->columns[i].pk : definition->columns[i].key) != place)
			i++;
		if (i == count)
			break;
		schema->key[schema->key_count++] = i;
		schema->columns[i].key = place;
	}
	if (schema->key_count > 0)
		schema->match = SCHEMA_KEY;
	schema->key_first = schema->match == SCHEMA_KEY && schema->key_count < count;
	for (unsigned i = 0; i < schema->key_count; i++)
		schema->key_first &= schema->key[i] == i;
	schema->rowid_key = schema->key_count == 1 && schema->columns[schema->key[0]].storage == STORAGE_INTEGER;
	return true;
}

/* As schema->text has it. */
static char *definition_text(const struct line_head *head)
{
	/* From _relid on to the end of the line. */
	const char *from = head->relid.at - strlen("_relid\t");
	const char *end = head->pairs.at ? head->pairs.at + head->pairs.len : head->action.at + head->action.len;
	size_t table_len = head->table_pairs.len, rest = (size_t)(end - from);
	char *text = malloc(table_len + 1 + rest + 1);

	if (!text)
		return NULL;
	memcpy(text, head->table_pairs.at, table_len);
	text[table_len] = '\t';
	memcpy(text + table_len + 1, from, rest);
	text[table_len + 1 + rest] = 0;
	return text;
}

/* Numbers of the key stay exact: two of them could be one double. */
static void round_numbers(struct schema *schema, enum numeric numeric)
{
	for (unsigned i = 0; i < schema->column_count; i++)
		if (!schema->columns[i].key)
			schema->columns[i].storage = value_storage(schema->definition.columns[i].base, numeric);
}

int schema_parse(struct schema *schema, const struct line_head *head, enum numeric numeric, struct err *err)
{
	*schema = (struct schema){0};
	int rc = definition_parse(&schema->definition, head, err);
	if (rc < 0)
		return rc;
	schema->text = definition_text(head);
	schema->table_pairs_len = head->table_pairs.len;
	schema->columns = calloc(schema->definition.column_count + 1, sizeof *schema->columns);
	bool good = schema->text && schema->columns;
	for (; good && schema->column_count < schema->definition.column_count; schema->column_count++)
		good = fill_column(schema, schema->column_count);
	if (!good || !fill_key(schema))
		return err_set(err, -ENOMEM, "out of memory for a table of %u columns",
		               schema->definition.column_count);
	round_numbers(schema, numeric);
	return 0;
}

void schema_fini(struct schema *schema)
{
	for (unsigned i = 0; schema->columns && i < schema->definition.column_count; i++) {
		free(schema->columns[i].name);
		free(schema->columns[i].wire);
		free(schema->columns[i].labels);
	}
	free(schema->columns);
	free(schema->key);
	free(schema->name);
	free(schema->text);
	definition_fini(&schema->definition);
	*schema = (struct schema){0};
}

const struct schema_column *schema_find_number(const struct schema *schema, unsigned number)
{
	for (unsigned i = 0; i < schema->column_count; i++)
		if (schema->columns[i].number == number)
			return &schema->columns[i];
	return NULL;
}

/* 1: SQLite has a table, index or view of that name; 0: none; else a negative errno. */
static int name_taken(sqlite3 *sqlite, const char *name, struct err *err)
{
	sqlite3_stmt *stmt;
	int rc =
	    sqlite3_prepare_v2(sqlite, "SELECT 1 FROM sqlite_master WHERE name = ?1 COLLATE NOCASE", -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	if (rc != SQLITE_ROW && rc != SQLITE_DONE)
		return sql_error(sqlite, "cannot look for a free table name", err);
	return rc == SQLITE_ROW;
}

static bool name_reserved(const char *name)
{
	return sqlite3_strnicmp(name, "sqlite_", 7) == 0 || sqlite3_strnicmp(name, "_daystream", 10) == 0;
}

static char *plain_name(const char *schema, const char *dot, const char *table)
{
	char *name = NULL;

	if (asprintf(&name, "_%s%s%s", schema, dot, table) < 0)
		return NULL;
	if (!name_reserved(name + 1))
		memmove(name, name + 1, strlen(name));
	return name;
}

char *schema_plain_name(const struct schema *schema)
{
	const struct definition *definition = &schema->definition;
	bool bare = strcmp(definition->schema, "public") == 0;

	return plain_name(bare ? "" : definition->schema, bare ? "" : ".", definition->table);
}

int schema_pick_name(sqlite3 *sqlite, const struct schema *schema, bool aside, char **picked, struct err *err)
{
	const struct definition *definition = &schema->definition;
	char *name = schema_plain_name(schema);
	int rc = 0;

	if (aside)
		name = append_number(name, definition->relid);
	while (name && !(schema->name && sqlite3_stricmp(name, schema->name) == 0) &&
	       (rc = name_taken(sqlite, name, err)) == 1)
		name = append_number(name, definition->relid);
	if (!name)
		rc = err_set(err, -ENOMEM, "out of memory for a table's name");
	if (rc < 0) {
		free(name);
		name = NULL;
	}
	*picked = name;
	return rc < 0 ? rc : 0; /* its own name is taken, by itself */
}

static void append_key(sqlite3_str *sql, const struct schema *schema)
{
	if (schema->match != SCHEMA_KEY || schema->rowid_key)
		return;
	sqlite3_str_appendall(sql, ", PRIMARY KEY (");
	for (unsigned i = 0; i < schema->key_count; i++)
		sqlite3_str_appendf(sql, "%s\"%w\"", i ? ", " : "", schema->columns[schema->key[i]].name);
	sqlite3_str_appendall(sql, ")");
}

int schema_create_as(sqlite3 *sqlite, const struct schema *schema, const char *name, struct err *err)
{
	sqlite3_str *sql = sqlite3_str_new(sqlite);

	sqlite3_str_appendf(sql, "CREATE TABLE \"%w\" (", name);
	for (unsigned i = 0; i < schema->column_count; i++) {
		const struct schema_column *column = &schema->columns[i];
		bool key = schema->match == SCHEMA_KEY && column->key;
		const char *type = value_declaration(column->storage);
		sqlite3_str_appendf(sql, "%s\"%w\"%s%s%s", i ? ", " : "", column->name, *type ? " " : "", type,
		                    !key                ? ""
		                    : schema->rowid_key ? " PRIMARY KEY"
		                                        : " NOT NULL");
	}
	/* PostgreSQL has tables without a column, SQLite has not. */
	if (schema->column_count == 0)
		sqlite3_str_appendall(sql, "_daystream_no_column");
	append_key(sql, schema);
	sqlite3_str_appendall(sql, ")");

	char *text = sqlite3_str_finish(sql);
	if (!text)
		return err_set(err, -ENOMEM, "out of memory for a table of %u columns", schema->column_count);
	int rc = sqlite3_exec(sqlite, text, NULL, NULL, NULL) == SQLITE_OK
	             ? 0
	             : sql_error(sqlite, "cannot create the table", err);
	sqlite3_free(text);
	return rc;
}

int schema_drop(sqlite3 *sqlite, const struct schema *schema, struct err *err)
{
	char *sql =
	    sqlite3_mprintf("DROP TABLE IF EXISTS main.\"%w\"; DELETE FROM _daystream_tables WHERE relid = %lld",
	                    schema->name, (long long)schema->definition.relid);

	if (!sql)
		return err_set(err, -ENOMEM, "out of memory for a statement");
	int rc = sql_run(sqlite, sql, err);
	sqlite3_free(sql);
	return rc < 0 ? err_prefix(err, rc, "cannot drop table \"%s\"", schema->name) : 0;
}

int schema_save(sqlite3 *sqlite, const struct schema *schema, struct err *err)
{
	sqlite3_stmt *stmt;

	if (sqlite3_prepare_v2(sqlite, "INSERT OR REPLACE INTO _daystream_tables VALUES (?1, ?2, ?3, ?4, ?5, ?6)", -1,
	                       &stmt, NULL) != SQLITE_OK)
		return sql_error(sqlite, "cannot write the definition (table _daystream_tables)", err);
	sqlite3_bind_int64(stmt, 1, schema->definition.relid);
	if (!schema->displaced) {
		sqlite3_bind_text(stmt, 2, schema->definition.schema, -1, SQLITE_STATIC);
		sqlite3_bind_text(stmt, 3, schema->definition.table, -1, SQLITE_STATIC);
	}
	sqlite3_bind_text(stmt, 4, schema->name, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 5, schema->text, -1, SQLITE_STATIC);
	if (*schema->inexact_since)
		sqlite3_bind_text(stmt, 6, schema->inexact_since, -1, SQLITE_STATIC);
	sqlite3_step(stmt);
	if (sqlite3_finalize(stmt) != SQLITE_OK)
		return sql_error(sqlite, "cannot write the definition (table _daystream_tables)", err);
	return 0;
}

int schema_save_mark(sqlite3 *sqlite, const struct schema *schema, struct err *err)
{
	char *sql = sqlite3_mprintf("UPDATE _daystream_tables SET inexact_since = nullif(%Q, '') WHERE relid = %lld",
	                            schema->inexact_since, (long long)schema->definition.relid);

	if (!sql)
		return err_set(err, -ENOMEM, "out of memory for a statement");
	int rc = sql_run(sqlite, sql, err);
	sqlite3_free(sql);
	return rc;
}

int schema_create(sqlite3 *sqlite, struct schema *schema, struct err *err)
{
	int rc = schema_pick_name(sqlite, schema, false, &schema->name, err);
	if (rc == 0)
		rc = schema_create_as(sqlite, schema, schema->name, err);
	return rc < 0 ? rc : schema_save(sqlite, schema, err);
}

static int load_row(sqlite3_stmt *stmt, struct schema *schema, enum numeric numeric, struct err *err)
{
	struct line_head head;
	const char *name = (const char *)sqlite3_column_text(stmt, 1);
	const char *text = (const char *)sqlite3_column_text(stmt, 2);
	size_t len = (size_t)sqlite3_column_bytes(stmt, 2);

	if (!name || !text || !line_parse(text, len, &head) || !head.table.at || !head.relid.at)
		return err_set(err, -EBADMSG, "_daystream_tables has a definition that is none");
	int rc = schema_parse(schema, &head, numeric, err);
	if (rc < 0)
		return rc;
	schema->displaced = sqlite3_column_type(stmt, 0) == SQLITE_NULL;
	const char *inexact = (const char *)sqlite3_column_text(stmt, 3);
	snprintf(schema->inexact_since, sizeof schema->inexact_since, "%s", inexact ? inexact : "");
	schema->name = strdup(name);
	return schema->name ? 1 : err_set(err, -ENOMEM, "out of memory for a table's name");
}

int schema_load_next(sqlite3 *sqlite, sqlite3_stmt **stmt, struct schema *schema, enum numeric numeric, struct err *err)
{
	*schema = (struct schema){0};
	if (!*stmt && sqlite3_prepare_v2(sqlite,
	                                 "SELECT \"table\", name, definition, inexact_since"
	                                 " FROM _daystream_tables",
	                                 -1, stmt, NULL) != SQLITE_OK)
		return sql_error(sqlite, "cannot read the definitions (table _daystream_tables)", err);
	int step = sqlite3_step(*stmt);
	int rc = step == SQLITE_ROW    ? load_row(*stmt, schema, numeric, err)
	         : step == SQLITE_DONE ? 0
	                               : sql_error(sqlite, "cannot read the definitions", err);
	if (rc <= 0) {
		sqlite3_finalize(*stmt);
		*stmt = NULL;
	}
	return rc;
}
