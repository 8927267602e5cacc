#include "strangers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "hash.h"
#include "sql.h"

struct stranger {
	uint32_t relid;
	UT_hash_handle hh;
};

static struct stranger *find(struct stranger *strangers, uint32_t relid)
{
	struct stranger *stranger;

	HASH_FIND(hh, strangers, &relid, sizeof relid, stranger);
	return stranger;
}

static int add(struct stranger **strangers, uint32_t relid, struct err *err)
{
	struct stranger *stranger = calloc(1, sizeof *stranger);

	if (!stranger)
		return err_set(err, -ENOMEM, "out of memory for the list of tables");
	stranger->relid = relid;
	HASH_ADD(hh, *strangers, relid, sizeof stranger->relid, stranger);
	return 0;
}

void strangers_free(struct stranger **strangers)
{
	struct stranger *stranger, *next;

	HASH_ITER(hh, *strangers, stranger, next)
	{
		HASH_DEL(*strangers, stranger);
		free(stranger);
	}
}

static bool is_saved(sqlite3 *sqlite)
{
	return sqlite3_table_column_metadata(sqlite, "main", "_daystream_absent", NULL, NULL, NULL, NULL, NULL, NULL) ==
	       SQLITE_OK;
}

int strangers_load(struct stranger **strangers, sqlite3 *sqlite, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc, r = 0;

	if (!is_saved(sqlite))
		return 0;
	rc = sqlite3_prepare_v2(sqlite, "SELECT relid FROM _daystream_absent", -1, &stmt, NULL);
	while (rc == SQLITE_OK && r == 0 && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		r = add(strangers, (uint32_t)sqlite3_column_int64(stmt, 0), err);
		rc = SQLITE_OK;
	}
	if (r == 0 && rc != SQLITE_DONE)
		r = sql_error(sqlite, "cannot read _daystream_absent", err);
	sqlite3_finalize(stmt);
	return r;
}

int strangers_add(struct stranger **strangers, sqlite3 *sqlite, uint32_t relid, struct err *err)
{
	char sql[100];
	int rc = 0;

	if (find(*strangers, relid))
		return 0;
	if (!is_saved(sqlite))
		rc = sql_run(sqlite, "CREATE TABLE _daystream_absent (relid INTEGER PRIMARY KEY)", err);
	snprintf(sql, sizeof sql, "INSERT OR IGNORE INTO _daystream_absent VALUES (%u)", (unsigned)relid);
	if (rc == 0)
		rc = sql_run(sqlite, sql, err);
	return rc < 0 ? rc : add(strangers, relid, err);
}

int strangers_take(struct stranger **strangers, sqlite3 *sqlite, uint32_t relid, struct err *err)
{
	struct stranger *stranger = find(*strangers, relid);
	char sql[100];

	if (!stranger)
		return 0;
	HASH_DEL(*strangers, stranger);
	free(stranger);
	snprintf(sql, sizeof sql, "DELETE FROM _daystream_absent WHERE relid = %u", (unsigned)relid);
	int rc = sql_run(sqlite, sql, err);
	return rc < 0 ? rc : 1;
}

int strangers_clear(struct stranger **strangers, sqlite3 *sqlite, struct err *err)
{
	strangers_free(strangers);
	return is_saved(sqlite) ? sql_run(sqlite, "DELETE FROM _daystream_absent", err) : 0;
}
