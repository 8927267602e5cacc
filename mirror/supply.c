#include "supply.h"

#include <stdlib.h>

#include "sql.h"

static const char pointer_type[] = "_daystream_rows";

struct cursor {
	sqlite3_vtab_cursor base;
	struct supply *supply;
	bool has;
	sqlite3_int64 number;
};

static int connect(sqlite3 *sqlite, void *ctx, int count, const char *const *words, sqlite3_vtab **vtab, char **error)
{
	(void)ctx, (void)count, (void)words, (void)error;
	sqlite3_str *sql = sqlite3_str_new(sqlite);

	sqlite3_str_appendall(sql, "CREATE TABLE x (");
	for (int i = 0; i < SUPPLY_COLUMNS; i++)
		sqlite3_str_appendf(sql, "c%d, ", i);
	sqlite3_str_appendall(sql, "rows HIDDEN)");
	char *text = sqlite3_str_finish(sql);
	int rc = text ? sqlite3_declare_vtab(sqlite, text) : SQLITE_NOMEM;
	sqlite3_free(text);
	if (rc == SQLITE_OK && !(*vtab = calloc(1, sizeof **vtab)))
		rc = SQLITE_NOMEM;
	return rc;
}

static int disconnect(sqlite3_vtab *vtab)
{
	free(vtab);
	return SQLITE_OK;
}

static int best_index(sqlite3_vtab *vtab, sqlite3_index_info *info)
{
	(void)vtab;
	for (int i = 0; i < info->nConstraint; i++) {
		if (info->aConstraint[i].iColumn != SUPPLY_COLUMNS || !info->aConstraint[i].usable ||
		    info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ)
			continue;
		info->aConstraintUsage[i].argvIndex = 1;
		info->aConstraintUsage[i].omit = 1;
		return SQLITE_OK;
	}
	return SQLITE_CONSTRAINT;
}

static int open_cursor(sqlite3_vtab *vtab, sqlite3_vtab_cursor **opened)
{
	struct cursor *cursor = calloc(1, sizeof *cursor);

	(void)vtab;
	*opened = (sqlite3_vtab_cursor *)cursor;
	return cursor ? SQLITE_OK : SQLITE_NOMEM;
}

static int close_cursor(sqlite3_vtab_cursor *base)
{
	free(base);
	return SQLITE_OK;
}

static int filter(sqlite3_vtab_cursor *base, int index, const char *name, int count, sqlite3_value **values)
{
	struct cursor *cursor = (struct cursor *)base;

	(void)index, (void)name;
	cursor->supply = count == 1 ? sqlite3_value_pointer(values[0], pointer_type) : NULL;
	cursor->has = cursor->supply;
	cursor->number = 1;
	return SQLITE_OK;
}

/* The row is written. */
static void passed(struct supply *supply)
{
	int64_t key = supply->key < 0 ? 0 : supply->values[supply->key].integer;

	if (supply->key < 0 || (supply->has_last && key <= supply->last))
		return;
	supply->has_last = true;
	supply->last = key;
}

static bool is_next(const struct supply *supply)
{
	return supply->has_last && supply->last < INT64_MAX && supply->values[supply->key].integer == supply->last + 1;
}

static int next(sqlite3_vtab_cursor *base)
{
	struct cursor *cursor = (struct cursor *)base;

	passed(cursor->supply);
	cursor->has = !cursor->supply->astray && cursor->supply->next(cursor->supply);
	cursor->number++;
	return SQLITE_OK;
}

static int eof(sqlite3_vtab_cursor *base)
{
	return !((struct cursor *)base)->has;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int i)
{
	const struct supply *supply = ((struct cursor *)base)->supply;

	/* NULL is what it is without a result. */
	if (i < SUPPLY_COLUMNS && !(i == supply->key && is_next(supply)))
		value_result(context, &supply->values[i]);
	return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *number)
{
	*number = ((struct cursor *)base)->number;
	return SQLITE_OK;
}

int supply_register(sqlite3 *sqlite, struct err *err)
{
	static const sqlite3_module module = {.xConnect = connect,
	                                      .xBestIndex = best_index,
	                                      .xDisconnect = disconnect,
	                                      .xOpen = open_cursor,
	                                      .xClose = close_cursor,
	                                      .xFilter = filter,
	                                      .xNext = next,
	                                      .xEof = eof,
	                                      .xColumn = column,
	                                      .xRowid = rowid};

	if (sqlite3_create_module(sqlite, pointer_type, &module, NULL) != SQLITE_OK)
		return sql_error(sqlite, "cannot add a table to SQLite", err);
	return 0;
}

static void written(void *ctx, int operation, const char *database, const char *table, sqlite3_int64 number)
{
	struct supply *supply = ctx;

	(void)database, (void)table;
	supply->added = operation == SQLITE_INSERT;
	supply->astray |= supply->key >= 0 && number != supply->values[supply->key].integer;
}

void supply_step(sqlite3_stmt *stmt, struct supply *supply)
{
	sqlite3 *sqlite = sqlite3_db_handle(stmt);

	sqlite3_update_hook(sqlite, written, supply);
	sqlite3_bind_pointer(stmt, 1, supply, pointer_type, NULL);
	sqlite3_step(stmt);
	sqlite3_update_hook(sqlite, NULL, NULL);
}
