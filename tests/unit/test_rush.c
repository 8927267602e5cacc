/* Which commits wait for others, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "rush.h"

static struct rush rush;
static uint64_t commits;

/* One look at the source, of which so many commits came. */
static void look(uint64_t came)
{
	rush_looked(&rush, commits += came, 300 * came, false);
}

static int fresh(void **state)
{
	(void)state;
	rush = (struct rush){0};
	commits = 0;
	rush_handed(&rush, 1000);
	return 0;
}

static void a_commit_after_silence_does_not_wait(void **state)
{
	(void)state;
	look(0);
	look(1);
	assert_false(rush_holds(&rush, 1000));
}

static void one_client_s_commits_do_not_wait(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++) {
		look(1);
		assert_false(rush_holds(&rush, 1000));
	}
}

static void a_burst_does_not_wait(void **state)
{
	(void)state;
	look(1);
	look(100);
	assert_false(rush_holds(&rush, 1000));
	look(0);
	assert_false(rush_holds(&rush, 1000));
	look(100);
	assert_false(rush_holds(&rush, 1000));
}

static void a_rush_waits_some_milliseconds_from_one_sync_to_the_next(void **state)
{
	(void)state;
	look(RUSH_COMMITS);
	look(RUSH_COMMITS);
	assert_true(rush_holds(&rush, 1000));
	assert_true(rush_holds(&rush, 1000 + RUSH_HOLD_MS - 1));
	assert_false(rush_holds(&rush, 1000 + RUSH_HOLD_MS));
	rush_handed(&rush, 1000 + RUSH_HOLD_MS);
	look(RUSH_COMMITS);
	assert_true(rush_holds(&rush, 1000 + RUSH_HOLD_MS));
}

static void the_last_of_a_rush_does_not_wait(void **state)
{
	(void)state;
	look(100);
	look(100);
	look(RUSH_COMMITS - 1);
	assert_false(rush_holds(&rush, 1000));
}

static void a_look_that_does_not_end_is_a_rush_too(void **state)
{
	(void)state;
	for (int i = 0; i < 3 * RUSH_LOOK / 64; i++)
		rush_looked(&rush, commits += 64, 0, true);
	assert_true(rush_holds(&rush, 1000));
}

static void many_bytes_are_a_rush_too(void **state)
{
	(void)state;
	rush_looked(&rush, commits += 1, RUSH_BYTES, false);
	assert_false(rush_holds(&rush, 1000));
	rush_looked(&rush, commits += 1, RUSH_BYTES, false);
	assert_true(rush_holds(&rush, 1000));
	look(1);
	assert_false(rush_holds(&rush, 1000));
	for (int i = 0; i < 4; i++)
		rush_looked(&rush, commits += 1, RUSH_LOOK_LEN / 2, true);
	assert_true(rush_holds(&rush, 1000));
}

static void a_large_transaction_waits_for_none_that_is_long_gone(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		rush_looked(&rush, commits, RUSH_BYTES, true);
	rush_looked(&rush, commits += 1, RUSH_BYTES, false);
	assert_true(rush_holds(&rush, 1000 + RUSH_HOLD_MS - 1));
	assert_false(rush_holds(&rush, 1000 + RUSH_HOLD_MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(a_commit_after_silence_does_not_wait, fresh),
	    cmocka_unit_test_setup(one_client_s_commits_do_not_wait, fresh),
	    cmocka_unit_test_setup(a_burst_does_not_wait, fresh),
	    cmocka_unit_test_setup(a_rush_waits_some_milliseconds_from_one_sync_to_the_next, fresh),
	    cmocka_unit_test_setup(the_last_of_a_rush_does_not_wait, fresh),
	    cmocka_unit_test_setup(a_look_that_does_not_end_is_a_rush_too, fresh),
	    cmocka_unit_test_setup(many_bytes_are_a_rush_too, fresh),
	    cmocka_unit_test_setup(a_large_transaction_waits_for_none_that_is_long_gone, fresh),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
