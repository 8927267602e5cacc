#include "alter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "reprint.h"
#include "sql.h"

#define TEMPORARY_TABLE "_daystream_new"

static int rename_table(sqlite3 *sqlite, const char *from, const char *to, addition_warn *warn, struct err *err)
{
	int rc = 0;

	if (strcmp(from, to) == 0)
		return 0;
	/* "T" to "t" is a clash for SQLite. */
	if (sqlite3_stricmp(from, to) == 0) {
		rc = additions_rename_table(sqlite, from, TEMPORARY_TABLE, warn, err);
		from = TEMPORARY_TABLE;
	}
	return rc < 0 ? rc : additions_rename_table(sqlite, from, to, warn, err);
}

/* Its own name, or, where `aside`, the one with its number. */
static int rename_schema(sqlite3 *sqlite, struct schema *schema, bool aside, addition_warn *warn, struct err *err)
{
	char *name;
	int rc = schema_pick_name(sqlite, schema, aside, &name, err);

	if (rc < 0)
		return rc;
	rc = rename_table(sqlite, schema->name, name, warn, err);
	free(schema->name);
	schema->name = name;
	return rc < 0 ? rc : schema_save(sqlite, schema, err);
}

int alter_displace(sqlite3 *sqlite, struct schema *schema, addition_warn *warn, struct err *err)
{
	schema->displaced = true;
	return rename_schema(sqlite, schema, true, warn, err);
}

int alter_exchange_names(sqlite3 *sqlite, struct schema *schema, struct schema *holder, addition_warn *warn,
                         struct err *err)
{
	int rc = rename_schema(sqlite, holder, true, warn, err);

	return rc < 0 ? rc : rename_schema(sqlite, schema, false, warn, err);
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

/* No column of the server has that name: it is longer than a name can be there. */
#define ASIDE "_daystream has this column out of the way while others get their names#%u"

/* Kept columns that change their name first get out of the way, for names may be exchanged; so do
 * dropped ones whose name another has now. `step` 0 moves them there, 1 brings the kept ones to theirs. */
static int rename_columns(sqlite3 *sqlite, const struct schema *old, const struct schema *new, int step,
                          struct err *err)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < old->column_count; i++) {
		const struct schema_column *from = &old->columns[i], *to = schema_find_number(new, from->number);
		if (to ? strcmp(from->name, to->name) == 0 : !schema_has_name(new, from->name))
			continue;
		if (step == 0)
			rc = sql_runf(sqlite, err, "ALTER TABLE \"%w\" RENAME COLUMN \"%w\" TO \"" ASIDE "\"",
			              new->name, from->name, from->number);
		else if (to)
			rc = sql_runf(sqlite, err, "ALTER TABLE \"%w\" RENAME COLUMN \"" ASIDE "\" TO \"%w\"",
			              new->name, from->number, to->name);
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
		rc = sql_error(sqlite, "cannot fill a new column", err);
	if (rc == 0)
		rc = value_room_reset(&room, 2 * len, err);
	if (rc == 0) {
		struct span value = {escaped, line_escape(escaped, missing, len)};
		rc = value_bind(stmt, 1, new->columns[i].storage, value, &room, err);
	}
	if (rc == 0 && sqlite3_step(stmt) != SQLITE_DONE)
		rc = sql_error(sqlite, "cannot fill a new column", err);
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
		if (schema_find_number(old, column->number))
			continue;
		rc = sql_runf(sqlite, err, "ALTER TABLE \"%w\" ADD COLUMN \"%w\" %s", new->name, column->name,
		              value_declaration(column->storage));
		if (rc == 0)
			rc = fill_missing(sqlite, new, i, err);
	}
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
	/* Without any it has one of ours. */
	if ((old->column_count == 0) != (new->column_count == 0))
		return true;
	for (unsigned i = 0; i < old->column_count; i++) {
		const struct schema_column *now = schema_find_number(new, old->columns[i].number);
		if (!now || strcmp(value_declaration(now->storage), value_declaration(old->columns[i].storage)) != 0)
			return true;
	}
	return false;
}

static const char *cast_name(enum storage storage)
{
	return storage == STORAGE_REAL ? "REAL" : value_declaration(storage);
}

/* Whether rows have a number beside the key, by which a person's own tables may know them, such as FTS5's. */
static bool has_rowid(sqlite3 *sqlite, const struct schema *schema)
{
	int own = 0;

	/* Of a column that somebody called so, it is no key. */
	return !schema->rowid_key &&
	       sqlite3_table_column_metadata(sqlite, "main", schema->name, "_rowid_", NULL, NULL, NULL, &own, NULL) ==
	           SQLITE_OK &&
	       own;
}

/* Into the new table. -EEXIST: the rows do not fit its key. */
static int copy_rows(sqlite3 *sqlite, const struct schema *old, const struct schema *new, addition_warn *warn,
                     struct err *err)
{
	sqlite3_str *foreign = sqlite3_str_new(sqlite), *names = sqlite3_str_new(sqlite),
	            *values = sqlite3_str_new(sqlite);
	int rc = addition_copy_columns(sqlite, old, new, TEMPORARY_TABLE, foreign, warn, err);

	for (unsigned i = 0; i < new->column_count; i++) {
		const struct schema_column *column = &new->columns[i],
		                           *before = schema_find_number(old, column->number);
		sqlite3_str_appendf(names, "%s\"%w\"", i ? ", " : "", column->name);
		if (before && before->storage != column->storage)
			sqlite3_str_appendf(values, "%sCAST(\"%w\" AS %s)", i ? ", " : "", column->name,
			                    cast_name(column->storage));
		else
			sqlite3_str_appendf(values, "%s\"%w\"", i ? ", " : "", column->name);
	}
	if (new->column_count == 0) {
		sqlite3_str_appendall(names, "_daystream_no_column");
		sqlite3_str_appendall(values, "NULL");
	}
	bool whole = sqlite3_str_errcode(foreign) == SQLITE_OK; /* or NULL, as where nothing is in it */
	char *foreign_text = sqlite3_str_finish(foreign), *names_text = sqlite3_str_finish(names),
	     *values_text = sqlite3_str_finish(values);
	if (rc == 0 && !(whole && names_text && values_text))
		rc = err_set(err, -ENOMEM, "out of memory for a statement");
	if (rc == 0) {
		const char *more = foreign_text ? foreign_text : "",
		           *number = has_rowid(sqlite, new) ? "_rowid_, " : "";
		rc = sql_runf(sqlite, err, "INSERT INTO " TEMPORARY_TABLE " (%s%s%s) SELECT %s%s%s FROM \"%w\"", number,
		              names_text, more, number, values_text, more, new->name);
	}
	sqlite3_free(foreign_text);
	sqlite3_free(names_text);
	sqlite3_free(values_text);
	return rc;
}

static int rebuild(sqlite3 *sqlite, const struct schema *old, const struct schema *new, bool *emptied,
                   addition_warn *warn, struct err *err)
{
	struct additions additions = {0};

	int rc = schema_create_as(sqlite, new, TEMPORARY_TABLE, err);
	if (rc == 0 && (rc = copy_rows(sqlite, old, new, warn, err)) == -EEXIST) {
		*emptied = true;
		rc = sql_runf(sqlite, err, "DELETE FROM " TEMPORARY_TABLE);
	}
	if (rc == 0)
		rc = additions_read(&additions, sqlite, new->name, err);
	if (rc == 0)
		rc = sql_runf(sqlite, err, "DROP TABLE \"%w\"", new->name);
	if (rc == 0) {
		/* Views and triggers elsewhere speak of the table by its name, which it has again. */
		sqlite3_db_config(sqlite, SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, 1, NULL);
		rc = sql_runf(sqlite, err, "ALTER TABLE " TEMPORARY_TABLE " RENAME TO \"%w\"", new->name);
		sqlite3_db_config(sqlite, SQLITE_DBCONFIG_LEGACY_ALTER_TABLE, 0, NULL);
	}
	if (rc == 0)
		rc = additions_restore(&additions, sqlite, new->name, warn, err);
	additions_fini(&additions);
	/* Triggers of other tables may speak of a column that is gone. */
	return rc < 0 ? rc : additions_check_triggers(sqlite, warn, err);
}

/* The name stays as long as the table's in PostgreSQL does. */
static int pick_name(sqlite3 *sqlite, const struct schema *old, struct schema *new, struct err *err)
{
	if (!old->displaced && strcmp(old->definition.schema, new->definition.schema) == 0 &&
	    strcmp(old->definition.table, new->definition.table) == 0) {
		new->name = strdup(old->name);
		return new->name ? 0 : err_set(err, -ENOMEM, "out of memory for a table's name");
	}

	struct schema wanted = *new;
	wanted.name = old->name; /* it may keep that, too */
	return schema_pick_name(sqlite, &wanted, false, &new->name, err);
}

/* --numeric=real keeps the key's numbers as text, all others as doubles, of which no text can be made. */
static int check_numbers(sqlite3 *sqlite, const struct schema *old, const struct schema *new, struct err *err)
{
	sqlite3_stmt *stmt = NULL;

	for (unsigned i = 0; i < new->column_count; i++) {
		const struct schema_column *now = &new->columns[i], *before = schema_find_number(old, now->number);
		if (!before || before->storage == now->storage || !value_is_numeric(new->definition.columns[i].base) ||
		    !value_is_numeric(old->definition.columns[before - old->columns].base))
			continue;
		char *sql = sqlite3_mprintf("SELECT 1 FROM \"%w\" LIMIT 1", old->name);
		int rc = sql ? sqlite3_prepare_v2(sqlite, sql, -1, &stmt, NULL) : SQLITE_NOMEM;
		sqlite3_free(sql);
		if (rc == SQLITE_OK)
			rc = sqlite3_step(stmt);
		sqlite3_finalize(stmt);
		if (rc == SQLITE_ROW)
			return err_set(
			    err, -EINVAL,
			    "the numeric column \"%s\" %s the key, and with --numeric=real its rows' values are "
			    "not there in that form; start again with --resync",
			    now->name, now->key ? "has become part of" : "has left");
		return rc == SQLITE_DONE ? 0 : sql_error(sqlite, "cannot look at the table", err);
	}
	return 0;
}

int alter_table(sqlite3 *sqlite, const struct schema *old, struct schema *new, struct alter_effect *effect,
                addition_warn *warn, struct err *err)
{
	*effect = (struct alter_effect){0};
	int rc = check_numbers(sqlite, old, new, err);
	if (rc == 0)
		rc = pick_name(sqlite, old, new, err);
	if (rc == 0)
		rc = rename_table(sqlite, old->name, new->name, warn, err);
	if (rc == 0)
		rc = addition_make_room(sqlite, old, new, warn, err);
	if (rc == 0)
		rc = rename_columns(sqlite, old, new, 0, err);
	if (rc == 0)
		rc = rename_columns(sqlite, old, new, 1, err);
	if (rc == 0)
		rc = add_columns(sqlite, old, new, err);
	if (rc == 0)
		rc = reprint_columns(sqlite, old, new, &effect->inexact, warn, err);
	if (rc == 0 && must_rebuild(old, new))
		rc = rebuild(sqlite, old, new, &effect->emptied, warn, err);
	return rc < 0 ? rc : schema_save(sqlite, new, err);
}

/* What of a table is there; in the mirror's own file, not in another that is attached. */
struct found {
	bool any, sound; /* sound: as it was made, but for columns that lack */
	bool *columns;   /* one for each of the schema's */
};

/* Text that compares otherwise than by its bytes makes one row of two. */
static bool has_bytes_order(sqlite3 *sqlite, const char *table, const char *column)
{
	const char *collation = NULL;

	sqlite3_table_column_metadata(sqlite, "main", table, column, NULL, &collation, NULL, NULL, NULL);
	return !collation || sqlite3_stricmp(collation, "BINARY") == 0;
}

static void find_column(sqlite3 *sqlite, const struct schema *schema, sqlite3_stmt *stmt, struct found *found)
{
	const char *name = (const char *)sqlite3_column_text(stmt, 0),
	           *type = (const char *)sqlite3_column_text(stmt, 1);
	unsigned i = 0, wanted = 0, place = (unsigned)sqlite3_column_int(stmt, 2);
	bool generated = sqlite3_column_int(stmt, 3) != 0;

	while (i < schema->column_count && name && sqlite3_stricmp(schema->columns[i].name, name) != 0)
		i++;
	found->any = true;
	if (i < schema->column_count) {
		found->sound &= has_bytes_order(sqlite, schema->name, name);
		found->columns[i] = true;
		wanted = schema->match == SCHEMA_KEY ? schema->columns[i].key : 0;
		if (generated || sqlite3_stricmp(type ? type : "", value_declaration(schema->columns[i].storage)) != 0)
			found->sound = false;
	}
	if (place != wanted)
		found->sound = false;
}

static int find_columns(sqlite3 *sqlite, const struct schema *schema, struct found *found, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(sqlite, "SELECT name, type, pk, hidden FROM temp.pragma_table_xinfo(?1, 'main')",
	                            -1, &stmt, NULL);

	if (rc == SQLITE_OK)
		sqlite3_bind_text(stmt, 1, schema->name, -1, SQLITE_STATIC);
	while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		find_column(sqlite, schema, stmt, found);
		rc = SQLITE_OK;
	}
	sqlite3_finalize(stmt);
	for (unsigned i = 0; i < schema->column_count; i++)
		if (!found->columns[i] && schema->match == SCHEMA_KEY && schema->columns[i].key)
			found->sound = false;
	return rc == SQLITE_DONE ? 0 : sql_error(sqlite, "cannot look at the table", err);
}

/* 1: one was added. */
static int add_lacking(sqlite3 *sqlite, const struct schema *schema, const bool *there, struct err *err)
{
	int added = 0;

	for (unsigned i = 0; i < schema->column_count; i++) {
		const struct schema_column *column = &schema->columns[i];
		if (there[i])
			continue;
		int rc = sql_runf(sqlite, err, "ALTER TABLE main.\"%w\" ADD COLUMN \"%w\" %s", schema->name,
		                  column->name, value_declaration(column->storage));
		if (rc < 0)
			return rc;
		added = 1;
	}
	return added;
}

int alter_mend(sqlite3 *sqlite, const struct schema *schema, addition_warn *warn, struct err *err)
{
	struct found found = {.sound = true, .columns = calloc(schema->column_count + 1, sizeof *found.columns)};
	bool emptied;
	int added = 0;
	int rc = found.columns ? find_columns(sqlite, schema, &found, err)
	                       : err_set(err, -ENOMEM, "out of memory for a table of %u columns", schema->column_count);

	if (rc == 0 && !found.any)
		rc = schema_create_as(sqlite, schema, schema->name, err);
	else if (rc == 0 && (rc = added = add_lacking(sqlite, schema, found.columns, err)) >= 0)
		rc = found.sound ? 0 : rebuild(sqlite, schema, schema, &emptied, warn, err);
	free(found.columns);
	return rc < 0 ? err_prefix(err, rc, "mending table \"%s\"", schema->name) : added || !found.any || !found.sound;
}
