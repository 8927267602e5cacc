/* Which definition is in force for which table. */
#include "fixture.h"

#include "catalog.h"

static struct catalog catalog;
static char lines[8][200];
static struct line_head heads[8];

static int setup(void **state)
{
	(void)state;
	catalog = (struct catalog){0};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	catalog_fini(&catalog);
	return 0;
}

static const struct line_head *define(int i, const char *pairs, const char *relid, const char *type)
{
	int n = snprintf(lines[i], sizeof lines[i], "%s\t_xid\t%d\t_relid\t%s\t_key\ta\t_action\tschema\ta\t%s", pairs,
	                 i, relid, type);

	assert_true(line_parse(lines[i], (size_t)n, &heads[i]));
	return &heads[i];
}

static int put(int i, uint64_t off)
{
	return catalog_put(&catalog, &heads[i], off, lines[i], strlen(lines[i]));
}

static void a_table_is_found_by_its_oid(void **state)
{
	(void)state;
	define(0, "_table\ta", "1", "x");
	define(1, "_schema\ts\t_table\ta", "2", "x");
	define(2, "_table\tnew_name", "1", "x");
	define(3, "_table\tb", "3", "x");
	assert_null(catalog_find(&catalog, &heads[0]));
	assert_int_equal(put(0, 10), 0);
	assert_int_equal(put(1, 20), 0);
	assert_int_equal(catalog_find(&catalog, &heads[0])->off, 10);
	assert_int_equal(catalog_find(&catalog, &heads[1])->off, 20);
	assert_int_equal(catalog_find(&catalog, &heads[1])->len, strlen(lines[1]));
	assert_int_equal(catalog_find(&catalog, &heads[2])->off, 10);
	assert_null(catalog_find(&catalog, &heads[3]));
}

static void a_newer_definition_takes_the_place_of_the_older(void **state)
{
	(void)state;
	define(0, "_table\ta", "1", "x");
	define(1, "_table\ta", "1", "y");
	assert_int_equal(put(0, 10), 0);
	assert_int_equal(put(1, 20), 0);
	assert_int_equal(catalog.count, 1);
	assert_int_equal(catalog_find(&catalog, &heads[0])->off, 20);
}

static void a_table_that_takes_anothers_name_ends_it(void **state)
{
	(void)state;
	define(0, "_table\ta", "1", "x");
	define(1, "_table\ta", "2", "x");
	assert_int_equal(put(0, 10), 0);
	assert_int_equal(put(1, 20), 0);
	assert_int_equal(catalog.count, 1);
	assert_null(catalog_find(&catalog, &heads[0]));
	assert_int_equal(catalog_find(&catalog, &heads[1])->off, 20);
}

static const struct line_head *line(int i, const char *text)
{
	snprintf(lines[i], sizeof lines[i], "%s", text);
	assert_true(line_parse(lines[i], strlen(lines[i]), &heads[i]));
	return &heads[i];
}

static void a_dropped_table_is_out_of_force(void **state)
{
	(void)state;
	define(0, "_table\ta", "1", "x");
	define(1, "_schema\ts\t_table\ta", "2", "x");
	assert_int_equal(put(0, 10), 0);
	assert_int_equal(put(1, 20), 0);
	assert_true(catalog_drop(&catalog, line(2, "_table\ta\t_xid\t1\t_action\tdrop")));
	assert_null(catalog_find(&catalog, &heads[0]));
	assert_int_equal(catalog_find(&catalog, &heads[1])->off, 20);
	assert_false(catalog_drop(&catalog, &heads[2]));
	assert_int_equal(put(0, 30), 0);
	assert_int_equal(catalog_find(&catalog, &heads[0])->off, 30);
}

static void changes_of_rows_cannot_be_placed_as_long_as_their_table_has_no_identity(void **state)
{
	const char *key = "_table\ta\t_relid\t1\t_key\ta\t_action\tschema\ta\tx";
	const char *none = "_table\ta\t_relid\t1\t_key\t\\N\t_action\tschema\ta\tx";
	struct catalog copy = {0};

	(void)state;
	line(0, none);
	line(1, key);
	line(2, "_table\ta\t_xid\t1\t_action\tupdate\ta\t1");
	line(3, "_table\ta\t_xid\t1\t_action\tdelete");
	line(4, "_table\ta\t_xid\t1\t_action\tinsert\ta\t1");
	line(5, "_table\tb\t_xid\t1\t_action\tdelete");
	line(6, "_table\ta\t_xid\t1\t_action\tdrop");
	for (int way = 0; way < 2; way++) {
		assert_false(catalog_unplaced(&catalog, &heads[2]));
		assert_int_equal(put(0, 10), 0);
		assert_true(catalog_unplaced(&catalog, &heads[2]));
		assert_true(catalog_unplaced(&catalog, &heads[3]));
		assert_false(catalog_unplaced(&catalog, &heads[4]));
		assert_false(catalog_unplaced(&catalog, &heads[5]));
		assert_int_equal(catalog_copy(&copy, &catalog), 0);
		assert_true(catalog_unplaced(&copy, &heads[2]));
		if (way == 0)
			assert_int_equal(put(1, 20), 0);
		else
			assert_true(catalog_drop(&catalog, &heads[6]));
		assert_false(catalog_unplaced(&catalog, &heads[3]));
		assert_int_equal(catalog.keyless, 0);
	}
	catalog_fini(&copy);
}

static void the_same_is_said_whoever_and_whenever(void **state)
{
	(void)state;
	define(0, "_c\t1\t_s\t2\t_table\ta", "1", "x");
	define(1, "_table\ta", "1", "x");
	define(2, "_table\ta", "1", "y");
	define(3, "_table\ta", "2", "x");
	define(4, "_table\tb", "1", "x");
	define(5, "_schema\ts\t_table\ta", "1", "x");
	assert_true(catalog_same(&heads[0], &heads[1]));
	for (int i = 2; i <= 5; i++)
		assert_false(catalog_same(&heads[0], &heads[i]));
}

static void an_oid_that_is_none_is_refused(void **state)
{
	static const char *const wrong[] = {"0", "", "x", "-1", "01", "1x", "4294967296", "99999999999999999999"};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		define(0, "_table\ta", wrong[i], "x");
		assert_int_equal(put(0, 10), -EBADMSG);
	}
	define(0, "_table\ta", "4294967295", "x");
	assert_int_equal(put(0, 10), 0);
}

static void a_copy_stands_on_its_own(void **state)
{
	struct catalog copy = {0};

	(void)state;
	for (int round = 0; round < 2; round++) {
		assert_int_equal(catalog_copy(&copy, &catalog), 0);
		assert_int_equal(copy.count, round);
		define(0, "_table\ta", "1", "x");
		define(1, "_table\tb", "2", "x");
		assert_int_equal(put(0, 10), 0);
	}
	assert_int_equal(catalog_put(&copy, &heads[1], 20, lines[1], 5), 0);
	assert_int_equal(copy.count, 2);
	assert_int_equal(catalog.count, 1);
	catalog_fini(&copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(a_table_is_found_by_its_oid),
	    TEST(a_newer_definition_takes_the_place_of_the_older),
	    TEST(a_table_that_takes_anothers_name_ends_it),
	    TEST(a_dropped_table_is_out_of_force),
	    TEST(changes_of_rows_cannot_be_placed_as_long_as_their_table_has_no_identity),
	    TEST(the_same_is_said_whoever_and_whenever),
	    TEST(an_oid_that_is_none_is_refused),
	    TEST(a_copy_stands_on_its_own),
	};
	return cmocka_run_group_tests_name("catalog", tests, NULL, NULL);
}
