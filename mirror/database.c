#include "database.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "dbfile.h"
#include "sql.h"
#include "supply.h"

static int create(struct database *database, const struct database_want *want, struct err *err)
{
	char *sql =
	    sqlite3_mprintf("BEGIN IMMEDIATE;"
	                    "CREATE TABLE _daystream (id INTEGER PRIMARY KEY CHECK (id = 1),"
	                    " epoch INTEGER, seq INTEGER, lsn TEXT, generation INTEGER, system TEXT,"
	                    " timeline INTEGER, database TEXT, slot TEXT, tables TEXT, format INTEGER,"
	                    " exact INTEGER, table_file TEXT, \"numeric\" TEXT, stream_tables TEXT);"
	                    "CREATE TABLE _daystream_tables (relid INTEGER PRIMARY KEY, schema TEXT,"
	                    " \"table\" TEXT, name TEXT NOT NULL, definition TEXT NOT NULL,"
	                    " inexact_since TEXT);"
	                    "INSERT INTO _daystream (id, tables, format, exact, table_file, \"numeric\")"
	                    " VALUES (1, %Q, %d, 0, %Q, %Q);"
	                    "COMMIT",
	                    want->tables, DATABASE_FORMAT, want->table_file, want->numeric ? want->numeric : "text");
	if (!sql)
		return err_set(err, -ENOMEM, "out of memory");
	int rc = sqlite3_exec(database->sqlite, sql, NULL, NULL, NULL);
	sqlite3_free(sql);
	return rc == SQLITE_OK ? 0 : sql_error(database->sqlite, database->path, err);
}

void database_stream_tables(struct database *database, char *tables)
{
	free(database->stream_tables);
	database->stream_tables = tables;
}

static void copy_text(char *out, size_t size, sqlite3_stmt *stmt, int column)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);

	snprintf(out, size, "%s", text ? text : "");
}

/* What an older program has made gets what is new; a newer one's has what this one cannot know. */
static int migrate(struct database *database, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int format = 0;

	if (sqlite3_prepare_v2(database->sqlite, "SELECT format FROM _daystream WHERE id = 1", -1, &stmt, NULL) ==
	        SQLITE_OK &&
	    sqlite3_step(stmt) == SQLITE_ROW)
		format = sqlite3_column_int(stmt, 0);
	sqlite3_finalize(stmt);
	if (format > DATABASE_FORMAT)
		return err_set(
		    err, -EINVAL,
		    "%s has format %d, which a newer deltamirror has made; this one knows format %d: use the "
		    "newer one",
		    database->path, format, DATABASE_FORMAT);
	if (format != 1)
		return 0;
	int rc = sql_run(database->sqlite,
	                 "BEGIN IMMEDIATE;"
	                 "ALTER TABLE _daystream ADD COLUMN exact INTEGER;"
	                 "ALTER TABLE _daystream ADD COLUMN table_file TEXT;"
	                 "ALTER TABLE _daystream ADD COLUMN \"numeric\" TEXT DEFAULT 'text';"
	                 "ALTER TABLE _daystream ADD COLUMN stream_tables TEXT;"
	                 "ALTER TABLE _daystream_tables ADD COLUMN inexact_since TEXT;"
	                 "UPDATE _daystream SET format = 2;"
	                 "COMMIT",
	                 err);
	return rc < 0 ? err_prefix(err, rc, "%s is of an older deltamirror", database->path) : 0;
}

static int check_tables(struct database *database, const char *tables, const char *stored, struct err *err)
{
	if (strcmp(tables ? tables : "", stored ? stored : "") == 0)
		return 0;
	return err_set(err, -EINVAL,
	               "%s was made with %s%s, which cannot change later: give the same, "
	               "or another database file",
	               database->path, stored ? "--tables " : "no --tables", stored ? stored : "");
}

static int check_file(struct database *database, const char *wanted, const char *stored, struct err *err)
{
	if (strcmp(wanted ? wanted : "", stored ? stored : "") == 0)
		return 0;
	if (!stored)
		return err_set(err, -EINVAL,
		               "%s is a mirror of a whole stream, not of one table's file: give the mount point, "
		               "or another database file",
		               database->path);
	return err_set(err, -EINVAL,
	               "%s is a mirror of the file of table %s alone: give that, or another database file",
	               database->path, stored);
}

static int check_numeric(struct database *database, const char *wanted, const char *stored, struct err *err)
{
	if (!stored || !value_parse_numeric(stored, &database->numeric))
		return err_set(err, -EINVAL, "%s keeps numeric as \"%s\", which this program does not know",
		               database->path, stored ? stored : "");
	if (!wanted || strcmp(wanted, stored) == 0)
		return 0;
	return err_set(err, -EINVAL,
	               "%s was made with --numeric=%s, which cannot change later: give the same, or another "
	               "database file",
	               database->path, stored);
}

/* Reads the row of _daystream; it is compared with `want` where that is given. */
static int read_state(struct database *database, const struct database_want *want, struct err *err)
{
	sqlite3_stmt *stmt;
	int rc = 0;

	if (sqlite3_prepare_v2(database->sqlite,
	                       "SELECT epoch, seq, lsn, generation, system, timeline, database, slot, tables, format,"
	                       " exact, table_file, \"numeric\", stream_tables FROM _daystream WHERE id = 1",
	                       -1, &stmt, NULL) != SQLITE_OK ||
	    sqlite3_step(stmt) != SQLITE_ROW) {
		rc = sql_error(database->sqlite, "cannot read the position (table _daystream)", err);
		sqlite3_finalize(stmt);
		return rc;
	}
	database->has_position = sqlite3_column_type(stmt, 0) != SQLITE_NULL;
	database->position.epoch = (uint64_t)sqlite3_column_int64(stmt, 0);
	database->position.seq = (uint64_t)sqlite3_column_int64(stmt, 1);
	copy_text(database->lsn, sizeof database->lsn, stmt, 2);
	database->has_origin = sqlite3_column_type(stmt, 3) != SQLITE_NULL;
	database->origin.generation = (uint64_t)sqlite3_column_int64(stmt, 3);
	const char *system = (const char *)sqlite3_column_text(stmt, 4);
	database->origin.system = system ? strtoull(system, NULL, 10) : 0; /* beyond SQLite's integers */
	database->origin.timeline = (uint32_t)sqlite3_column_int64(stmt, 5);
	copy_text(database->origin.database, sizeof database->origin.database, stmt, 6);
	copy_text(database->origin.slot, sizeof database->origin.slot, stmt, 7);
	database->exact = sqlite3_column_int(stmt, 10) == 1;
	const char *tables = (const char *)sqlite3_column_text(stmt, 13);
	database_stream_tables(database, tables ? strdup(tables) : NULL);
	database->table_file = sqlite3_column_type(stmt, 11) != SQLITE_NULL;
	if (sqlite3_column_int(stmt, 9) != DATABASE_FORMAT)
		rc = err_set(err, -EINVAL, "%s has format %d, this program writes %d: delete it and start again",
		             database->path, sqlite3_column_int(stmt, 9), DATABASE_FORMAT);
	else if ((rc = check_numeric(database, want ? want->numeric : NULL, (const char *)sqlite3_column_text(stmt, 12),
	                             err)) == 0 &&
	         want &&
	         (rc = check_file(database, want->table_file, (const char *)sqlite3_column_text(stmt, 11), err)) == 0)
		rc = check_tables(database, want->tables, (const char *)sqlite3_column_text(stmt, 8), err);
	sqlite3_finalize(stmt);
	return rc;
}

/* 64 MiB of page cache: beyond it a large transaction's pages go to the WAL before its end. */
#define CACHE "PRAGMA cache_size = -65536; PRAGMA foreign_keys = OFF;"
static const char settings[] = CACHE "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
                                     "PRAGMA journal_size_limit = 67108864;";
/* A file that is thrown away after any interruption needs nothing to roll back by. */
static const char build_settings[] = CACHE "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;";
static const char fill_settings[] = "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;"
                                    "PRAGMA journal_size_limit = 67108864;";

static const char save_sql[] = "UPDATE _daystream SET epoch = ?1, seq = ?2, lsn = ?3, generation = ?4, system = ?5,"
                               " timeline = ?6, database = ?7, slot = ?8, exact = ?9, stream_tables = ?10 WHERE id = 1";

static int open_sqlite(struct database *database, const struct database_want *want, struct err *err)
{
	/* No two threads use it at a time. */
	int rc = sqlite3_open_v2(database->path, &database->sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);

	if (rc != SQLITE_OK)
		return sql_error(database->sqlite, database->path, err);
	wal_init(&database->wal, database->sqlite, want->stop_fd, want->warn);
	/* A column that is not there is an error, not a text constant of its name. */
	sqlite3_db_config(database->sqlite, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	sqlite3_db_config(database->sqlite, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	if (sqlite3_exec(database->sqlite, want->build ? build_settings : settings, NULL, NULL, NULL) != SQLITE_OK)
		return sql_error(database->sqlite, database->path, err);
	int added = value_add_functions(database->sqlite, err);
	return added < 0 ? added : supply_register(database->sqlite, err);
}

int database_open(struct database *database, const char *path, const struct database_want *want, struct err *err)
{
	*database = (struct database){.lock_fd = -1};
	if (!(database->path = strdup(path)))
		return err_set(err, -ENOMEM, "out of memory");
	int rc = dbfile_lock(path, want->build, &database->lock_fd, err);
	if (rc < 0)
		return rc;
	if (want->build)
		database->leftovers = dbfile_empty(path, database->lock_fd);
	int found = want->build ? 0 : dbfile_look(path, err);
	rc = found < 0 ? found : open_sqlite(database, want, err);
	if (rc == 0 && found)
		rc = wal_rewrite(&database->wal, err);
	/* The WAL's name. SQLite syncs it, too, but does not look whether that went well. */
	if (rc == 0 && found)
		rc = dbfile_sync_folder(path, err);
	if (rc == 0)
		rc = found ? migrate(database, err) : create(database, want, err);
	if (rc < 0)
		return rc;
	wal_watch(&database->wal, !want->build);
	if ((rc = read_state(database, want, err)) < 0)
		return rc;
	if (sqlite3_prepare_v3(database->sqlite, save_sql, -1, SQLITE_PREPARE_PERSISTENT, &database->save, NULL) !=
	    SQLITE_OK)
		return sql_error(database->sqlite, "cannot write the position (table _daystream)", err);
	return 0;
}

int database_filled(struct database *database, struct err *err)
{
	return sql_run(database->sqlite, fill_settings, err);
}

int database_rename(struct database *database, const char *to, struct err *err)
{
	sqlite3_finalize(database->save);
	database->save = NULL;
	int rc = wal_empty(&database->wal, err);
	if (rc < 0)
		return rc;
	wal_close(&database->wal);
	if (sqlite3_close(database->sqlite) != SQLITE_OK)
		return err_set(err, -EIO, "cannot close %s: %s", database->path, sqlite3_errmsg(database->sqlite));
	database->sqlite = NULL;
	return dbfile_rename(database->path, database->lock_fd, to, err);
}

void database_close(struct database *database)
{
	sqlite3_finalize(database->save);
	wal_close(&database->wal);
	sqlite3_close(database->sqlite);
	/* Only now: closing any descriptor of the file drops SQLite's fcntl locks. */
	if (database->lock_fd >= 0)
		close(database->lock_fd);
	free(database->path);
	free(database->stream_tables);
	*database = (struct database){.lock_fd = -1};
}

int database_begin(struct database *database, struct err *err)
{
	int rc = dbfile_check(database->path, database->lock_fd, err);

	if (rc == 0)
		rc = sql_run(database->sqlite, "BEGIN IMMEDIATE", err);
	database->open_transaction = rc == 0;
	return rc;
}

static int save(struct database *database, struct err *err)
{
	sqlite3_stmt *stmt = database->save;
	const struct origin *origin = &database->origin;
	char system[24];

	sqlite3_clear_bindings(stmt);
	if (database->has_position) {
		sqlite3_bind_int64(stmt, 1, (sqlite3_int64)database->position.epoch);
		sqlite3_bind_int64(stmt, 2, (sqlite3_int64)database->position.seq);
		if (*database->lsn)
			sqlite3_bind_text(stmt, 3, database->lsn, -1, SQLITE_STATIC);
	}
	if (database->has_origin) {
		sqlite3_bind_int64(stmt, 4, (sqlite3_int64)origin->generation);
		snprintf(system, sizeof system, "%llu", (unsigned long long)origin->system);
		sqlite3_bind_text(stmt, 5, system, -1, SQLITE_STATIC);
		sqlite3_bind_int64(stmt, 6, (sqlite3_int64)origin->timeline);
		sqlite3_bind_text(stmt, 7, origin->database, -1, SQLITE_STATIC);
		sqlite3_bind_text(stmt, 8, origin->slot, -1, SQLITE_STATIC);
	}
	sqlite3_bind_int(stmt, 9, database->exact);
	sqlite3_bind_text(stmt, 10, database->stream_tables, -1, SQLITE_STATIC);
	sqlite3_step(stmt);
	if (sqlite3_reset(stmt) != SQLITE_OK)
		return sql_error(database->sqlite, "cannot write the position (table _daystream)", err);
	if (sqlite3_changes(database->sqlite) != 1)
		return err_set(err, -EIO, "table _daystream has lost its row");
	return 0;
}

int database_commit(struct database *database, struct err *err)
{
	int rc = save(database, err);

	if (rc == 0)
		rc = sql_run(database->sqlite, "COMMIT", err);
	if (rc < 0)
		return rc;
	database->open_transaction = false;
	return wal_check(&database->wal, err);
}

int database_rollback(struct database *database, struct err *err)
{
	database->open_transaction = false;
	/* After some errors SQLite has rolled back by itself. */
	if (!sqlite3_get_autocommit(database->sqlite)) {
		int rc = sql_run(database->sqlite, "ROLLBACK", err);
		if (rc < 0)
			return rc;
	}
	return read_state(database, NULL, err);
}

int database_make_room(struct database *database, struct err *err)
{
	int rc = wal_empty(&database->wal, err);

	return rc == -EBUSY ? 0 : rc;
}
