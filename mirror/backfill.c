#include "backfill.h"

#include <pthread.h>
#include <stdlib.h>

struct backfill {
	sqlite3 *sqlite; /* the thread's, once that runs */
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	/* Under the lock: */
	bool wanted, works, ends;
	int pages, copied; /* of the WAL: as a copy was last started; that are copied, as one has last ended */
	int code, system;
};

static void copy(struct backfill *backfill)
{
	int copied = -1,
	    rc = sqlite3_wal_checkpoint_v2(backfill->sqlite, "main", SQLITE_CHECKPOINT_PASSIVE, NULL, &copied);
	int code = sqlite3_extended_errcode(backfill->sqlite), system = sqlite3_system_errno(backfill->sqlite);
	bool failed = rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY && (rc & 0xff) != SQLITE_FULL;

	pthread_mutex_lock(&backfill->lock);
	if (failed && backfill->code == SQLITE_OK) {
		backfill->code = code;
		backfill->system = system;
	}
	backfill->copied = copied;
	if (backfill->code != SQLITE_OK || backfill->pages <= copied)
		backfill->wanted = false;
	backfill->works = false;
	pthread_cond_broadcast(&backfill->changed);
	pthread_mutex_unlock(&backfill->lock);
}

/* False: it is to end. */
static bool wait_for_work(struct backfill *backfill)
{
	pthread_mutex_lock(&backfill->lock);
	while (!backfill->wanted && !backfill->ends)
		pthread_cond_wait(&backfill->changed, &backfill->lock);
	bool work = backfill->wanted;
	backfill->wanted = false;
	backfill->works = work;
	pthread_mutex_unlock(&backfill->lock);
	return work;
}

static void *run(void *ctx)
{
	struct backfill *backfill = ctx;

	while (wait_for_work(backfill))
		copy(backfill);
	return NULL;
}

static bool connect_file(struct backfill *backfill, sqlite3 *sqlite)
{
	int moved = 1;

	if (sqlite3_open_v2(sqlite3_db_filename(sqlite, "main"), &backfill->sqlite,
	                    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
		return false;
	sqlite3_db_config(backfill->sqlite, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
	/* It learns of the WAL by reading: not the schema, which takes its room for each table. Neither may it be another file,
	 * which got the name meanwhile. */
	return sqlite3_exec(backfill->sqlite, "PRAGMA schema_version", NULL, NULL, NULL) == SQLITE_OK &&
	       sqlite3_file_control(sqlite, "main", SQLITE_FCNTL_HAS_MOVED, &moved) == SQLITE_OK && !moved;
}

struct backfill *backfill_open(sqlite3 *sqlite)
{
	struct backfill *backfill = calloc(1, sizeof *backfill);

	if (!backfill)
		return NULL;
	pthread_mutex_init(&backfill->lock, NULL);
	pthread_cond_init(&backfill->changed, NULL);
	if (connect_file(backfill, sqlite) && pthread_create(&backfill->thread, NULL, run, backfill) == 0)
		return backfill;
	sqlite3_close(backfill->sqlite);
	pthread_cond_destroy(&backfill->changed);
	pthread_mutex_destroy(&backfill->lock);
	free(backfill);
	return NULL;
}

void backfill_close(struct backfill *backfill)
{
	if (!backfill)
		return;
	pthread_mutex_lock(&backfill->lock);
	backfill->wanted = false;
	backfill->ends = true;
	pthread_cond_broadcast(&backfill->changed);
	pthread_mutex_unlock(&backfill->lock);
	pthread_join(backfill->thread, NULL);
	sqlite3_close(backfill->sqlite);
	pthread_cond_destroy(&backfill->changed);
	pthread_mutex_destroy(&backfill->lock);
	free(backfill);
}

void backfill_start(struct backfill *backfill, int pages)
{
	pthread_mutex_lock(&backfill->lock);
	backfill->pages = pages;
	/* Whether what works has all of it by then, its end tells. */
	if (backfill->code == SQLITE_OK && (backfill->works || pages != backfill->copied))
		backfill->wanted = true;
	pthread_cond_broadcast(&backfill->changed);
	pthread_mutex_unlock(&backfill->lock);
}

bool backfill_wait(struct backfill *backfill)
{
	pthread_mutex_lock(&backfill->lock);
	while (backfill->wanted || backfill->works)
		pthread_cond_wait(&backfill->changed, &backfill->lock);
	bool well = backfill->code == SQLITE_OK;
	pthread_mutex_unlock(&backfill->lock);
	return well;
}

int backfill_failed(struct backfill *backfill, int *system)
{
	pthread_mutex_lock(&backfill->lock);
	int code = backfill->code;
	*system = backfill->system;
	backfill->code = SQLITE_OK;
	pthread_mutex_unlock(&backfill->lock);
	return code;
}
