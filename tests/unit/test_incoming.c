/* What a source sends, line by line: the second of each transaction. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "incoming.h"

static struct incoming incoming;
static uint64_t transactions;

static int fresh(void **state)
{
	(void)state;
	incoming_start(&incoming, 0);
	transactions = 0;
	return 0;
}

/* A transaction that committed then; UINT64_MAX: its `begin` is refused. */
static uint64_t second_of(const char *time)
{
	struct incoming_line taken;
	struct err err;
	char line[256];
	int n = snprintf(line, sizeof line, "_xid\t7\t_action\tbegin\ttime\t%s", time);

	if (incoming_take(&incoming, line, (size_t)n, &taken, &err) < 0)
		return UINT64_MAX;
	uint64_t second = taken.second;
	n = snprintf(line, sizeof line, "_xid\t7\t_action\tcommit\tlsn\t0/%X\ttime\t%s", (unsigned)++transactions,
	             time);
	assert_int_equal(incoming_take(&incoming, line, (size_t)n, &taken, &err), 0);
	return second;
}

static void each_transaction_has_its_own_second(void **state)
{
	(void)state;
	assert_int_equal(second_of("2017-10-09 00:00:00.123456+00"), 1507507200);
	assert_int_equal(second_of("2017-10-09 00:00:00.5+00"), 1507507200);
	assert_int_equal(second_of("2017-10-09 00:00:01.5+00"), 1507507201);
	assert_int_equal(second_of("2017-10-09 00:00:01+00"), 1507507201);
	assert_int_equal(second_of("2017-10-09 00:00:01+00"), 1507507201);
	assert_int_equal(second_of("2017-10-09 00:00:00.5+00"), 1507507200);
	assert_int_equal(second_of("1970-01-01 00:00:00+00"), 0);
	assert_int_equal(second_of("1970-01-01 00:00:00+00"), 0);
}

/* Though they begin as one that has a second. */
static void a_time_that_no_calendar_of_ours_has_is_0(void **state)
{
	(void)state;
	assert_int_equal(second_of("2017-10-09 00:00:00+00"), 1507507200);
	assert_int_equal(second_of("2017-10-09 00:00:00+00 BC"), 0);
	assert_int_equal(second_of("infinity"), 0);
	assert_int_equal(second_of("12017-10-09 00:00:00+00"), 0);
	assert_int_equal(second_of("294276-12-31 23:59:59.999999+00"), 0);
	assert_int_equal(second_of("2017-10-09 00:00:00+00"), 1507507200);
}

/* Taken; or, where it is a row like the one before, passed over. */
static bool is_like(const char *line)
{
	struct incoming_line taken;
	struct err err;
	size_t len = strcspn(line, "\n"), like = incoming_like(&incoming, line, strlen(line));

	assert_true(like == 0 || like == len);
	if (like == 0)
		assert_int_equal(incoming_take(&incoming, line, strlen(line), &taken, &err), 0);
	return like > 0;
}

static void a_row_is_like_the_one_before(void **state)
{
	(void)state;
	assert_false(is_like("_xid\t7\t_action\tbegin\ttime\t2017-10-09 00:00:00+00"));
	assert_false(is_like("_table\tt\t_xid\t7\t_action\tinsert\ta\t1"));
	assert_true(is_like("_table\tt\t_xid\t7\t_action\tinsert\ta\t\\N\n_table\tt"));
	assert_true(is_like("_table\tt\t_xid\t7\t_action\tinsert\tb\t\xc3\xa9"));
	assert_false(is_like("_table\tt\t_xid\t7\t_action\tdelete\ta\t1"));
	assert_true(is_like("_table\tt\t_xid\t7\t_action\tdelete\ta\t2"));
	assert_false(is_like("_table\tu\t_xid\t7\t_action\tdelete\ta\t2"));
	assert_false(is_like("_table\tu\t_xid\t7\t_action\ttruncate"));
	assert_false(is_like("_table\tu\t_xid\t7\t_action\tdelete\ta\t2"));
	assert_false(is_like("_xid\t7\t_action\tcommit\tlsn\t0/1\ttime\t2017-10-09 00:00:00+00"));
	assert_int_equal(incoming_like(&incoming, "_table\tu\t_xid\t7\t_action\tdelete\ta\t2", 36), 0);
}

static void a_row_that_cannot_be_read_is_like_none(void **state)
{
	static const char *const bad[] = {"", "a", "a\t1\tb", "a\t\\q", "a\t\xc3", "a\t\\Nx"};
	char line[128];

	(void)state;
	assert_false(is_like("_xid\t7\t_action\tbegin\ttime\t2017-10-09 00:00:00+00"));
	assert_false(is_like("_table\tt\t_xid\t7\t_action\tinsert\ta\t1"));
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		size_t len = (size_t)snprintf(line, sizeof line, "_table\tt\t_xid\t7\t_action\tinsert\t%s", bad[i]);
		assert_int_equal(incoming_like(&incoming, line, len), 0);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	(void)state;
	assert_int_equal(second_of("2017-10-09 00:00:00+00"), 1507507200);
	assert_int_equal(second_of("2017-10-09 00:00:00"), UINT64_MAX);
	assert_int_equal(second_of("2017-10-09 00:00:00x"), UINT64_MAX);
	assert_int_equal(second_of(""), UINT64_MAX);
	assert_int_equal(second_of("2017-10-09 00:00:00.5+00"), 1507507200);
}

#define TEST(name) cmocka_unit_test_setup(name, fresh)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(each_transaction_has_its_own_second),
	    TEST(a_time_that_no_calendar_of_ours_has_is_0),
	    TEST(what_is_no_time_is_refused),
	    TEST(a_row_is_like_the_one_before),
	    TEST(a_row_that_cannot_be_read_is_like_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
