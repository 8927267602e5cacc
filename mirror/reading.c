#include "reading.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "database.h"
#include "dbfile.h"
#include "owner.h"
#include "sql.h"

/* Who writes holds its lock for moments only; a table is locked for a reader while its file is recovered. */
#define BUSY_MS 10000

static int is_mirror(struct reading *reading, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(reading->sqlite, "SELECT 1 FROM sqlite_master WHERE name = '_daystream'", -1, &stmt,
	                            NULL);

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	int code = rc == SQLITE_ROW ? 0
	           : rc == SQLITE_DONE || rc == SQLITE_NOTADB
	               ? err_set(err, -EEXIST, "%s is no mirror: it has no table _daystream", reading->path)
	               : sql_error(reading->sqlite, reading->path, err);
	sqlite3_finalize(stmt);
	return code;
}

static int connect_file(struct reading *reading, struct err *err)
{
	struct stat st;
	int rc = dbfile_stat(reading->path, &st, err);

	if (rc == 0)
		rc = owner_check_reader(reading->path, err);
	if (rc < 0)
		return rc;
	if (sqlite3_open_v2(reading->path, &reading->sqlite, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
		return sql_error(reading->sqlite, reading->path, err);
	sqlite3_busy_timeout(reading->sqlite, BUSY_MS);
	sqlite3_db_config(reading->sqlite, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	reading->device = st.st_dev;
	reading->inode = st.st_ino;
	struct reading_state state = {0};
	rc = is_mirror(reading, err);
	if (rc == 0)
		rc = reading_state(reading, &state, err);
	reading->numeric = state.numeric;
	reading_state_fini(&state);
	return rc;
}

int reading_open(struct reading *reading, const char *path, struct err *err)
{
	*reading = (struct reading){.path = strdup(path)};
	return reading->path ? connect_file(reading, err) : err_set(err, -ENOMEM, "out of memory");
}

void reading_close(struct reading *reading)
{
	sqlite3_close_v2(reading->sqlite);
	free(reading->path);
	*reading = (struct reading){0};
}

int reading_refresh(struct reading *reading, struct err *err)
{
	struct stat st;
	int rc = dbfile_stat(reading->path, &st, err);

	if (rc < 0 || (st.st_dev == reading->device && st.st_ino == reading->inode))
		return rc;
	sqlite3_close_v2(reading->sqlite); /* its statements may be there still */
	reading->sqlite = NULL;
	rc = connect_file(reading, err);
	return rc < 0 ? rc : 1;
}

int reading_begin(struct reading *reading, struct err *err)
{
	/* BEGIN alone takes no snapshot; the first read does. */
	return sql_run(reading->sqlite, "BEGIN; SELECT 1 FROM _daystream", err);
}

void reading_end(struct reading *reading)
{
	if (!sqlite3_get_autocommit(reading->sqlite))
		sqlite3_exec(reading->sqlite, "ROLLBACK", NULL, NULL, NULL);
}

static char *copy_column(sqlite3_stmt *stmt, int column)
{
	const char *text = (const char *)sqlite3_column_text(stmt, column);

	return text ? strdup(text) : NULL;
}

int reading_state(struct reading *reading, struct reading_state *state, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(
	    reading->sqlite,
	    "SELECT lsn, system, database, coalesce(table_file, tables, stream_tables), \"numeric\" FROM _daystream",
	    -1, &stmt, NULL);

	*state = (struct reading_state){0};
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW) {
		const char *lsn = (const char *)sqlite3_column_text(stmt, 0);
		if (!lsn || !lsn_parse(lsn, strlen(lsn), &state->lsn))
			state->lsn = 0;
		state->system = copy_column(stmt, 1);
		state->database = copy_column(stmt, 2);
		state->tables = copy_column(stmt, 3);
		const char *numeric = (const char *)sqlite3_column_text(stmt, 4);
		if (!numeric || !value_parse_numeric(numeric, &state->numeric))
			state->numeric = NUMERIC_TEXT;
	}
	sqlite3_finalize(stmt);
	if (rc == SQLITE_ROW)
		return 0;
	if (rc == SQLITE_DONE)
		return err_set(err, -EIO, "table _daystream of %s has lost its row", reading->path);
	return sql_error(reading->sqlite, "cannot read the mirror's position", err);
}

void reading_state_fini(struct reading_state *state)
{
	free(state->system);
	free(state->database);
	free(state->tables);
	*state = (struct reading_state){0};
}

int reading_lsn(struct reading *reading, uint64_t *lsn, struct err *err)
{
	struct reading_state state;
	int rc = reading_state(reading, &state, err);

	*lsn = state.lsn;
	reading_state_fini(&state);
	return rc;
}

int reading_table(struct reading *reading, uint32_t relid, struct schema *schema, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc;

	while ((rc = schema_load_next(reading->sqlite, &stmt, schema, reading->numeric, err)) == 1 &&
	       schema->definition.relid != relid)
		schema_fini(schema);
	sqlite3_finalize(stmt);
	if (rc != 1)
		schema_fini(schema);
	return rc;
}
