/* What comes again after a start: left out, and compared with what is held. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "resume.h"

/* Held: commits up to 300, whose sum is 7, and idle WAL up to 500; the source begins at 100. */
static struct resume held(void)
{
	struct resume resume = {.lsn = 500, .last_lsn = 300, .last_sum = 7};

	resume_begin(&resume, 100);
	return resume;
}

static void test_what_is_held_is_left_out_and_the_rest_is_new(void **state)
{
	struct resume resume = held();

	(void)state;
	assert_int_equal(resume_commit(&resume, 200, 3, true, NULL), 1);
	assert_int_equal(resume_idle(&resume, 250, NULL), 0);
	assert_int_equal(resume_commit(&resume, 300, 7, true, NULL), 1);
	assert_int_equal(resume_idle(&resume, 450, NULL), 0);
	assert_int_equal(resume_commit(&resume, 600, 9, true, NULL), 0);
}

static void test_where_nothing_idle_follows_the_last_commit_is_left_out_too(void **state)
{
	struct resume resume = {.lsn = 300, .last_lsn = 300, .last_sum = 7};

	(void)state;
	resume_begin(&resume, 100);
	assert_int_equal(resume_commit(&resume, 300, 7, true, NULL), 1);
	assert_int_equal(resume_commit(&resume, 310, 9, true, NULL), 0);
}

static void test_another_commit_at_the_same_place_is_another_history(void **state)
{
	struct resume resume = held();
	struct err err = {""};

	(void)state;
	assert_int_equal(resume_commit(&resume, 300, 8, true, &err), -EPROTO);
	assert_non_null(strstr(err.text, "daystream drop"));
}

static void test_a_commit_that_does_not_come_is_another_history(void **state)
{
	struct resume resume = held();

	(void)state;
	assert_int_equal(resume_commit(&resume, 310, 7, false, NULL), -EPROTO);
	resume = held();
	assert_int_equal(resume_commit(&resume, 600, 7, true, NULL), -EPROTO);
	resume = held();
	assert_int_equal(resume_idle(&resume, 301, NULL), -EPROTO);
}

static void test_rows_where_idle_wal_was_followed_are_another_history(void **state)
{
	struct resume resume = held();

	(void)state;
	assert_int_equal(resume_commit(&resume, 300, 7, true, NULL), 1);
	assert_int_equal(resume_commit(&resume, 400, 5, false, NULL), 1);
	assert_int_equal(resume_commit(&resume, 450, 5, true, NULL), -EPROTO);
}

static void test_the_commit_of_init_came_from_nowhere(void **state)
{
	struct resume resume = {.lsn = 500, .last_lsn = 300};

	(void)state;
	resume_begin(&resume, 100);
	assert_int_equal(resume_idle(&resume, 400, NULL), 0);
	assert_int_equal(resume_commit(&resume, 600, 9, true, NULL), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_what_is_held_is_left_out_and_the_rest_is_new),
	    cmocka_unit_test(test_where_nothing_idle_follows_the_last_commit_is_left_out_too),
	    cmocka_unit_test(test_another_commit_at_the_same_place_is_another_history),
	    cmocka_unit_test(test_a_commit_that_does_not_come_is_another_history),
	    cmocka_unit_test(test_rows_where_idle_wal_was_followed_are_another_history),
	    cmocka_unit_test(test_the_commit_of_init_came_from_nowhere),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
