#include "keep.h"

#include <errno.h>
#include <stdio.h>

#include "sql.h"

#define NAME_MAX_LEN 40

static const char *kept_name(char *name, const struct schema *schema)
{
	snprintf(name, NAME_MAX_LEN, "_daystream_kept#%u", schema->definition.relid);
	return name;
}

static bool is_ours(const struct schema *schema, const char *name)
{
	return schema_has_name(schema, name) || sqlite3_strnicmp(name, "_daystream", 10) == 0;
}

typedef void add_column(sqlite3_str *sql, const char *name, bool has_default, int nth);

/* Calls `add` for each column that both tables have and no definition speaks of; the count. */
static int each_own(sqlite3 *sqlite, const struct schema *schema, const char *other, add_column *add, sqlite3_str *sql,
                    struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int count = 0;

	if (sqlite3_prepare_v2(sqlite,
	                       "SELECT name, dflt_value NOT NULL FROM temp.pragma_table_xinfo(?1) WHERE hidden = 0"
	                       " AND name IN (SELECT name FROM temp.pragma_table_xinfo(?2))",
	                       -1, &stmt, NULL) != SQLITE_OK)
		return sql_error(sqlite, "cannot read a table's columns", err);
	sqlite3_bind_text(stmt, 1, schema->name, -1, SQLITE_STATIC);
	sqlite3_bind_text(stmt, 2, other, -1, SQLITE_STATIC);
	while (sqlite3_step(stmt) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);
		if (name && !is_ours(schema, name))
			add(sql, name, sqlite3_column_int(stmt, 1) != 0, count++);
	}
	sqlite3_finalize(stmt);
	return count;
}

static void add_selected(sqlite3_str *sql, const char *name, bool has_default, int nth)
{
	(void)has_default, (void)nth;
	sqlite3_str_appendf(sql, ", \"%w\"", name);
}

/* A row that comes anew has the default by itself, which may be another value, NULL among them. */
static void add_condition(sqlite3_str *sql, const char *name, bool has_default, int nth)
{
	sqlite3_str_appendf(sql, has_default ? "%s1" : "%s\"%w\" IS NOT NULL", nth ? " OR " : " WHERE ", name);
}

static void add_set(sqlite3_str *sql, const char *name, bool has_default, int nth)
{
	(void)has_default;
	sqlite3_str_appendf(sql, "%s\"%w\" = _daystream_kept.\"%w\"", nth ? ", " : " SET ", name, name);
}

static int finish(sqlite3 *sqlite, sqlite3_str *sql, int count, struct err *err)
{
	char *text = sqlite3_str_finish(sql);
	int rc = count < 0 ? count : 0;

	if (rc == 0 && !text)
		rc = err_set(err, -ENOMEM, "out of memory for a statement");
	if (count > 0 && text)
		rc = sql_run(sqlite, text, err);
	sqlite3_free(text);
	return rc;
}

int keep_save(sqlite3 *sqlite, const struct schema *schema, struct err *err)
{
	char kept[NAME_MAX_LEN];

	if (schema->match != SCHEMA_KEY)
		return 0;
	sqlite3_str *sql = sqlite3_str_new(sqlite);
	sqlite3_str_appendf(sql, "CREATE TEMP TABLE \"%w\" AS SELECT ", kept_name(kept, schema));
	for (unsigned i = 0; i < schema->key_count; i++)
		sqlite3_str_appendf(sql, "%s\"%w\"", i ? ", " : "", schema->columns[schema->key[i]].name);
	int count = each_own(sqlite, schema, schema->name, add_selected, sql, err);
	sqlite3_str_appendf(sql, " FROM main.\"%w\"", schema->name);
	if (count > 0)
		count = each_own(sqlite, schema, schema->name, add_condition, sql, err);
	return finish(sqlite, sql, count, err);
}

/* Whether it was saved, with all columns of the key that the table has now. */
static int is_kept(sqlite3 *sqlite, const struct schema *schema, const char *kept, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int found = 0, rc = 0;

	for (unsigned i = 0; rc == 0 && i < schema->key_count; i++) {
		if (!stmt && sqlite3_prepare_v2(sqlite, "SELECT 1 FROM temp.pragma_table_info(?1) WHERE name = ?2", -1,
		                                &stmt, NULL) != SQLITE_OK)
			rc = sql_error(sqlite, "cannot read a table's columns", err);
		if (rc == 0) {
			sqlite3_reset(stmt);
			sqlite3_bind_text(stmt, 1, kept, -1, SQLITE_STATIC);
			sqlite3_bind_text(stmt, 2, schema->columns[schema->key[i]].name, -1, SQLITE_STATIC);
			found += sqlite3_step(stmt) == SQLITE_ROW;
		}
	}
	sqlite3_finalize(stmt);
	return rc < 0 ? rc : found > 0 && found == (int)schema->key_count;
}

int keep_restore(sqlite3 *sqlite, const struct schema *schema, struct err *err)
{
	char kept[NAME_MAX_LEN];
	int rc = is_kept(sqlite, schema, kept_name(kept, schema), err);

	if (rc == 1) {
		sqlite3_str *sql = sqlite3_str_new(sqlite);
		sqlite3_str_appendf(sql, "UPDATE main.\"%w\"", schema->name);
		int count = each_own(sqlite, schema, kept, add_set, sql, err);
		sqlite3_str_appendf(sql, " FROM temp.\"%w\" AS _daystream_kept", kept);
		for (unsigned i = 0; i < schema->key_count; i++) {
			const char *name = schema->columns[schema->key[i]].name;
			sqlite3_str_appendf(sql, "%s main.\"%w\".\"%w\" = _daystream_kept.\"%w\"",
			                    i ? " AND" : " WHERE", schema->name, name, name);
		}
		rc = finish(sqlite, sql, count, err);
	}
	return rc < 0 ? rc : sql_runf(sqlite, err, "DROP TABLE IF EXISTS temp.\"%w\"", kept);
}
