#include "import.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dbfile.h"
#include "name.h"
#include "pg.h"
#include "progress.h"
#include "result.h"
#include "rows.h"
#include "sql.h"
#include "stop.h"

#define BUSY_MS 60000

struct import {
	const struct import_options *options;
	PGconn *conn;
	sqlite3 *sqlite;
	struct result result;
	unsigned *key; /* places in result.columns */
	unsigned key_count;
	sqlite3_stmt *insert;
	struct progress *progress;
};

/* ---- the key */

static int add_key(struct import *import, const char *name, struct err *err)
{
	for (unsigned i = 0; i < import->result.count; i++) {
		if (sqlite3_stricmp(name, import->result.columns[i].name) != 0)
			continue;
		for (unsigned j = 0; j < import->key_count; j++)
			if (import->key[j] == i)
				return err_set(err, -EINVAL, "--key names column \"%s\" twice", name);
		import->key[import->key_count++] = i;
		return 0;
	}
	return err_set(err, -EINVAL, "the key's column \"%s\" is not in the query's result", name);
}

static int read_key(struct import *import, struct err *err)
{
	char name[NAME_RAW_MAX];
	int rc = 0;

	for (const char *at = import->options->key; rc == 0 && at;) {
		size_t len = strcspn(at, ",");
		if (name_decode(name, at, len) < 0)
			return err_set(err, -EINVAL,
			               "--key %s: give columns joined by commas, with %%XX for each of %% / . , "
			               "in a name",
			               import->options->key);
		rc = add_key(import, name, err);
		at = at[len] ? at + len + 1 : NULL;
	}
	return rc;
}

/* ---- the table */

/* Runs a question of one parameter, the table's name; the first column of its first row: 1 and the number, 0: no row.
 */
static int ask(struct import *import, const char *sql, sqlite3_int64 *number, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(import->sqlite, sql, -1, &stmt, NULL);

	if (rc == SQLITE_OK) {
		sqlite3_bind_text(stmt, 1, import->options->table, -1, SQLITE_STATIC);
		rc = sqlite3_step(stmt);
	}
	if (rc == SQLITE_ROW)
		*number = sqlite3_column_int64(stmt, 0);
	int code = rc == SQLITE_ROW    ? 1
	           : rc == SQLITE_DONE ? 0
	                               : sql_error(import->sqlite, "cannot read the database", err);
	sqlite3_finalize(stmt);
	return code;
}

/* 1: the table is there, and anybody's; 0: it is not there. */
static int look_at_table(struct import *import, struct err *err)
{
	const char *table = import->options->table;
	sqlite3_int64 number = 0;
	int rc = ask(import, "SELECT type = 'table' FROM sqlite_master WHERE name = ?1 COLLATE NOCASE", &number, err);
	int there = rc;

	if (sqlite3_strnicmp(table, "sqlite_", 7) == 0 || sqlite3_strnicmp(table, "_daystream", 10) == 0 || !*table)
		return err_set(err, -EINVAL, "table \"%s\": that name is reserved, or none", table);
	if (rc == 1 && !number)
		return err_set(err, -EEXIST, "\"%s\" is no table", table);
	if (rc == 1)
		rc = ask(import, "SELECT 1 FROM sqlite_master WHERE name = '_daystream_tables' AND ?1 IS NOT NULL",
		         &number, err);
	if (rc == 1)
		rc = ask(import, "SELECT 1 FROM _daystream_tables WHERE name = ?1 COLLATE NOCASE", &number, err);
	if (rc == 1)
		return err_set(err, -EEXIST, "table \"%s\" belongs to the mirror: give another name", table);
	return rc < 0 ? rc : there;
}

static int create_table(struct import *import, struct err *err)
{
	sqlite3_str *sql = sqlite3_str_new(import->sqlite);
	const struct result *result = &import->result;
	bool rowid = import->key_count == 1 && result->columns[import->key[0]].storage == STORAGE_INTEGER;

	sqlite3_str_appendf(sql, "CREATE TABLE \"%w\" (", import->options->table);
	for (unsigned i = 0; i < result->count; i++) {
		const char *type = value_declaration(result->columns[i].storage);
		bool in_key = false;
		for (unsigned j = 0; j < import->key_count; j++)
			in_key = in_key || import->key[j] == i;
		sqlite3_str_appendf(sql, "%s\"%w\"%s%s%s", i ? ", " : "", result->columns[i].name, *type ? " " : "",
		                    type,
		                    !in_key ? ""
		                    : rowid ? " PRIMARY KEY"
		                            : " NOT NULL");
	}
	for (unsigned j = 0; j < import->key_count && !rowid; j++)
		sqlite3_str_appendf(sql, "%s\"%w\"%s", j ? ", " : ", PRIMARY KEY (",
		                    result->columns[import->key[j]].name, j + 1 < import->key_count ? "" : ")");
	sqlite3_str_appendall(sql, ")");
	char *text = sqlite3_str_finish(sql);
	int rc = text ? sql_run(import->sqlite, text, err) : err_set(err, -ENOMEM, "out of memory");
	sqlite3_free(text);
	return rc;
}

/* The table's own primary key becomes ours; each column of the query has to be there. */
static int fit_table(struct import *import, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	unsigned found = 0;
	int rc = sqlite3_prepare_v2(import->sqlite, "SELECT name, pk FROM temp.pragma_table_info(?1) ORDER BY pk", -1,
	                            &stmt, NULL);
	bool own_key = import->options->replace && !import->options->key;
	bool *there = calloc(import->result.count, sizeof *there);

	if (rc == SQLITE_OK)
		rc = sqlite3_bind_text(stmt, 1, import->options->table, -1, SQLITE_STATIC);
	int code = there ? 0 : err_set(err, -ENOMEM, "out of memory");
	while (rc == SQLITE_OK && code == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		const char *name = (const char *)sqlite3_column_text(stmt, 0);
		for (unsigned i = 0; i < import->result.count; i++)
			if (name && sqlite3_stricmp(name, import->result.columns[i].name) == 0) {
				there[i] = true;
				found++;
			}
		if (own_key && name && sqlite3_column_int(stmt, 1) > 0)
			code = add_key(import, name, err);
		rc = SQLITE_OK;
	}
	if (code == 0 && rc != SQLITE_DONE)
		code = sql_error(import->sqlite, "cannot read the table's columns", err);
	for (unsigned i = 0; code == 0 && found < import->result.count && i < import->result.count; i++)
		if (!there[i])
			code = err_set(err, -EINVAL, "table \"%s\" has no column \"%s\"", import->options->table,
			               import->result.columns[i].name);
	sqlite3_finalize(stmt);
	free(there);
	return code;
}

static int prepare_insert(struct import *import, struct err *err)
{
	sqlite3_str *sql = sqlite3_str_new(import->sqlite);
	const struct result *result = &import->result;
	unsigned set = 0;

	sqlite3_str_appendf(sql, "INSERT INTO \"%w\"", import->options->table);
	for (unsigned i = 0; i < result->count; i++)
		sqlite3_str_appendf(sql, "%s\"%w\"", i ? ", " : " (", result->columns[i].name);
	for (unsigned i = 0; i < result->count; i++)
		sqlite3_str_appendf(sql, "%s?%u", i ? ", " : ") VALUES (", i + 1);
	sqlite3_str_appendall(sql, ")");
	for (unsigned j = 0; import->options->replace && j < import->key_count; j++)
		sqlite3_str_appendf(sql, "%s\"%w\"%s", j ? ", " : " ON CONFLICT (",
		                    result->columns[import->key[j]].name, j + 1 < import->key_count ? "" : ") DO ");
	if (import->options->replace && import->key_count > 0) {
		for (unsigned i = 0; i < result->count; i++)
			sqlite3_str_appendf(sql, "%s\"%w\" = ?%u", set++ ? ", " : "UPDATE SET ",
			                    result->columns[i].name, i + 1);
	}
	char *text = sqlite3_str_finish(sql);
	int rc = text ? sqlite3_prepare_v2(import->sqlite, text, -1, &import->insert, NULL) : SQLITE_NOMEM;
	sqlite3_free(text);
	if (rc == SQLITE_OK)
		return 0;
	if (rc == SQLITE_ERROR && import->options->key)
		return err_set(err, -EINVAL, "table \"%s\" has no primary key or unique index of the columns %s: %s",
		               import->options->table, import->options->key, sqlite3_errmsg(import->sqlite));
	return sql_error(import->sqlite, "cannot write into the table", err);
}

static int prepare_table(struct import *import, struct err *err)
{
	int there = look_at_table(import, err);

	if (there < 0)
		return there;
	int rc = there ? fit_table(import, err) : create_table(import, err);
	if (rc == 0 && there && import->options->replace && import->key_count == 0) {
		char *sql = sqlite3_mprintf("DELETE FROM \"%w\"", import->options->table);
		rc = sql ? sql_run(import->sqlite, sql, err) : err_set(err, -ENOMEM, "out of memory");
		sqlite3_free(sql);
	}
	return rc < 0 ? rc : prepare_insert(import, err);
}

/* ---- the rows */

static int insert_row(struct import *import, struct span row, struct span *values, struct value_room *room,
                      struct err *err)
{
	const struct result *result = &import->result;
	int rc = value_room_reset(room, row.len, err);

	if (rc == 0 && !rows_split(row, values, result->count))
		rc = err_set(err, -EPROTO, "the server's row has another number of columns");
	for (unsigned i = 0; rc == 0 && i < result->count; i++) {
		rc = value_bind(import->insert, (int)i + 1, result->columns[i].storage, values[i], room, err);
		if (rc < 0)
			err_prefix(err, rc, "column \"%s\"", result->columns[i].name);
	}
	/* SQLite would take a number of its own, or hold the row for a new one every time. */
	for (unsigned j = 0; rc == 0 && j < import->key_count; j++)
		if (line_is_null(values[import->key[j]]))
			rc = err_set(err, -EINVAL, "a row has NULL in column \"%s\" of the key",
			             result->columns[import->key[j]].name);
	if (rc < 0)
		return rc;
	sqlite3_step(import->insert);
	rc = sqlite3_reset(import->insert);
	if (rc == SQLITE_OK)
		return 0;
	int code = sql_error(import->sqlite, "cannot insert a row", err);
	if ((rc & 0xff) == SQLITE_CONSTRAINT && !import->options->replace)
		return err_set(err, -EEXIST, "a row does not fit: %s; --replace replaces rows of the same key",
		               sqlite3_errmsg(import->sqlite));
	return code;
}

static int copy_rows(struct import *import, struct err *err)
{
	struct span row, *values = calloc(import->result.count, sizeof *values);
	struct value_room room = {0};
	struct rows rows = {.wakefd = -1};
	char *sql = result_sql(&import->result);
	int rc = values && sql ? rows_open(&rows, import->conn, sql, stop_fd(), err)
	                       : err_set(err, -ENOMEM, "out of memory");

	if (rc == -EPROTO)
		err_prefix(err, rc, "the query, which is to be one SELECT");
	while (rc == 0 && (rc = rows_next(&rows, &row, err)) > 0) {
		rc = insert_row(import, row, values, &room, err);
		progress_add(import->progress, 1, row.len + 1);
	}
	rows_close(&rows);
	value_room_fini(&room);
	sqlite3_free(sql);
	free(values);
	return rc;
}

/* ---- all together */

static int connect_server(struct import *import, struct err *err)
{
	PGresult *answer = NULL;
	int rc = pg_connect(&import->conn, import->options->conninfo, false, stop_fd(), err);

	if (rc == 0)
		rc = pg_exec(import->conn, "SET quote_all_identifiers = off; BEGIN READ ONLY", stop_fd(), 0, &answer,
		             NULL, err);
	PQclear(answer);
	if (rc < 0)
		return err_prefix(err, rc, "the server");
	rc = result_describe(&import->result, import->conn, import->options->query, import->options->numeric, stop_fd(),
	                     err);
	if (rc < 0)
		return rc;
	/* A table's own key may have each of the columns. */
	import->key = calloc(import->result.count, sizeof *import->key);
	return import->key ? read_key(import, err) : err_set(err, -ENOMEM, "out of memory");
}

static int fill(struct import *import, struct err *err)
{
	const char *path = import->options->path;
	struct stat st;
	int rc = dbfile_stat(path, &st, err);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (sqlite3_open_v2(path, &import->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) != SQLITE_OK)
		return err_set(err, import->sqlite ? -EIO : -ENOMEM, "cannot open %s: %s", path,
		               sqlite3_errmsg(import->sqlite));
	sqlite3_busy_timeout(import->sqlite, BUSY_MS);
	sqlite3_db_config(import->sqlite, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(import->sqlite, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	rc = sql_run(import->sqlite, "PRAGMA cache_size = -65536; BEGIN IMMEDIATE", err);
	if (rc < 0)
		return err_prefix(err, rc, "%s", path);
	rc = prepare_table(import, err);
	if (rc == 0)
		rc = copy_rows(import, err);
	sqlite3_finalize(import->insert);
	if (rc == 0 && stop_asked())
		rc = err_set(err, -EINTR, "stopped");
	if (rc == 0)
		rc = sql_run(import->sqlite, "COMMIT", err);
	if (rc < 0 && !sqlite3_get_autocommit(import->sqlite))
		sqlite3_exec(import->sqlite, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

int import_run(const struct import_options *options, struct err *err)
{
	struct import import = {.options = options};
	bool there = access(options->path, F_OK) == 0;
	int rc = connect_server(&import, err);

	if (rc == 0) {
		import.progress = progress_open("importing", 0);
		rc = fill(&import, err);
		progress_close(import.progress, rc == 0);
	}
	sqlite3_close(import.sqlite);
	if (rc < 0 && import.sqlite && !there)
		unlink(options->path);
	PQfinish(import.conn);
	result_fini(&import.result);
	free(import.key);
	return rc;
}
