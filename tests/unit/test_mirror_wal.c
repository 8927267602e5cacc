/* The WAL is copied back beside the commits that go on; what goes wrong there is told, and nothing is copied back after it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "wal.h"

enum { ALWAYS = 1000 };

static pthread_t own;
static atomic_int fails, others_sync, copies; /* how many are to fail; how many there were */
static atomic_bool held;
static atomic_int reason; /* why they fail */

int fdatasync(int fd)
{
	if (pthread_equal(pthread_self(), own))
		return (int)syscall(SYS_fdatasync, fd);
	others_sync++;
	while (held)
		usleep(1000);
	if (fails == 0)
		return (int)syscall(SYS_fdatasync, fd);
	fails--;
	errno = reason;
	return -1;
}

static int (*shm_lock)(sqlite3_file *file, int at, int count, int flags);

/* Who copies has the second of SQLite's locks. */
static int count_copies(sqlite3_file *file, int at, int count, int flags)
{
	copies += at == 1 && flags == (SQLITE_SHM_LOCK | SQLITE_SHM_EXCLUSIVE);
	return shm_lock(file, at, count, flags);
}

/* Each connection that is opened from then on. */
static int count_of(sqlite3 *sqlite, char **message, const struct sqlite3_api_routines *api)
{
	static struct sqlite3_io_methods methods;
	sqlite3_file *file = NULL;

	(void)message;
	(void)api;
	if (sqlite3_file_control(sqlite, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK || !file->pMethods)
		return SQLITE_ERROR;
	methods = *file->pMethods;
	shm_lock = methods.xShmLock;
	methods.xShmLock = count_copies;
	file->pMethods = &methods;
	return SQLITE_OK;
}

struct place {
	char folder[40], path[60], beside[70];
	sqlite3 *sqlite;
	struct wal wal;
};

static void run(struct place *p, const char *sql)
{
	if (sqlite3_exec(p->sqlite, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(p->sqlite));
}

static int setup(void **state)
{
	static struct place p;

	own = pthread_self();
	fails = others_sync = copies = 0;
	held = false;
	reason = EIO;
	snprintf(p.folder, sizeof p.folder, "/tmp/daystream-unit.XXXXXX");
	assert_non_null(mkdtemp(p.folder));
	snprintf(p.path, sizeof p.path, "%s/m.sqlite", p.folder);
	snprintf(p.beside, sizeof p.beside, "%s-wal", p.path);
	assert_int_equal(sqlite3_open(p.path, &p.sqlite), SQLITE_OK);
	wal_init(&p.wal, p.sqlite, -1, NULL);
	run(&p, "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; CREATE TABLE t (v)");
	wal_watch(&p.wal, true);
	*state = &p;
	return 0;
}

static int teardown(void **state)
{
	struct place *p = *state;

	wal_close(&p->wal);
	assert_int_equal(sqlite3_close(p->sqlite), SQLITE_OK);
	unlink(p->path);
	unlink(p->beside);
	snprintf(p->beside, sizeof p->beside, "%s-shm", p->path);
	unlink(p->beside);
	return rmdir(p->folder);
}

static long long size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? (long long)st.st_size : -1;
}

/* Enough to be copied back. */
static void commit_much(struct place *p)
{
	run(p, "INSERT INTO t VALUES (zeroblob(40000000))");
}

static void it_is_copied_back_by_another_thread(void **state)
{
	struct place *p = *state;
	struct err err;

	run(p, "INSERT INTO t VALUES (1)");
	assert_null(p->wal.backfill);
	commit_much(p);
	assert_non_null(p->wal.backfill);
	backfill_wait(p->wal.backfill);
	assert_true(others_sync > 0);
	assert_true(size_of(p->path) > 40000000);
	assert_int_equal(wal_check(&p->wal, &err), 0);
	/* The next one begins at the WAL's start. */
	long long before = size_of(p->beside);
	run(p, "INSERT INTO t VALUES (2)");
	assert_int_equal(size_of(p->beside), before);
	assert_int_equal(wal_empty(&p->wal, &err), 0);
	assert_int_equal(size_of(p->beside), 0);
}

static void a_sync_that_fails_there_is_told_and_the_wal_stays(void **state)
{
	struct place *p = *state;
	struct err err;

	fails = ALWAYS;
	commit_much(p);
	backfill_wait(p->wal.backfill);
	assert_int_equal(wal_check(&p->wal, &err), -EIO);
	assert_non_null(strstr(err.text, "m.sqlite: disk I/O error: Input/output error"));
	wal_close(&p->wal);
	assert_int_equal(sqlite3_close(p->sqlite), SQLITE_OK);
	p->sqlite = NULL;
	assert_true(size_of(p->beside) > 40000000);
	assert_true(size_of(p->path) < 40000000);
}

static void nor_is_it_emptied_or_closed_as_if_all_were_well(void **state)
{
	struct place *p = *state;
	struct err err;

	fails = ALWAYS;
	commit_much(p);
	assert_int_equal(wal_empty(&p->wal, &err), -EIO);
	run(p, "INSERT INTO t VALUES (1)");
	fails = 0;
	wal_close(&p->wal);
	assert_int_equal(sqlite3_close(p->sqlite), SQLITE_OK);
	p->sqlite = NULL;
	assert_true(size_of(p->beside) > 40000000);
}

static void await_sync(int which)
{
	while (others_sync < which)
		usleep(1000);
}

static void nothing_is_copied_after_a_failure_until_that_is_told(void **state)
{
	struct place *p = *state;
	struct err err;

	fails = 1;
	held = true;
	commit_much(p);
	await_sync(1);
	commit_much(p); /* is to be copied next */
	held = false;
	assert_false(backfill_wait(p->wal.backfill));
	for (int i = 0; i < 3; i++) /* until the mirror itself would copy */
		commit_much(p);
	assert_int_equal(others_sync, 1);
	assert_true(size_of(p->path) < 40000000);
	assert_int_equal(wal_check(&p->wal, &err), -EIO);
}

/* What is lost by it is not there when there is space. */
static void a_sync_that_finds_no_space_is_a_failure_too(void **state)
{
	struct place *p = *state;
	struct err err;

	reason = ENOSPC;
	fails = ALWAYS;
	commit_much(p);
	backfill_wait(p->wal.backfill);
	assert_int_equal(wal_check(&p->wal, &err), -EIO);
}

/* SQLite's WAL-reset bug. */
static void no_copy_begins_where_all_is_copied(void **state)
{
	struct place *p = *state;

	assert_int_equal(sqlite3_auto_extension((void (*)(void))count_of), SQLITE_OK);
	commit_much(p);
	assert_true(backfill_wait(p->wal.backfill));
	assert_int_equal(copies, 1);
	backfill_start(p->wal.backfill, p->wal.pages);
	assert_true(backfill_wait(p->wal.backfill));
	assert_int_equal(copies, 1);
	int synced = others_sync;
	held = true;
	run(p, "INSERT INTO t VALUES (zeroblob(30000000))");
	await_sync(synced + 1);
	backfill_start(p->wal.backfill, p->wal.pages); /* of what it has */
	held = false;
	assert_true(backfill_wait(p->wal.backfill));
	assert_int_equal(copies, 2);
	sqlite3_reset_auto_extension();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(it_is_copied_back_by_another_thread, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_sync_that_fails_there_is_told_and_the_wal_stays, setup, teardown),
	    cmocka_unit_test_setup_teardown(nor_is_it_emptied_or_closed_as_if_all_were_well, setup, teardown),
	    cmocka_unit_test_setup_teardown(nothing_is_copied_after_a_failure_until_that_is_told, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_sync_that_finds_no_space_is_a_failure_too, setup, teardown),
	    cmocka_unit_test_setup_teardown(no_copy_begins_where_all_is_copied, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
