/* Where the key is the rowid, SQLite is not told the number of a row that is one behind all others: what comes of it is the same. */
#include "test_mirror_pair.h"

/* Of a key that is one behind all others, SQLite is not told the number. */
static void keys_one_behind_the_other(void **state)
{
	static const struct {
		long long from, to;
		const char *action;
	} keys[] = {
	    {-7, -2, "insert"}, {0, 9, "insert"},   {11, 15, "insert"},
	    {15, 15, "delete"}, {15, 20, "insert"}, {0, 0, NULL},
	    {21, 30, "insert"}, {0, 0, NULL},       {30, 30, "delete"},
	    {25, 35, "update"}, {10, 10, "insert"}, {0, 0, NULL},
	    {36, 36, "insert"}, {1, 6, "update"},   {37, 45, "insert"},
	    {0, 0, NULL},       {40, 45, "delete"}, {0, 0, NULL},
	    {40, 50, "insert"}, {0, 0, NULL},       {-9, -8, "insert"},
	    {51, 60, "insert"}, {0, 0, NULL},       {INT64_MAX - 9, INT64_MAX - 1, "insert"},
	    {0, 0, NULL},       {70, 80, "insert"}, {INT64_MAX, INT64_MAX, "insert"},
	};
	struct pair *pair = *state;
	char body[100];

	both_define(pair, "_table\tn", 9, "id", "id\tnumber\\t1\\ttype\\tbigint\t" A);
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (!keys[i].action)
			assert_true(both_commit(pair));
		for (long long n = 0; keys[i].action && n <= keys[i].to - keys[i].from; n++) {
			sprintf(body, "%s\tid\t%lld", keys[i].action, keys[i].from + n);
			if (*keys[i].action != 'd')
				sprintf(body + strlen(body), "\ta\t%zu", i);
			both_change(pair, "_table\tn", body);
		}
	}
	assert_true(both_commit(pair));
	assert_string_equal(ask(pair->last, "SELECT count(*), min(id), max(id), sum(id < 100) FROM n"),
	                    "90|-9|9223372036854775807|80");
}

/* Where people made the table anew, SQLite may have numbers of its own for its rows. */
static void keys_that_are_not_the_rowid(struct pair *pair, const char *rebuilt)
{
	char body[100];

	both_start(pair);
	both_run(pair, rebuilt);
	for (unsigned i = 1; i <= 120; i++) {
		snprintf(body, sizeof body, "insert\tid\t%u\ta\tx\tb\ty", i == 40 ? 500 : i);
		both_change(pair, T, body);
		if (i == 41)
			both_change(pair, T, "delete\tid\t500");
		if (i % 40 == 0)
			assert_true(both_commit(pair));
	}
	assert_string_equal(ask(pair->last, "SELECT count(*), min(id), max(id), count(DISTINCT id) FROM t"),
	                    "119|1|120|119");
}

static void keys_in_an_index(void **state)
{
	keys_that_are_not_the_rowid(*state, "DROP TABLE t; CREATE TABLE t (id INT PRIMARY KEY, a, b)");
}

static void keys_in_an_index_downwards(void **state)
{
	keys_that_are_not_the_rowid(*state, "DROP TABLE t; CREATE TABLE t (id INTEGER PRIMARY KEY DESC, a, b)");
}

static void keys_that_are_counted(void **state)
{
	keys_that_are_not_the_rowid(*state,
	                            "DROP TABLE t; CREATE TABLE t (id INTEGER PRIMARY KEY AUTOINCREMENT, a, b)");
}

static void a_column_that_is_called_as_the_rowid_is(void **state)
{
	keys_that_are_not_the_rowid(*state, "ALTER TABLE t ADD COLUMN _rowid_ INT DEFAULT 7");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(keys_one_behind_the_other),
	    TEST(keys_in_an_index),
	    TEST(keys_in_an_index_downwards),
	    TEST(keys_that_are_counted),
	    TEST(a_column_that_is_called_as_the_rowid_is),
	};

	return cmocka_run_group_tests_name("mirror: rowids", tests, NULL, NULL);
}
