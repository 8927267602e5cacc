#include "statement.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "sql.h"

/* Tables with more shapes of updates than this prepare some of them again. */
#define PARTIAL_MOST 64
/* SQLite refuses expressions that are nested 1000 deep; "a AND b AND c" is nested. */
#define AND_GROUP 64

struct statement_partial {
	sqlite3_stmt *stmt;
	UT_hash_handle hh;
	unsigned char shape[]; /* the kind, and a bit for each column that is there */
};

static void append_new(sqlite3_str *sql, const char *before, const struct schema *schema, unsigned i, bool many)
{
	const char *name = schema->columns[i].name;

	sqlite3_str_appendf(sql, "%s\"%w\" = ", before, name);
	if (many)
		sqlite3_str_appendf(sql, "excluded.\"%w\"", name);
	else
		sqlite3_str_appendf(sql, "?%u", i + 1);
}

/* Of many rows, those before one that is wrong need not be undone by it: they are written again. Without another name,
 * "excluded" would be a table that is called so, not the new row. */
static void append_insert(sqlite3_str *sql, const struct schema *schema, bool many)
{
	unsigned count = schema->column_count, set = 0;

	sqlite3_str_appendf(sql, "INSERT %sINTO \"%w\"%s", many ? "OR FAIL " : "", schema->name,
	                    many ? " AS _daystream_row" : "");
	if (count == 0) {
		sqlite3_str_appendall(sql, " DEFAULT VALUES");
		return;
	}
	for (unsigned i = 0; i < count; i++)
		sqlite3_str_appendf(sql, "%s\"%w\"", i ? ", " : " (", schema->columns[i].name);
	for (unsigned i = 0; i < count; i++)
		sqlite3_str_appendf(sql, "%s%s%u",
		                    i      ? ", "
		                    : many ? ") SELECT "
		                           : ") VALUES (",
		                    many ? "c" : "?", i + !many);
	sqlite3_str_appendall(sql, many ? " FROM _daystream_rows(?1) WHERE true" : ")");
	if (schema->match != SCHEMA_KEY)
		return;
	for (unsigned i = 0; i < schema->key_count; i++)
		sqlite3_str_appendf(sql, "%s\"%w\"", i ? ", " : " ON CONFLICT (", schema->columns[schema->key[i]].name);
	sqlite3_str_appendall(sql, ") DO ");
	for (unsigned i = 0; i < count; i++)
		if (!schema->columns[i].key)
			append_new(sql, set++ ? ", " : "UPDATE SET ", schema, i, many);
	if (set == 0)
		sqlite3_str_appendall(sql, "NOTHING");
}

static void append_key(sqlite3_str *sql, const struct schema *schema, unsigned first)
{
	for (unsigned i = 0; i < schema->key_count; i++)
		sqlite3_str_appendf(sql, "%s\"%w\" = ?%u", i ? " AND " : " WHERE ",
		                    schema->columns[schema->key[i]].name, first + schema->key[i]);
}

static void append_old_row(sqlite3_str *sql, const struct schema *schema)
{
	unsigned count = schema->column_count;

	if (schema->match == SCHEMA_KEY) {
		append_key(sql, schema, count + 1);
		return;
	}
	sqlite3_str_appendf(sql, " WHERE _rowid_ = (SELECT _rowid_ FROM \"%w\" WHERE (1", schema->name);
	for (unsigned i = 0; i < count; i++) {
		const char *name = schema->columns[i].name;
		unsigned parameter = count + 1 + i;
		sqlite3_str_appendf(sql, "%s AND \"%w\" IS ?%u", i % AND_GROUP ? "" : ") AND (1", name, parameter);
		if (schema->columns[i].storage == STORAGE_REAL)
			sqlite3_str_appendf(sql, " AND daystream_minus_zero(\"%w\") = daystream_minus_zero(?%u)", name,
			                    parameter);
	}
	sqlite3_str_appendall(sql, ") LIMIT 1)");
}

static void append_update(sqlite3_str *sql, const struct schema *schema, bool move, const struct value *values)
{
	unsigned set = 0;

	sqlite3_str_appendf(sql, "UPDATE \"%w\"", schema->name);
	for (unsigned i = 0; i < schema->column_count; i++)
		if (values[i].kind && (move || !schema->columns[i].key))
			sqlite3_str_appendf(sql, "%s\"%w\" = ?%u", set++ ? ", " : " SET ", schema->columns[i].name,
			                    i + 1);
	if (move)
		append_old_row(sql, schema);
	else
		append_key(sql, schema, 1);
}

static int prepare(struct statement_cache *cache, enum statement_kind kind, const struct value *values,
                   sqlite3_stmt **stmt, struct err *err)
{
	sqlite3_str *sql = sqlite3_str_new(cache->sqlite);

	if (kind == STATEMENT_INSERT || kind == STATEMENT_PUT) {
		append_insert(sql, cache->schema, kind == STATEMENT_PUT);
	} else if (kind == STATEMENT_LAST) {
		sqlite3_str_appendf(sql, "SELECT max(\"%w\") FROM \"%w\"",
		                    cache->schema->columns[cache->schema->key[0]].name, cache->schema->name);
	} else if (kind == STATEMENT_DELETE) {
		sqlite3_str_appendf(sql, "DELETE FROM \"%w\"", cache->schema->name);
		append_old_row(sql, cache->schema);
	} else {
		append_update(sql, cache->schema, kind == STATEMENT_MOVE, values);
	}
	char *text = sqlite3_str_finish(sql);
	if (!text)
		return err_set(err, -ENOMEM, "out of memory for a statement");
	int rc = sqlite3_prepare_v3(cache->sqlite, text, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL);
	sqlite3_free(text);
	if (rc == SQLITE_OK)
		return 0;
	return sql_error(cache->sqlite, "cannot prepare a statement", err);
}

static void clear_partial(struct statement_cache *cache)
{
	struct statement_partial *partial, *next;

	HASH_ITER(hh, cache->partial, partial, next)
	{
		HASH_DEL(cache->partial, partial);
		sqlite3_finalize(partial->stmt);
		free(partial);
	}
}

static int get_partial(struct statement_cache *cache, enum statement_kind kind, const struct value *values,
                       sqlite3_stmt **stmt, struct err *err)
{
	unsigned count = cache->schema->column_count;
	size_t shape_len = 2 + count / 8;
	struct statement_partial *partial = calloc(1, sizeof *partial + shape_len), *found;

	if (!partial)
		return err_set(err, -ENOMEM, "out of memory for a statement");
	partial->shape[0] = (unsigned char)kind;
	for (unsigned i = 0; i < count; i++)
		if (values[i].kind)
			partial->shape[1 + i / 8] |= (unsigned char)(1u << i % 8);
	HASH_FIND(hh, cache->partial, partial->shape, shape_len, found);
	if (found) {
		free(partial);
		*stmt = found->stmt;
		return 0;
	}
	if (HASH_COUNT(cache->partial) >= PARTIAL_MOST)
		clear_partial(cache);
	int rc = prepare(cache, kind, values, &partial->stmt, err);
	if (rc < 0) {
		free(partial);
		return rc;
	}
	HASH_ADD_KEYPTR(hh, cache->partial, partial->shape, shape_len, partial);
	*stmt = partial->stmt;
	return 0;
}

int statement_get(struct statement_cache *cache, enum statement_kind kind, const struct value *values, unsigned present,
                  sqlite3_stmt **stmt, struct err *err)
{
	bool whole = kind == STATEMENT_INSERT || kind == STATEMENT_PUT || kind == STATEMENT_LAST ||
	             kind == STATEMENT_DELETE || present == cache->schema->column_count;
	int rc = 0;

	if (!whole)
		return get_partial(cache, kind, values, stmt, err);
	if (!cache->whole[kind])
		rc = prepare(cache, kind, values, &cache->whole[kind], err);
	*stmt = cache->whole[kind];
	return rc;
}

void statement_clear(struct statement_cache *cache)
{
	for (int kind = 0; kind < STATEMENT_KINDS; kind++) {
		sqlite3_finalize(cache->whole[kind]);
		cache->whole[kind] = NULL;
	}
	clear_partial(cache);
}
