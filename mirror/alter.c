#include "alter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "database.h"

#define TEMPORARY_TABLE "_daystream_new"

/* ALTER TABLE wants to understand every view and trigger of the file. A broken one that
 * somebody left there must not stop the mirror: then SQLite is told to leave it as it is. */
static int run_tolerant(sqlite3 *sqlite, const char *sql, struct err *err)
{
	int rc = database_run(sqlite, sql, err);

	if (rc == 0)
		return 0;
	sqlite3_db_config(sqlite, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 1, NULL);
	rc = database_run(sqlite, sql, err);
	sqlite3_db_config(sqlite, SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0, NULL);
	return rc;
}

/* Formats with sqlite3_mprintf (%w for names) and runs it. */
static int run(sqlite3 *sqlite, struct err *err, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	char *sql = sqlite3_vmprintf(fmt, args);
	va_end(args);
	if (!sql)
		return err_set(err, -ENOMEM, "out of memory for a statement");
	bool alter = strncmp(sql, "ALTER", 5) == 0;
	int rc = alter ? run_tolerant(sqlite, sql, err) : database_run(sqlite, sql, err);
	sqlite3_free(sql);
	return rc;
}

static int rename_table(sqlite3 *sqlite, const char *from, const char *to, struct err *err)
{
	int rc = 0;

	if (strcmp(from, to) == 0)
		return 0;
	/* "T" to "t" is a clash for SQLite. */
	if (sqlite3_stricmp(from, to) == 0) {
		rc = run(sqlite, err, "ALTER TABLE \"%w\" RENAME TO " TEMPORARY_TABLE, from);
		from = TEMPORARY_TABLE;
	}
	return rc < 0 ? rc : run(sqlite, err, "ALTER TABLE \"%w\" RENAME TO \"%w\"", from, to);
}

int alter_displace(sqlite3 *sqlite, struct schema *schema, struct err *err)
{
	char *name = schema_pick_name(sqlite, schema, true, err);

	if (!name)
		return -EIO;
	int rc = rename_table(sqlite, schema->name, name, err);
	free(schema->name);
	schema->name = name;
	schema->displaced = true;
	return rc < 0 ? rc : schema_save(sqlite, schema, err);
}

void alter_adopt(struct schema *old, const struct schema *new)
{
	/* Above what PostgreSQL gives to a column: its number is 16 bits. */
	unsigned away = 1u << 16;

	old->definition.relid = new->definition.relid;
	for (unsigned i = 0; i < old->column_count; i++) {
		struct schema_column *column = &old->columns[i];
		column->number = away + i;
		for (unsigned j = 0; j < new->column_count; j++)
			if (strcmp(column->name, new->columns[j].name) == 0)
				column->number = new->columns[j].number;
	}
}

static const struct schema_column *find_number(const struct schema *schema, unsigned number)
{
	for (unsigned i = 0; i < schema->column_count; i++)
		if (schema->columns[i].number == number)
			return &schema->columns[i];
	return NULL;
}

/* Kept columns that change their name, and dropped ones, first get out of the way: names may
 * be exchanged. `step` 0 moves them to "_daystream#<number>", 1 brings the kept ones to theirs. */
static int rename_columns(sqlite3 *sqlite, const struct schema *old, const struct schema *new, int step,
                          struct err *err)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < old->column_count; i++) {
		const struct schema_column *from = &old->columns[i], *to = find_number(new, from->number);
		if (to && strcmp(from->name, to->name) == 0)
			continue;
		if (step == 0)
			rc = run(sqlite, err, "ALTER TABLE \"%w\" RENAME COLUMN \"%w\" TO \"_daystream#%u\"", new->name,
			         from->name, from->number);
		else if (to)
			rc = run(sqlite, err, "ALTER TABLE \"%w\" RENAME COLUMN \"_daystream#%u\" TO \"%w\"", new->name,
			         from->number, to->name);
	}
	return rc;
}

/* Rows that are there already get the value that PostgreSQL shows for them. */
static int fill_missing(sqlite3 *sqlite, const struct schema *new, unsigned i, struct err *err)
{
	const char *missing = new->definition.columns[i].missing;
	struct value_room room = {0};
	sqlite3_stmt *stmt = NULL;

	if (!missing)
		return 0;
	/* value_bind reads what stands on a line. */
	size_t len = strlen(missing);
	char *escaped = malloc(2 * len + 1);
	char *sql = sqlite3_mprintf("UPDATE \"%w\" SET \"%w\" = ?1", new->name, new->columns[i].name);
	int rc = escaped && sql ? 0 : err_set(err, -ENOMEM, "out of memory for a default of %zu bytes", len);
	if (rc == 0 && sqlite3_prepare_v2(sqlite, sql, -1, &stmt, NULL) != SQLITE_OK)
		rc = database_error(sqlite, "cannot fill a new column", err);
	if (rc == 0)
		rc = value_room_reset(&room, 2 * len, err);
	if (rc == 0) {
		struct span value = {escaped, line_escape(escaped, missing, len)};
		rc = value_bind(stmt, 1, new->columns[i].storage, value, &room, err);
	}
	if (rc == 0 && sqlite3_step(stmt) != SQLITE_DONE)
		rc = database_error(sqlite, "cannot fill a new column", err);
	sqlite3_finalize(stmt);
	sqlite3_free(sql);
	free(escaped);
	value_room_fini(&room);
	return rc;
}

static int add_columns(sqlite3 *sqlite, const struct schema *old, const struct schema *new, struct err *err)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < new->column_count; i++) {
		const struct schema_column *column = &new->columns[i];
		if (find_number(old, column->number))
			continue;
		rc = run(sqlite, err, "ALTER TABLE \"%w\" ADD COLUMN \"%w\" %s", new->name, column->name,
		         value_declaration(column->storage));
		if (rc == 0)
			rc = fill_missing(sqlite, new, i, err);
	}
	return rc;
}

/* Values that PostgreSQL prints otherwise after a change of type which rewrites no row; the
 * base types begin and end with these. %s is the column. */
static const struct {
	const char *from, *from_end, *to, *to_end, *sql;
} reprinted[] = {
    {"timestamp", " without time zone", "timestamp", " with time zone",
     "CASE WHEN %s LIKE '%%infinity' THEN %s WHEN %s LIKE '%% BC' THEN replace(%s, ' BC', '+00 BC') ELSE %s || '+00' "
     "END"},
    {"timestamp", " with time zone", "timestamp", " without time zone", "replace(%s, '+00', '')"},
    {"cidr", "", "inet", "",
     "CASE WHEN %s LIKE '%%:%%/128' OR (%s NOT LIKE '%%:%%' AND %s LIKE '%%/32') "
     "THEN substr(%s, 1, instr(%s, '/') - 1) ELSE %s END"},
    {"integer", "", "oid", "", "%s & 4294967295"},
    {"oid", "", "integer", "", "CASE WHEN %s > 2147483647 THEN %s - 4294967296 ELSE %s END"},
};

static bool is_type(const char *base, const char *begin, const char *end)
{
	size_t len = strlen(base), begin_len = strlen(begin), end_len = strlen(end);

	if (len < begin_len + end_len || memcmp(base, begin, begin_len) != 0)
		return false;
	if (end_len == 0)
		return len == begin_len;
	/* Between the two stands nothing or a precision, "(3)". */
	return strcmp(base + len - end_len, end) == 0 && (len == begin_len + end_len || base[begin_len] == '(');
}

/* Appends `sql` with the column's quoted name in place of each %s, and %% as %. */
static void append_expression(sqlite3_str *out, const char *sql, const char *column)
{
	for (; *sql; sql++) {
		if (*sql != '%') {
			sqlite3_str_appendchar(out, 1, *sql);
			continue;
		}
		sql++;
		if (*sql == 's')
			sqlite3_str_appendf(out, "\"%w\"", column);
		else
			sqlite3_str_appendchar(out, 1, '%');
	}
}

static int reprint_column(sqlite3 *sqlite, const struct schema *old, const struct schema *new,
                          const struct schema_column *column, struct err *err)
{
	const struct schema_column *before = find_number(old, column->number);
	const char *to = new->definition.columns[column - new->columns].base;

	if (!before)
		return 0;
	const char *from = old->definition.columns[before - old->columns].base;
	for (size_t i = 0; i < sizeof reprinted / sizeof *reprinted; i++) {
		if (!is_type(from, reprinted[i].from, reprinted[i].from_end) ||
		    !is_type(to, reprinted[i].to, reprinted[i].to_end))
			continue;
		sqlite3_str *sql = sqlite3_str_new(sqlite);
		append_expression(sql, reprinted[i].sql, column->name);
		char *text = sqlite3_str_finish(sql);
		int rc = text ? run(sqlite, err, "UPDATE \"%w\" SET \"%w\" = %s WHERE \"%w\" IS NOT NULL", new->name,
		                    column->name, text, column->name)
		              : err_set(err, -ENOMEM, "out of memory for a statement");
		sqlite3_free(text);
		return rc;
	}
	return 0;
}

static int reprint_columns(sqlite3 *sqlite, const struct schema *old, const struct schema *new, struct err *err)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < new->column_count; i++)
		rc = reprint_column(sqlite, old, new, &new->columns[i], err);
	return rc;
}

static bool must_rebuild(const struct schema *old, const struct schema *new)
{
	if (old->match == SCHEMA_KEY || new->match == SCHEMA_KEY) {
		if (old->key_count != new->key_count || old->rowid_key != new->rowid_key)
			return true;
		for (unsigned i = 0; i < new->key_count; i++)
			if (old->columns[old->key[i]].number != new->columns[new->key[i]].number)
				return true;
	}
	for (unsigned i = 0; i < old->column_count; i++) {
		const struct schema_column *now = find_number(new, old->columns[i].number);
		if (!now || strcmp(value_declaration(now->storage), value_declaration(old->columns[i].storage)) != 0)
			return true;
	}
	return false;
}

static const char *cast_name(enum storage storage)
{
	return storage == STORAGE_REAL ? "REAL" : value_declaration(storage);
}

/* The columns of the table that new->name has now and no definition speaks of: people added them. */
static int add_foreign_columns(sqlite3 *sqlite, const struct schema *new, sqlite3_str *names, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = 0;

	if (sqlite3_prepare_v2(sqlite,
	                       "SELECT name, type, dflt_value FROM pragma_table_xinfo(?1) WHERE hidden = 0"
	                       " AND name NOT LIKE '\\_daystream%' ESCAPE '\\'",
	                       -1, &stmt, NULL) != SQLITE_OK)
		return database_error(sqlite, "cannot read a table's columns", err);
	sqlite3_bind_text(stmt, 1, new->name, -1, SQLITE_STATIC);
	while (rc == 0 && sqlite3_step(stmt) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);
		const char *fallback = (const char *)sqlite3_column_text(stmt, 2);
		bool known = false;
		for (unsigned i = 0; i < new->column_count; i++)
			known = known || sqlite3_stricmp(name, new->columns[i].name) == 0;
		if (known)
			continue;
		rc = run(sqlite, err, "ALTER TABLE " TEMPORARY_TABLE " ADD COLUMN \"%w\" %s%s%s%s", name,
		         (const char *)sqlite3_column_text(stmt, 1), fallback ? " DEFAULT (" : "",
		         fallback ? fallback : "", fallback ? ")" : "");
		sqlite3_str_appendf(names, ", \"%w\"", name);
	}
	sqlite3_finalize(stmt);
	return rc;
}

/* Into the new table. -EEXIST: the rows do not fit its key. */
static int copy_rows(sqlite3 *sqlite, const struct schema *old, const struct schema *new, struct err *err)
{
	sqlite3_str *foreign = sqlite3_str_new(sqlite), *names = sqlite3_str_new(sqlite),
	            *values = sqlite3_str_new(sqlite);
	int rc = add_foreign_columns(sqlite, new, foreign, err);

	for (unsigned i = 0; i < new->column_count; i++) {
		const struct schema_column *column = &new->columns[i], *before = find_number(old, column->number);
		sqlite3_str_appendf(names, "%s\"%w\"", i ? ", " : "", column->name);
		if (before && before->storage != column->storage)
			sqlite3_str_appendf(values, "%sCAST(\"%w\" AS %s)", i ? ", " : "", column->name,
			                    cast_name(column->storage));
		else
			sqlite3_str_appendf(values, "%s\"%w\"", i ? ", " : "", column->name);
	}
	char *foreign_text = sqlite3_str_finish(foreign), *names_text = sqlite3_str_finish(names),
	     *values_text = sqlite3_str_finish(values);
	if (rc == 0 && names_text && values_text) {
		const char *more = foreign_text ? foreign_text : "";
		rc = run(sqlite, err, "INSERT INTO " TEMPORARY_TABLE " (%s%s) SELECT %s%s FROM \"%w\"", names_text,
		         more, values_text, more, new->name);
		if (rc < 0 && sqlite3_errcode(sqlite) == SQLITE_CONSTRAINT)
			rc = -EEXIST;
	}
	sqlite3_free(foreign_text);
	sqlite3_free(names_text);
	sqlite3_free(values_text);
	return rc;
}

/* Indexes and triggers that stood on the table; what needs a dropped column fails and is gone. */
static void restore_objects(sqlite3 *sqlite, char **objects, int count)
{
	for (int i = 0; i < count; i++)
		sqlite3_exec(sqlite, objects[i + 1], NULL, NULL, NULL);
}

static int rebuild(sqlite3 *sqlite, const struct schema *old, const struct schema *new, bool *emptied, struct err *err)
{
	char **objects = NULL;
	int count = 0;

	int rc = schema_create_as(sqlite, new, TEMPORARY_TABLE, err);
	if (rc == 0 && (rc = copy_rows(sqlite, old, new, err)) == -EEXIST) {
		*emptied = true;
		rc = run(sqlite, err, "DELETE FROM " TEMPORARY_TABLE);
	}
	char *sql = sqlite3_mprintf("SELECT sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql NOT NULL"
	                            " AND tbl_name = %Q COLLATE NOCASE",
	                            new->name);
	if (rc == 0 && (!sql || sqlite3_get_table(sqlite, sql, &objects, &count, NULL, NULL) != SQLITE_OK))
		rc = database_error(sqlite, "cannot read a table's indexes", err);
	if (rc == 0)
		rc = run(sqlite, err, "DROP TABLE \"%w\"", new->name);
	if (rc == 0) {
		/* Views and triggers elsewhere speak of the table by its name, which it has again. */
		sqlite3_db_config(sqlite, SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, 1, NULL);
		rc = run(sqlite, err, "ALTER TABLE " TEMPORARY_TABLE " RENAME TO \"%w\"", new->name);
		sqlite3_db_config(sqlite, SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, 0, NULL);
	}
	if (rc == 0)
		restore_objects(sqlite, objects, count);
	sqlite3_free_table(objects);
	sqlite3_free(sql);
	return rc;
}

/* The name stays as long as the table's in PostgreSQL does. */
static char *pick_name(sqlite3 *sqlite, const struct schema *old, const struct schema *new, struct err *err)
{
	if (!old->displaced && strcmp(old->definition.schema, new->definition.schema) == 0 &&
	    strcmp(old->definition.table, new->definition.table) == 0)
		return strdup(old->name);

	struct schema wanted = *new;
	wanted.name = old->name; /* it may keep that, too */
	return schema_pick_name(sqlite, &wanted, false, err);
}

int alter_table(sqlite3 *sqlite, const struct schema *old, struct schema *new, bool *emptied, struct err *err)
{
	*emptied = false;
	if (!(new->name = pick_name(sqlite, old, new, err)))
		return -EIO;
	int rc = rename_table(sqlite, old->name, new->name, err);
	if (rc == 0)
		rc = rename_columns(sqlite, old, new, 0, err);
	if (rc == 0)
		rc = rename_columns(sqlite, old, new, 1, err);
	if (rc == 0)
		rc = add_columns(sqlite, old, new, err);
	if (rc == 0)
		rc = reprint_columns(sqlite, old, new, err);
	if (rc == 0 && must_rebuild(old, new))
		rc = rebuild(sqlite, old, new, emptied, err);
	return rc < 0 ? rc : schema_save(sqlite, new, err);
}
