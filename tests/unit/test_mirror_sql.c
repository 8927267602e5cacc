/* What SQLite lacks memory or space for is told as that, and where. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "sql.h"
#include "supply.h"
#include "value.h"

static sqlite3 *sqlite;

/* Nothing can be had beyond what is there. */
static void no_more(bool none)
{
	sqlite3_hard_heap_limit64(none ? 1 : 0);
}

static void told(int rc, const struct err *err, const char *doing)
{
	no_more(false);
	assert_int_equal(rc, -ENOMEM);
	assert_non_null(strstr(err->text, doing));
	assert_non_null(strstr(err->text, "out of memory"));
}

static void what_is_added_takes_memory(void **state)
{
	struct err err;

	(void)state;
	no_more(true);
	told(supply_register(sqlite, &err), &err, "cannot add a table to SQLite");
	assert_int_equal(supply_register(sqlite, &err), 0);
	no_more(true);
	told(value_add_functions(sqlite, &err), &err, "cannot add a function to SQLite");
	no_more(true);
	told(sql_run(sqlite, "CREATE TABLE t (a)", &err), &err, "CREATE TABLE t");
}

/* The file's own disk has space; what is sorted, and a transaction's own tables, are elsewhere. */
static void what_of_the_file_is_in_the_way_is_told(void **state)
{
	char dir[] = "/tmp/test_mirror.XXXXXX", path[60];
	sqlite3 *file, *other;
	struct err err;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/m.sqlite", dir);
	assert_int_equal(sqlite3_open(path, &file), SQLITE_OK);
	assert_int_equal(sql_run(file, "CREATE TABLE t (a); PRAGMA temp.max_page_count = 2", &err), 0);
	assert_int_equal(sql_run(file, "CREATE TEMP TABLE kept AS SELECT zeroblob(100000)", &err), -ENOSPC);
	assert_non_null(strstr(err.text, path));
	assert_non_null(strstr(err.text, "SQLITE_TMPDIR"));
	/* Somebody has it for himself. */
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sql_run(file, "SELECT * FROM t", &err), -EBUSY);
	assert_non_null(strstr(err.text, "locked: another program has it for itself"));
	sqlite3_close(other);
	sqlite3_close(file);
	unlink(path);
	rmdir(dir);
}

/* What others made and broke is in nobody's way; two columns of one name would be in everybody's. */
static void a_definition_that_is_refused_stays_as_it_is(void **state)
{
	struct err err;

	(void)state;
	assert_int_equal(sql_run(sqlite, "CREATE TABLE z (a, b)", &err), 0);
	assert_int_equal(sql_runf(sqlite, &err, "ALTER TABLE z RENAME COLUMN %s TO %s", "a", "b"), -ENOTSUP);
	assert_int_equal(sql_run(sqlite, "CREATE VIEW v AS SELECT lost FROM z", &err), 0);
	assert_int_equal(sql_runf(sqlite, &err, "ALTER TABLE z RENAME COLUMN %s TO %s", "a", "c"), 0);
	assert_int_equal(sql_run(sqlite, "SELECT b, c FROM z", &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_added_takes_memory),
	                                   cmocka_unit_test(what_of_the_file_is_in_the_way_is_told),
	                                   cmocka_unit_test(a_definition_that_is_refused_stays_as_it_is)};

	if (sqlite3_open(":memory:", &sqlite) != SQLITE_OK)
		return EXIT_FAILURE;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	sqlite3_close(sqlite);
	return failed;
}
