#include "wal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "await.h"
#include "clock.h"
#include "sql.h"

/* The WAL is copied back from 32 MiB on; beside the mirror from 16 MiB on, so that little is left at its end. From 128 MiB on
 * the mirror waits a moment for readers, so that it can begin at its start again: only a reader that stays makes it grow. */
#define PAGES 8192
#define PAGES_BESIDE 4096
#define PAGES_MOST 32768
#define WAIT_MS 200
/* From there on a transaction of somebody else may be one that was forgotten. */
#define TELL_MS 10000
/* SQLite's own files take no more at once. */
#define REWRITE_BYTES (1 << 16)

static void tell(struct wal *wal)
{
	char *text =
	    sqlite3_mprintf("another program writes to %s, in a transaction that it does not end; waiting for it",
	                    sqlite3_db_filename(wal->sqlite, "main"));

	if (text)
		wal->warn(text);
	sqlite3_free(text);
}

static int busy(void *context, int count)
{
	struct wal *wal = context;
	struct pollfd stop = {.fd = wal->stop_fd, .events = POLLIN};

	if (count == 0)
		wal->since_ms = clock_ms();
	if (wal->warn && wal->since_ms && clock_ms() - wal->since_ms >= TELL_MS) {
		tell(wal);
		wal->since_ms = 0;
	}
	if (wal->wait_until_ms && clock_ms() >= wal->wait_until_ms)
		return 0;
	return await(&stop, 1, count < 20 ? 5 : 50) <= 0;
}

void wal_init(struct wal *wal, sqlite3 *sqlite, int stop_fd, void (*warn)(const char *text))
{
	*wal = (struct wal){.sqlite = sqlite, .stop_fd = stop_fd, .warn = warn};
	sqlite3_busy_handler(sqlite, busy, wal);
}

static int checkpoint(struct wal *wal, const char *name, int mode)
{
	wal->wait_until_ms = clock_ms() + WAIT_MS;
	int rc = sqlite3_wal_checkpoint_v2(wal->sqlite, name, mode, NULL, NULL);
	if (rc != SQLITE_OK)
		rc = sqlite3_extended_errcode(wal->sqlite);
	wal->wait_until_ms = 0;
	if ((rc & 0xff) == SQLITE_IOERR)
		sqlite3_db_config(wal->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return rc;
}

/* What cannot be had is done without, until it can. */
static bool start_beside(struct wal *wal, int pages)
{
	if (wal->beside && !wal->backfill)
		wal->backfill = backfill_open(wal->sqlite);
	if (wal->backfill)
		backfill_start(wal->backfill, pages);
	return wal->backfill;
}

static int after_commit(void *context, sqlite3 *sqlite, const char *name, int pages)
{
	struct wal *wal = context;

	(void)sqlite;
	if (pages < wal->pages)
		wal->next = wal->least; /* it has begun at its start again */
	wal->pages = pages;
	if (pages < wal->next)
		return SQLITE_OK;
	/* A reader may keep it from ending now: not every commit is to try. */
	wal->next = pages + wal->least;
	bool own = strcmp(name, "main") == 0; /* and not an attached file */
	if (own && pages < PAGES_MOST && start_beside(wal, pages))
		return SQLITE_OK;
	if (wal->backfill && !backfill_wait(wal->backfill))
		return SQLITE_OK; /* wal_check tells */
	int rc = checkpoint(wal, name, pages < PAGES_MOST ? SQLITE_CHECKPOINT_PASSIVE : SQLITE_CHECKPOINT_RESTART);
	/* Without space the WAL grows, until a commit finds none. */
	return (rc & 0xff) == SQLITE_BUSY || (rc & 0xff) == SQLITE_FULL ? SQLITE_OK : rc;
}

void wal_watch(struct wal *wal, bool beside)
{
	wal->beside = beside;
	wal->least = wal->next = beside ? PAGES_BESIDE : PAGES;
	sqlite3_wal_hook(wal->sqlite, after_commit, wal);
}

int wal_check(struct wal *wal, struct err *err)
{
	int system = 0, code = wal->backfill ? backfill_failed(wal->backfill, &system) : SQLITE_OK;

	if (code == SQLITE_OK)
		return 0;
	if ((code & 0xff) == SQLITE_IOERR)
		sqlite3_db_config(wal->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	return sql_failed(wal->sqlite, code, system, err);
}

void wal_close(struct wal *wal)
{
	struct err err;

	if (wal->backfill)
		backfill_wait(wal->backfill);
	wal_check(wal, &err);
	backfill_close(wal->backfill);
	wal->backfill = NULL;
}

int wal_empty(struct wal *wal, struct err *err)
{
	if (wal->backfill)
		backfill_wait(wal->backfill);
	int rc = wal_check(wal, err);
	if (rc < 0)
		return rc;
	return checkpoint(wal, "main", SQLITE_CHECKPOINT_TRUNCATE) == SQLITE_OK
	           ? 0
	           : sql_error(wal->sqlite, "cannot copy the WAL back", err);
}

static int rewrite(sqlite3_file *file, char *buffer)
{
	sqlite3_int64 size = 0;
	int rc = file->pMethods->xFileSize(file, &size);

	for (sqlite3_int64 off = 0; rc == SQLITE_OK && off < size; off += REWRITE_BYTES) {
		int len = size - off < REWRITE_BYTES ? (int)(size - off) : REWRITE_BYTES;
		rc = file->pMethods->xRead(file, buffer, len, off);
		if (rc == SQLITE_OK)
			rc = file->pMethods->xWrite(file, buffer, len, off);
	}
	return rc == SQLITE_OK && size > 0 ? file->pMethods->xSync(file, SQLITE_SYNC_NORMAL) : rc;
}

int wal_rewrite(struct wal *wal, struct err *err)
{
	sqlite3_file *file = NULL;
	char *buffer = malloc(REWRITE_BYTES);

	if (!buffer)
		return err_set(err, -ENOMEM, "out of memory for a buffer of %d bytes", REWRITE_BYTES);
	/* The lock keeps other writers from changing what was read. */
	int rc = sql_run(wal->sqlite, "BEGIN IMMEDIATE", err);
	if (rc == 0) {
		sqlite3_file_control(wal->sqlite, "main", SQLITE_FCNTL_JOURNAL_POINTER, &file);
		int code = file && file->pMethods ? rewrite(file, buffer) : SQLITE_OK;
		if (code != SQLITE_OK) {
			sqlite3_db_config(wal->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
			rc = sql_failed(wal->sqlite, code, errno, err);
		}
		sqlite3_exec(wal->sqlite, "ROLLBACK", NULL, NULL, NULL);
	}
	free(buffer);
	return rc;
}
