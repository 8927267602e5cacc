#include "addition.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "sql.h"

enum { KIND, NAME, SQL, CELLS };

static void say(addition_warn *warn, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	char *text = sqlite3_vmprintf(fmt, args);
	va_end(args);
	if (text && warn)
		warn(text);
	sqlite3_free(text);
}

/* ---- columns ------------------------------------------------------------ */

/* The columns of a table with `name`, `type`, `dflt_value`, `hidden` and `notnull`, without our own. */
static int read_columns(sqlite3 *sqlite, const char *table, sqlite3_stmt **stmt, struct err *err)
{
	if (sqlite3_prepare_v2(sqlite,
	                       "SELECT name, type, dflt_value, hidden, \"notnull\" FROM temp.pragma_table_xinfo(?1)"
	                       " WHERE name NOT LIKE '\\_daystream%' ESCAPE '\\'",
	                       -1, stmt, NULL) != SQLITE_OK)
		return sql_error(sqlite, "cannot read a table's columns", err);
	sqlite3_bind_text(*stmt, 1, table, -1, SQLITE_STATIC);
	return 0;
}

/* "<name>#own", which is nobody's yet: an older column of a person may be called so. NULL: out of memory. */
static char *own_name(char *const *names, int count, const struct schema *new, const char *name)
{
	char *own = sqlite3_mprintf("%s#own", name);

	for (int i = 1; own && i <= count; i++)
		if (sqlite3_stricmp(names[i], own) == 0 || schema_has_name(new, own)) {
			own = sqlite3_mprintf("%z#own", own);
			i = 0;
		}
	return own;
}

static int make_room(sqlite3 *sqlite, const char *table, const char *name, const char *own, addition_warn *warn,
                     struct err *err)
{
	int rc = own ? sql_runf(sqlite, err, "ALTER TABLE \"%w\" RENAME COLUMN \"%w\" TO \"%w\"", table, name, own)
	             : err_set(err, -ENOMEM, "out of memory for a column's name");

	if (rc == 0)
		say(warn,
		    "table \"%s\" has a column \"%s\" in PostgreSQL now; the one that was added here is called "
		    "\"%s\" from now on",
		    table, name, own);
	return rc;
}

int addition_make_room(sqlite3 *sqlite, const struct schema *old, const struct schema *new, addition_warn *warn,
                       struct err *err)
{
	char **cells = NULL;
	int count = 0, rc = 0;
	char *sql = sqlite3_mprintf("SELECT name FROM temp.pragma_table_xinfo(%Q)", new->name);

	if (!sql || sqlite3_get_table(sqlite, sql, &cells, &count, NULL, NULL) != SQLITE_OK)
		rc = sql_error(sqlite, "cannot read a table's columns", err);
	for (int i = 1; rc == 0 && i <= count; i++) {
		if (schema_has_name(old, cells[i]) || !schema_has_name(new, cells[i]))
			continue;
		char *own = own_name(cells, count, new, cells[i]);
		rc = make_room(sqlite, new->name, cells[i], own, warn, err);
		sqlite3_free(own);
	}
	sqlite3_free_table(cells);
	sqlite3_free(sql);
	return rc;
}

/* Of a column of the table that new->name has now: whether a definition speaks of it. */
static bool is_defined(const struct schema *old, const struct schema *new, const char *name)
{
	if (schema_has_name(new, name))
		return true;
	for (unsigned i = 0; i < old->column_count; i++)
		if (sqlite3_stricmp(old->columns[i].name, name) == 0 &&
		    !schema_find_number(new, old->columns[i].number))
			return true;
	return false;
}

/* As SQLite's tokenizer has it: whatever is not ASCII, too. */
static bool is_of_word(char letter)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_$0123456789";

	return letter & 0x80 || (letter && strchr(letters, letter));
}

/* A word or a name is text there, and a column within parentheses; all else may be an expression. */
static void append_default(sqlite3_str *sql, const char *fallback)
{
	const char *at = fallback;

	if (!fallback)
		return;
	while (is_of_word(*at))
		at++;
	bool bare = strchr("\"[`", *fallback) || !*at;
	sqlite3_str_appendf(sql, bare ? " DEFAULT %s" : " DEFAULT (%s)", fallback);
}

/* SQLite's own; another one is another program's, and its name here would be an error. */
static bool knows_collation(const char *collation)
{
	return collation && (sqlite3_stricmp(collation, "NOCASE") == 0 || sqlite3_stricmp(collation, "RTRIM") == 0);
}

/* The column at which `stmt` of read_columns stands. */
static int copy_column(sqlite3 *sqlite, const char *from, const char *to, sqlite3_stmt *stmt, struct err *err)
{
	const char *name = (const char *)sqlite3_column_text(stmt, 0), *collation = NULL;
	sqlite3_str *sql = sqlite3_str_new(sqlite);

	sqlite3_table_column_metadata(sqlite, "main", from, name, NULL, &collation, NULL, NULL, NULL);
	sqlite3_str_appendf(sql, "ALTER TABLE \"%w\" ADD COLUMN \"%w\" %s%s%s%s", to, name,
	                    (const char *)sqlite3_column_text(stmt, 1), knows_collation(collation) ? " COLLATE " : "",
	                    knows_collation(collation) ? collation : "",
	                    sqlite3_column_int(stmt, 4) ? " NOT NULL" : "");
	append_default(sql, (const char *)sqlite3_column_text(stmt, 2));
	char *text = sqlite3_str_finish(sql);
	int rc = text ? sql_run(sqlite, text, err) : err_set(err, -ENOMEM, "out of memory for a statement");
	sqlite3_free(text);
	return rc;
}

int addition_copy_columns(sqlite3 *sqlite, const struct schema *old, const struct schema *new, const char *table,
                          sqlite3_str *names, addition_warn *warn, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = read_columns(sqlite, new->name, &stmt, err);

	while (rc == 0 && sqlite3_step(stmt) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);
		if (is_defined(old, new, name))
			continue;
		if (sqlite3_column_int(stmt, 3) != 0) {
			say(warn,
			    "column \"%s\" of table \"%s\" is gone: it was generated, and the table had to be made "
			    "anew",
			    name, new->name);
			continue;
		}
		rc = copy_column(sqlite, new->name, table, stmt, err);
		sqlite3_str_appendf(names, ", \"%w\"", name);
	}
	sqlite3_finalize(stmt);
	return rc;
}

/* ---- triggers ----------------------------------------------------------- */

/* What we lack, and another program has by which people write to the table. */
static bool is_of_another_program(const char *why)
{
	static const char *const lacks[] = {"no such function", "no such collation sequence", "no such module"};

	for (size_t i = 0; i < sizeof lacks / sizeof *lacks; i++)
		if (strstr(why, lacks[i]))
			return true;
	return false;
}

/* 1: SQLite understands it, which is freed; 0: it does not, whatever there is of memory and disk. */
static int compiles(sqlite3 *sqlite, char *sql, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sql ? sqlite3_prepare_v2(sqlite, sql, -1, &stmt, NULL) : SQLITE_NOMEM;

	sqlite3_finalize(stmt);
	sqlite3_free(sql);
	if (rc == SQLITE_OK || rc == SQLITE_ERROR)
		return rc == SQLITE_OK || is_of_another_program(sqlite3_errmsg(sqlite));
	return rc == SQLITE_NOMEM ? err_set(err, -ENOMEM, "out of memory for a statement")
	                          : sql_error(sqlite, "cannot look at a table's triggers", err);
}

/* 1: rows of the table can be added, changed and deleted, for which SQLite compiles its triggers; 0: they cannot. */
static int triggers_work(sqlite3 *sqlite, const char *table, struct err *err)
{
	sqlite3_stmt *columns = NULL;
	sqlite3_str *set = sqlite3_str_new(sqlite);
	int rc = read_columns(sqlite, table, &columns, err);

	if (rc == 0)
		while (sqlite3_step(columns) == SQLITE_ROW)
			if (sqlite3_column_int(columns, 3) == 0)
				sqlite3_str_appendf(set, "%s\"%w\" = NULL", sqlite3_str_length(set) ? ", " : "",
				                    sqlite3_column_text(columns, 0));
	sqlite3_finalize(columns);
	bool any = sqlite3_str_length(set) > 0;
	char *set_text = sqlite3_str_finish(set);
	rc = rc < 0 ? rc : compiles(sqlite, sqlite3_mprintf("DELETE FROM \"%w\"", table), err);
	if (rc == 1)
		rc = compiles(sqlite, sqlite3_mprintf("INSERT INTO \"%w\" DEFAULT VALUES", table), err);
	if (rc == 1 && any)
		rc = compiles(sqlite, set_text ? sqlite3_mprintf("UPDATE \"%w\" SET %s", table, set_text) : NULL, err);
	sqlite3_free(set_text);
	return rc;
}

int additions_read(struct additions *additions, sqlite3 *sqlite, const char *table, struct err *err)
{
	*additions = (struct additions){0};
	/* Indexes first. */
	char *sql =
	    sqlite3_mprintf("SELECT type, name, sql FROM sqlite_master WHERE type IN ('index', 'trigger') AND sql "
	                    "NOT NULL AND tbl_name = %Q COLLATE NOCASE ORDER BY type, rowid",
	                    table);
	int rc = sql && sqlite3_get_table(sqlite, sql, &additions->cells, &additions->count, NULL, NULL) == SQLITE_OK
	             ? 0
	             : sql_error(sqlite, "cannot read a table's indexes", err);

	sqlite3_free(sql);
	return rc;
}

void additions_fini(struct additions *additions)
{
	sqlite3_free_table(additions->cells);
	*additions = (struct additions){0};
}

/* 1: it is there; 0: it needs what is gone, or the rows do not pass it. */
static int restore(sqlite3 *sqlite, char **cell, const char *table, struct err *err)
{
	int rc = sql_run(sqlite, cell[SQL], err);

	if (rc == 0 && (strcmp(cell[KIND], "trigger") != 0 || (rc = triggers_work(sqlite, table, err)) != 0))
		return rc < 0 ? rc : 1;
	return rc == -ENOTSUP || rc == -EEXIST ? 0 : rc;
}

int additions_restore(struct additions *additions, sqlite3 *sqlite, const char *table, addition_warn *warn,
                      struct err *err)
{
	int rc = 0;

	for (int i = 1; rc >= 0 && i <= additions->count; i++) {
		char **cell = &additions->cells[i * CELLS];
		if ((rc = restore(sqlite, cell, table, err)) != 0)
			continue;
		say(warn, "%s \"%s\" of table \"%s\" is gone: %s", cell[KIND], cell[NAME], table,
		    sqlite3_errmsg(sqlite));
		if (strcmp(cell[KIND], "trigger") == 0)
			rc = sql_runf(sqlite, err, "DROP TRIGGER IF EXISTS \"%w\"", cell[NAME]);
	}
	return rc < 0 ? rc : 0;
}

/* One by one, since each may have failed for another's sake. */
static int check_table(sqlite3 *sqlite, const char *table, addition_warn *warn, struct err *err)
{
	struct additions additions, triggers = {0};
	int first = 1, rc = triggers_work(sqlite, table, err);

	if (rc != 0)
		return rc < 0 ? rc : 0;
	rc = additions_read(&additions, sqlite, table, err);
	/* Indexes stand before them, and stay. */
	while (first <= additions.count && strcmp(additions.cells[first * CELLS + KIND], "trigger") != 0)
		first++;
	for (int i = first; rc == 0 && i <= additions.count; i++)
		rc = sql_runf(sqlite, err, "DROP TRIGGER \"%w\"", additions.cells[i * CELLS + NAME]);
	if (rc == 0) {
		triggers.cells = additions.cells + (first - 1) * CELLS;
		triggers.count = additions.count - (first - 1);
		rc = additions_restore(&triggers, sqlite, table, warn, err);
	}
	additions_fini(&additions);
	return rc;
}

int additions_check_triggers(sqlite3 *sqlite, addition_warn *warn, struct err *err)
{
	char **cells = NULL;
	int count = 0, rc = 0;

	if (sqlite3_get_table(sqlite,
	                      "SELECT DISTINCT t.name FROM sqlite_master g JOIN sqlite_master t ON t.name = g.tbl_name "
	                      "COLLATE NOCASE AND t.type = 'table' WHERE g.type = 'trigger'",
	                      &cells, &count, NULL, NULL) != SQLITE_OK)
		rc = sql_error(sqlite, "cannot read the triggers", err);
	for (int i = 1; rc == 0 && i <= count; i++)
		rc = check_table(sqlite, cells[i], warn, err);
	sqlite3_free_table(cells);
	return rc;
}

/* Takes those triggers of what was read away that SQLite has not given the new table's name. */
static int drop_left_behind(sqlite3 *sqlite, const struct additions *before, const bool *left, const char *table,
                            addition_warn *warn, struct err *err)
{
	int rc = 0;

	for (int i = 1; rc == 0 && i <= before->count; i++) {
		if (!left[i])
			continue;
		const char *name = before->cells[i * CELLS + NAME];
		rc = sql_runf(sqlite, err, "DROP TRIGGER \"%w\"", name);
		say(warn, "trigger \"%s\" of table \"%s\" is gone: it needs a column or a table that is gone", name,
		    table);
	}
	return rc;
}

/* 1: some are, which `left` tells; 0: none; or a negative errno. */
static int find_left_behind(sqlite3 *sqlite, const struct additions *before, bool *left, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int found = 0;

	if (sqlite3_prepare_v2(sqlite, "SELECT 1 FROM sqlite_master WHERE type = 'trigger' AND name = ?1 AND sql = ?2",
	                       -1, &stmt, NULL) != SQLITE_OK)
		return sql_error(sqlite, "cannot read the triggers", err);
	for (int i = 1; i <= before->count; i++) {
		sqlite3_bind_text(stmt, 1, before->cells[i * CELLS + NAME], -1, SQLITE_STATIC);
		sqlite3_bind_text(stmt, 2, before->cells[i * CELLS + SQL], -1, SQLITE_STATIC);
		left[i] = sqlite3_step(stmt) == SQLITE_ROW;
		found |= left[i];
		sqlite3_reset(stmt);
	}
	sqlite3_finalize(stmt);
	return found;
}

static int rename_with(sqlite3 *sqlite, const struct additions *before, bool *left, const char *from, const char *to,
                       addition_warn *warn, struct err *err)
{
	int rc = sql_run(sqlite, "SAVEPOINT renamed", err);

	if (rc == 0)
		rc = sql_runf(sqlite, err, "ALTER TABLE \"%w\" RENAME TO \"%w\"", from, to);
	if (rc == 0)
		rc = find_left_behind(sqlite, before, left, err);
	if (rc == 1) {
		rc = sql_run(sqlite, "ROLLBACK TO renamed", err);
		if (rc == 0)
			rc = drop_left_behind(sqlite, before, left, from, warn, err);
		if (rc == 0)
			rc = sql_runf(sqlite, err, "ALTER TABLE \"%w\" RENAME TO \"%w\"", from, to);
	}
	return rc < 0 ? rc : sql_run(sqlite, "RELEASE renamed", err);
}

int additions_rename_table(sqlite3 *sqlite, const char *from, const char *to, addition_warn *warn, struct err *err)
{
	struct additions before;
	int rc = additions_read(&before, sqlite, from, err);
	bool *left = rc == 0 ? calloc((size_t)before.count + 1, sizeof *left) : NULL;

	if (rc == 0)
		rc = left ? rename_with(sqlite, &before, left, from, to, warn, err)
		          : err_set(err, -ENOMEM, "out of memory for a table's triggers");
	free(left);
	additions_fini(&before);
	return rc;
}
