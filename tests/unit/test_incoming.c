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
	struct line_head head;
	size_t len = strcspn(line, "\n"), like = incoming_like(&incoming, line, strlen(line), &head);

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
	assert_int_equal(
	    incoming_like(&incoming, "_table\tu\t_xid\t7\t_action\tdelete\ta\t2", 36, &(struct line_head){0}), 0);
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
		assert_int_equal(incoming_like(&incoming, line, len, &(struct line_head){0}), 0);
	}
}

/* Of another transaction than the row before: who gets it is told what table it is of. */
static void the_first_row_is_like_the_last_one(void **state)
{
	static const char row[] = "_table\tt\t_xid\t8\t_action\tupdate\ta\t1";
	struct line_head head;

	(void)state;
	assert_false(is_like("_xid\t7\t_action\tbegin\ttime\t2017-10-09 00:00:00+00"));
	assert_false(is_like("_table\tt\t_xid\t7\t_action\tupdate\ta\t1"));
	assert_false(is_like("_xid\t7\t_action\tcommit\tlsn\t0/1\ttime\t2017-10-09 00:00:00+00"));
	assert_int_equal(incoming_like(&incoming, row, strlen(row), &head), 0);
	assert_false(is_like("_xid\t8\t_action\tbegin\ttime\t2017-10-09 00:00:00+00"));
	assert_int_equal(incoming_like(&incoming, "_table\tt\t_xid\t7\t_action\tupdate\ta\t1", 35, &head), 0);
	assert_int_equal(incoming_like(&incoming, row, strlen(row), &head), strlen(row));
	assert_true(span_is(head.table_pairs, "_table\tt") && span_is(head.xid, "8") && span_is(head.action, "update"));
	assert_int_equal(incoming_like(&incoming, row, strlen(row), &head), strlen(row));
	assert_null(head.action.at);
	assert_false(is_like("_xid\t8\t_action\tcommit\tlsn\t0/2\ttime\t2017-10-09 00:00:00+00"));
	assert_false(is_like("_xid\t10\t_action\tbegin\ttime\t2017-10-09 00:00:00+00"));
	assert_false(is_like("_table\tt\t_xid\t10\t_action\tupdate\ta\t1"));
}

/* As `in` takes it that has seen a transaction of the same second, and as one does that has not. */
static void assert_taken_alike(const struct incoming *in, const char *text, size_t len)
{
	struct incoming usual = *in, slow = *in;
	struct incoming_line taken, again;
	struct err err;

	if (slow.open) /* the `commit` that is expected has another time */
		slow.time[slow.time_len - 1] = '?';
	else
		slow.second = 0;
	int r = incoming_take(&usual, text, len, &taken, &err);
	assert_int_equal(r, incoming_take(&slow, text, len, &again, &err));
	if (r < 0)
		return;
	assert_int_equal(taken.kind, again.kind);
	assert_int_equal(taken.len, again.len);
	assert_int_equal(usual.open, slow.open);
	if (taken.kind == INCOMING_BEGIN)
		assert_int_equal(taken.second, again.second);
	if (taken.kind == INCOMING_COMMIT)
		assert_int_equal(taken.lsn, again.lsn);
	assert_int_equal(usual.xid_len, slow.xid_len);
	assert_memory_equal(usual.xid, slow.xid, usual.xid_len);
}

/* With each byte in turn another one, and cut off anywhere. */
static void assert_each_taken_alike(const struct incoming *in, const char *line)
{
	static const char others[] = "09aAfF/:+-. \t\n\\_x\xc3";
	char text[160];
	size_t len = strlen(line);

	for (size_t at = 0; at < len; at++)
		for (size_t i = 0; i < sizeof others; i++) {
			memcpy(text, line, len);
			text[at] = others[i];
			assert_taken_alike(in, text, len);
		}
	for (size_t cut = 0; cut <= len; cut++)
		assert_taken_alike(in, line, cut);
}

static void the_usual_is_taken_as_the_rest_is(void **state)
{
	(void)state;
	assert_int_equal(second_of("2017-10-09 00:00:01.25+00"), 1507507201);
	assert_each_taken_alike(&incoming, "_xid\t8\t_action\tbegin\ttime\t2017-10-09 00:00:01.123456+00\n_table");
	assert_each_taken_alike(&incoming, "_xid\t8\t_action\tbegin\ttime\t2017-10-09 00:00:01+00");
	assert_false(is_like("_xid\t8\t_action\tbegin\ttime\t2017-10-09 00:00:01.5+00"));
	assert_each_taken_alike(&incoming,
	                        "_xid\t8\t_action\tcommit\tlsn\t16/B374D848\ttime\t2017-10-09 00:00:01.5+00\n_xid");
	assert_each_taken_alike(&incoming, "_xid\t8\t_action\tcommit\tlsn\t0/2\ttime\t2017-10-09 00:00:01.5+00");
	assert_each_taken_alike(&incoming, "_xid\t8\t_action\tmessage\tprefix\ta\tcontent\tb");
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
	    TEST(the_first_row_is_like_the_last_one),
	    TEST(the_usual_is_taken_as_the_rest_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
