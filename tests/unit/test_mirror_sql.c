/* What SQLite lacks memory for is told as that, not as an error of the file. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_added_takes_memory)};

	if (sqlite3_open(":memory:", &sqlite) != SQLITE_OK)
		return EXIT_FAILURE;
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	sqlite3_close(sqlite);
	return failed;
}
