/* Pages that cannot be written when the cache is given back: why is known, as of a statement that fails. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache.h"

static int reason; /* 0: it goes well */

static ssize_t write_or_fail(int fd, const void *bytes, size_t len, off_t at)
{
	if (!reason)
		return pwrite(fd, bytes, len, at);
	errno = reason;
	return -1;
}

static void run(sqlite3 *sqlite, const char *sql)
{
	if (sqlite3_exec(sqlite, sql, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(sqlite));
}

static void what_cannot_be_written_is_told(void **state)
{
	static const struct {
		int reason, rc;
		const char *text;
	} cases[] = {{ENOSPC, -ENOSPC, "no space is left"},
	             {EDQUOT, -ENOSPC, "Disk quota exceeded"},
	             {EIO, -EIO, "disk I/O error: Input/output error"}};
	char folder[] = "/tmp/daystream-unit.XXXXXX", path[60];
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	struct err err;
	sqlite3 *sqlite;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/m.sqlite", folder);
	vfs->xSetSystemCall(vfs, "pwrite", (sqlite3_syscall_ptr)write_or_fail);
	vfs->xSetSystemCall(vfs, "pwrite64", (sqlite3_syscall_ptr)write_or_fail);
	assert_int_equal(sqlite3_open(path, &sqlite), SQLITE_OK);
	run(sqlite, "PRAGMA cache_size = -65536; PRAGMA journal_mode = WAL; CREATE TABLE t (v)");
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		run(sqlite, "BEGIN IMMEDIATE; INSERT INTO t VALUES (zeroblob(1000000))");
		reason = cases[i].reason;
		assert_int_equal(cache_give_back(sqlite, &err), cases[i].rc);
		assert_non_null(strstr(err.text, cases[i].text));
		reason = 0;
		run(sqlite, "ROLLBACK; BEGIN IMMEDIATE; INSERT INTO t VALUES (zeroblob(1000000))");
		assert_int_equal(cache_give_back(sqlite, &err), 0);
		assert_in_range(cache_bytes(sqlite), 1, 500000);
		run(sqlite, "COMMIT");
	}
	assert_int_equal(sqlite3_close(sqlite), SQLITE_OK);
	vfs->xSetSystemCall(vfs, NULL, NULL);
	unlink(path);
	rmdir(folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_cannot_be_written_is_told)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
