/* What a copy lacks of the stream, and what has changed behind it that no lock keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "lacking.h"

#define OLD "_schema\told\t_table\tt"
#define NEW "_schema\tnew\t_table\tt"
#define ROW "\t_xid\t7\t_action\tinsert\ta\t1"
#define TRUNCATE "\t_xid\t7\t_action\ttruncate"
#define DROP "\t_xid\t7\t_action\tdrop"
#define SCHEMA(relid) "\t_xid\t7\t_relid\t" relid "\t_key\ta\t_action\tschema\ta\tnumber\\t1\\ttype\\ttext"

static struct lacking lacking;

/* A copy that has one table. */
static int setup(void **state)
{
	struct err err;

	(void)state;
	return lacking_know(&lacking, (struct span){NEW, strlen(NEW)}, &err);
}

static int teardown(void **state)
{
	(void)state;
	lacking_fini(&lacking);
	return 0;
}

static int take(bool lacks, const char *text)
{
	struct err err = {""};
	struct line_head head;

	assert_true(line_parse(text, strlen(text), &head));
	int rc = lacking_line(&lacking, lacks, &head, &err);
	assert_true((rc < 0) == (*err.text != 0));
	return rc;
}

/* What its commit line gives: only that is known not to be damaged. */
static int line(bool lacks, const char *text)
{
	int rc = take(lacks, text), end = take(lacks, "_xid\t7\t_action\tcommit\tlsn\t0/1");

	assert_int_equal(rc, end == 0 ? 0 : 1);
	*lacking.changed = 0; /* the next one alone */
	return end;
}

#define LACKING(text) line(true, text)
#define SEEN(text) line(false, text)

static void rows_of_tables_that_the_copy_has_are_right(void **state)
{
	(void)state;
	assert_int_equal(LACKING(NEW ROW), 0);
	assert_int_equal(SEEN(NEW ROW), 0);
	assert_int_equal(SEEN(OLD ROW), 0);
}

static void rows_under_a_name_that_nobody_has_now_are_not(void **state)
{
	(void)state;
	assert_int_equal(LACKING(OLD ROW), -EAGAIN);
	assert_int_equal(LACKING(OLD TRUNCATE), -EAGAIN);
	assert_int_equal(LACKING(OLD DROP), 0);
}

static void a_table_that_is_lacking_itself_may_have_rows(void **state)
{
	(void)state;
	assert_int_equal(LACKING(OLD SCHEMA("16384")), 0);
	assert_int_equal(LACKING(OLD ROW), 0);
	assert_int_equal(LACKING(OLD SCHEMA("16384")), 0);
}

static void a_definition_behind_the_rows_is_newer_than_they(void **state)
{
	(void)state;
	assert_int_equal(SEEN(NEW SCHEMA("16384")), 0);
	assert_int_equal(LACKING(NEW ROW), 0);
	assert_int_equal(SEEN(OLD SCHEMA("16385")), 0);
	assert_int_equal(SEEN(NEW SCHEMA("16384")), -EAGAIN);
}

static void so_is_one_of_the_same_table_under_another_name(void **state)
{
	(void)state;
	assert_int_equal(LACKING(OLD SCHEMA("16384")), 0);
	assert_int_equal(SEEN(NEW SCHEMA("16385")), 0);
	assert_int_equal(SEEN(NEW SCHEMA("16384")), -EAGAIN);
}

static void a_name_that_became_free_behind_a_drop_is_another_tables(void **state)
{
	(void)state;
	assert_int_equal(LACKING(OLD DROP), 0);
	assert_int_equal(SEEN(OLD SCHEMA("16385")), -EAGAIN);
	assert_int_equal(SEEN(OLD DROP), -EAGAIN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(rows_of_tables_that_the_copy_has_are_right),
	    TEST(rows_under_a_name_that_nobody_has_now_are_not),
	    TEST(a_table_that_is_lacking_itself_may_have_rows),
	    TEST(a_definition_behind_the_rows_is_newer_than_they),
	    TEST(so_is_one_of_the_same_table_under_another_name),
	    TEST(a_name_that_became_free_behind_a_drop_is_another_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
