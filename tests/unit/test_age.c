/* Clocks that leap, and what is believed of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "age.h"

enum { START = 1507507200, MINUTE = 60, HOUR = 3600, DAY = 86400 };

/* The reading after so many seconds is `ahead` of what it should be. */
static uint64_t at(struct age *age, int64_t elapsed, int64_t ahead)
{
	return age_now(age, (uint64_t)(START + elapsed + ahead), 5000 + elapsed * 1000);
}

static void test_time_that_goes_on_is_believed(void **state)
{
	struct age age = {0};

	(void)state;
	assert_int_equal(at(&age, 0, 0), START);
	assert_int_equal(at(&age, HOUR, 3), START + HOUR + 3);
	assert_int_equal(at(&age, 30 * DAY, -20), START + 30 * DAY - 20);
}

static void test_a_stream_that_stood_still_goes_on_at_once(void **state)
{
	struct age age = {0};

	(void)state;
	at(&age, 0, 0);
	assert_int_equal(at(&age, 10 * DAY, -10 * DAY), START);
	assert_int_equal(at(&age, 10 * DAY + 1, 0), START + 10 * DAY + 1);
}

static void test_a_leap_is_not_believed_while_time_goes_on(void **state)
{
	struct age age = {0};

	(void)state;
	at(&age, 0, 0);
	assert_int_equal(at(&age, 10, 10 * DAY), START + 10);
	assert_int_equal(at(&age, HOUR, 10 * DAY), START + HOUR);
}

static void test_a_leap_that_is_taken_back_never_was(void **state)
{
	struct age age = {0};

	(void)state;
	at(&age, 0, 0);
	at(&age, 10, 10 * DAY);
	assert_int_equal(at(&age, HOUR, 0), START + HOUR);
	assert_int_equal(at(&age, HOUR + MINUTE, 10 * DAY), START + HOUR + MINUTE);
	assert_int_equal(at(&age, 2 * HOUR, 10 * DAY), START + 2 * HOUR);
}

static void test_a_leap_that_has_stood_for_an_hour_is_believed(void **state)
{
	struct age age = {0};

	(void)state;
	at(&age, 0, 0);
	at(&age, 10, 10 * DAY);
	assert_int_equal(at(&age, HOUR + 10, 10 * DAY), START + HOUR + 10 + 10 * DAY);
	assert_int_equal(at(&age, HOUR + 20, 10 * DAY), START + HOUR + 20 + 10 * DAY);
}

static void test_of_several_leaps_the_least_is_believed(void **state)
{
	struct age age = {0};

	(void)state;
	at(&age, 0, 0);
	at(&age, 10, DAY);
	at(&age, HOUR, 900 * DAY);
	assert_int_equal(at(&age, HOUR + 10, 900 * DAY), START + HOUR + 10 + DAY);
	assert_int_equal(at(&age, HOUR + 20, 900 * DAY), START + HOUR + 20 + DAY);
}

static void test_a_clock_that_goes_back_makes_nothing_old(void **state)
{
	struct age age = {0};

	(void)state;
	at(&age, 0, 0);
	assert_int_equal(at(&age, HOUR, -HOUR), START);
	assert_int_equal(at(&age, 2 * HOUR, 0), START + 2 * HOUR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_time_that_goes_on_is_believed),
	    cmocka_unit_test(test_a_stream_that_stood_still_goes_on_at_once),
	    cmocka_unit_test(test_a_leap_is_not_believed_while_time_goes_on),
	    cmocka_unit_test(test_a_leap_that_is_taken_back_never_was),
	    cmocka_unit_test(test_a_leap_that_has_stood_for_an_hour_is_believed),
	    cmocka_unit_test(test_of_several_leaps_the_least_is_believed),
	    cmocka_unit_test(test_a_clock_that_goes_back_makes_nothing_old),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
