/* Rows as COPY has them, as lines. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "inserts.h"

static struct inserts_format format;
static struct inserts inserts;
static struct err err;

static void table(const char *pairs)
{
	assert_int_equal(inserts_format_init(&format, (struct span){pairs, strlen(pairs)}, &err), 0);
}

static void column(const char *name, bool boolean)
{
	assert_int_equal(inserts_format_add(&format, name, boolean, &err), 0);
}

static int add(const char *row)
{
	return inserts_add(&inserts, &format, row, strlen(row), &err);
}

static int setup(void **state)
{
	(void)state;
	table("_table\tt");
	column("a\tb", false);
	column("c", true);
	column("d", false);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	inserts_format_fini(&format);
	inserts_fini(&inserts);
	return 0;
}

static void a_row_is_a_line(void **state)
{
	static const char lines[] = "_table\tt\t_action\tinsert\ta\\tb\té\\n\tc\t1\td\t\\N\n"
	                            "_table\tt\t_action\tinsert\ta\\tb\t\tc\t0\td\tf\n";

	(void)state;
	assert_int_equal(add("é\\n\tt\t\\N"), 0);
	assert_int_equal(add("\tf\tf"), 0);
	assert_int_equal(inserts.count, 2);
	assert_int_equal(inserts.len, sizeof lines - 1);
	assert_memory_equal(inserts.buf, lines, sizeof lines - 1);
}

static void a_row_of_other_than_its_values_is_refused(void **state)
{
	(void)state;
	assert_int_equal(add("1\tt"), -EPROTO);
	assert_int_equal(add("1\tt\t2\t3"), -EPROTO);
	assert_int_equal(inserts.len, 0);
}

static void what_is_no_text_is_refused_by_its_column(void **state)
{
	(void)state;
	assert_int_equal(add("caf\xc3\tt\tx"), -EILSEQ);
	assert_non_null(strstr(err.text, "column \"a\\tb\""));
	assert_int_equal(add("x\tt\t\xe9"), -EILSEQ);
	assert_non_null(strstr(err.text, "column \"d\""));
	assert_int_equal(add("x\t\\N\ty"), 0);
	assert_int_equal(inserts.count, 1);
}

static void a_table_whose_name_is_no_text_blames_no_column(void **state)
{
	(void)state;
	inserts_format_fini(&format);
	table("_table\tcaf\xc3");
	assert_int_equal(add(""), -EILSEQ);
	assert_non_null(strstr(err.text, "its name is no UTF-8"));
	column("a", false);
	assert_int_equal(add("x"), -EILSEQ);
	assert_non_null(strstr(err.text, "its name is no UTF-8"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(a_row_is_a_line),
	    TEST(a_row_of_other_than_its_values_is_refused),
	    TEST(what_is_no_text_is_refused_by_its_column),
	    TEST(a_table_whose_name_is_no_text_blames_no_column),
	};

	return cmocka_run_group_tests_name("inserts", tests, NULL, NULL);
}
