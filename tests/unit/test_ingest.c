/* From a source to the store, with sources that break and stops at any time. */
#include "scene.h"

static void what_the_source_sends_is_shown_and_confirmed(void **state)
{
	struct scene *s = *state;

	start(s);
	until(confirmed(s) == lsn_of(TRANSACTIONS - 1));
	assert_int_equal(stop(s), 0);
	all_is_there(s);
	assert_int_equal(s->ended, 0);
}

static void followed_up_to(struct scene *s, int last)
{
	s->fake.last = last;
	start(s);
	until(confirmed(s) == lsn_of(last - 1));
	assert_int_equal(stop(s), 0);
}

static void what_comes_again_is_left_out(void **state)
{
	struct scene *s = *state;

	followed_up_to(s, 35);
	s->fake.again = 5;
	followed_up_to(s, TRANSACTIONS);
	assert_int_equal(s->fake.first_confirm, lsn_of(29));
	all_is_there(s);
}

static void another_history_ends_it_and_is_not_confirmed(void **state)
{
	struct scene *s = *state;

	followed_up_to(s, 35);
	s->fake.again = 5;
	s->fake.twist = 1;
	s->fake.last = TRANSACTIONS;
	start(s);
	until(s->ended);
	assert_int_equal(stop(s), -EPROTO);
	assert_non_null(strstr(s->f.err.text, "history"));
	assert_int_equal(s->fake.first_confirm, lsn_of(29));
	assert_int_equal(confirmed(s), lsn_of(34));
}

static void a_connection_that_breaks_loses_and_repeats_nothing(void **state)
{
	struct scene *s = *state;

	for (int breaks = 4; breaks < 12; breaks += 3) {
		s->fake.breaks = breaks;
		start(s);
		for (int i = 0; i < 4; i++) {
			uint64_t before = confirmed(s);
			until(confirmed(s) > before || confirmed(s) == lsn_of(TRANSACTIONS - 1));
		}
		assert_int_equal(stop(s), 0);
	}
	s->fake.breaks = 0;
	start(s);
	until(confirmed(s) == lsn_of(TRANSACTIONS - 1));
	assert_int_equal(stop(s), 0);
	all_is_there(s);
}

static void a_source_that_is_not_there_is_tried_again(void **state)
{
	struct scene *s = *state;

	s->fake.refuse = 2;
	start(s);
	until(confirmed(s) == lsn_of(TRANSACTIONS - 1));
	assert_int_equal(s->fake.starts, 3);
	assert_int_equal(stop(s), 0);
	all_is_there(s);
}

static void stops_and_starts_change_nothing(void **state)
{
	struct scene *s = *state;
	unsigned seed = 7;

	for (int i = 0; i < 60; i++) {
		start(s);
		usleep((unsigned)rand_r(&seed) % 400);
		assert_int_equal(stop(s), 0);
		if (i % 3)
			continue;
		fixture_close(&s->f);
		fixture_open(&s->f, 1500);
		s->fake.store = s->f.store;
	}
	fixture_close(&s->f);
	fixture_open(&s->f, 1500);
	s->fake.store = s->f.store;
	start(s);
	until(confirmed(s) == lsn_of(TRANSACTIONS - 1));
	assert_int_equal(stop(s), 0);
	all_is_there(s);
}

static void a_stop_is_never_missed_while_connecting(void **state)
{
	struct scene *s = *state;
	unsigned seed = 7;

	s->fake.block = true;
	slow_poll_us = 300;
	for (int i = 0; i < 100; i++) {
		start(s);
		usleep((unsigned)rand_r(&seed) % 400);
		assert_int_equal(stop(s), 0);
		fixture_close(&s->f); /* since a writer that was stopped stays so */
		fixture_open(&s->f, 1500);
	}
}

static void a_final_error_ends_it_and_is_told(void **state)
{
	struct scene *s = *state;

	s->fake.receive_error = -EPROTO;
	start(s);
	until(s->ended);
	assert_true(in_state(s, "stopped"));
	assert_int_equal(stop(s), -EPROTO);
	assert_string_equal(s->f.err.text, "the source says no");
	assert_int_equal(s->ended, 1);
}

#define BEGIN "_xid\t1\t_action\tbegin\ttime\t2017-10-09 00:00:00+00\n"
#define COMMIT "\n_xid\t1\t_action\tcommit\tlsn\tFF/0\ttime\tx"
static void nonsense_ends_it(void **state)
{
	static const char *const lines[] = {
	    "nonsense", "", "\n", "_xid\t1\t_action\tbegin", "_xid\t1\t_action\tbegin\ttime\tnow",
	    "_xid\t1\t_action\tbegin\ttime\t2017-10-09 00:00:00+00\n_xid\t1\t_action\tbegin\ttime\t2017-10-09 "
	    "00:00:00+00",
	    "_table\tzzz\t_xid\t1\t_action\tinsert\ta\t1", "_xid\t1\t_action\tcommit\tlsn\t0/1\ttime\tx",
	    "_c\t1\t_s\t1\t_xid\t1\t_action\tbegin\ttime\t2017-10-09 00:00:00+00",
	    "_xid\t1\t_action\tbegin\ttime\t2017-10-09 00:00:00+00\n_xid\t1\t_action\tcommit\tlsn\tx\ttime\tx",
	    "_xid\t1\t_action\tbegin\ttime\t2017-10-09 "
	    "00:00:00+00\n_xid\t1\t_action\tcommit\tlsn\t0/1\ttime\tx\tcrc\t01234567",
	    "_xid\t1\t_action\tbegin\ttime\t2017-10-09 00:00:00+00\n_table\tt\t_xid\t1\t_action\tschema\ta\tb",
	    /* What the daemon alone writes; what no reader could place or understand; a commit before its time. */
	    BEGIN "_xid\t1\t_action\torigin\tsystem\t1\ttimeline\t1\tdatabase\td\tslot\ts\tgeneration\t2" COMMIT,
	    BEGIN "_xid\t1\t_action\tinsert\ta\t1" COMMIT, BEGIN "_table\t\t_xid\t1\t_action\tinsert\ta\t1" COMMIT,
	    BEGIN "_table\t\\N\t_xid\t1\t_action\tinsert\ta\t1" COMMIT,
	    BEGIN "_table\tt\t_xid\t2\t_action\tinsert\ta\t1" COMMIT,
	    BEGIN "_table\tt\t_xid\t1\t_action\tinsert\ta\t1\tb" COMMIT,
	    BEGIN "_table\tt\t_xid\t1\t_action\tinsert\ta\t\\q" COMMIT,
	    BEGIN "_table\tt\t_xid\t1\t_action\tinsert\ta\t1\r" COMMIT,
	    BEGIN "_table\tt\t_xid\t1\t_action\tinsert\ta\t\xc3" COMMIT,
	    BEGIN "_table\tt\t_xid\t1\t_action\tinsert\ta\t1\n_xid\t1\t_action\tcommit\tlsn\t0/1\ttime\tx",
	    BEGIN "_table\tt\t_xid\t1\t_action\tinsert\ta\t1\n_table\tt\t_xid\t1\t_action\tcommit\tlsn\tFF/0\ttime\tx"};
	struct scene *s = *state;

	s->fake.last = 0;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		size_t len = (size_t)store_len(s->f.store);
		s->ended = 0;
		s->fake.nonsense = lines[i];
		start(s);
		if (*lines[i]) {
			until(s->ended);
			assert_true(stop(s) < 0);
		} else {
			assert_int_equal(stop(s), 0);
		}
		fixture_close(&s->f);
		fixture_open(&s->f, 1500);
		assert_int_equal(store_len(s->f.store), len);
		s->fake.store = s->f.store;
	}
}

/* A transaction that was replicated has its origin's time. */
static void any_time_of_an_origin_is_taken(void **state)
{
	static const char *const times[] = {"infinity", "-infinity", "294276-12-31 23:59:59.999999+00",
	                                    "2500-03-15 00:00:00+00 BC", "1969-12-31 00:00:00+00"};
	struct scene *s = *state;
	struct store_end before, after;
	char lines[512];

	s->fake.last = 0;
	for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
		store_end(s->f.store, &before);
		snprintf(lines, sizeof lines,
		         "_xid\t7\t_action\tbegin\ttime\t%s\n_xid\t7\t_action\tmessage\tprefix\t\tcontent\t\n"
		         "_xid\t7\t_action\tcommit\tlsn\tFF/%zu0\ttime\t%s",
		         times[i], i + 1, times[i]);
		s->fake.nonsense = lines;
		start(s);
		until(s->ended || store_len(s->f.store) > before.off);
		assert_int_equal(stop(s), 0);
		store_end(s->f.store, &after);
		assert_int_equal(after.last.epoch, before.last.epoch);
		assert_int_equal(after.last.seq, before.last.seq + 2);
	}
}

/* In another session of the server's it may not come. */
static void a_transaction_of_what_is_in_force_is_none(void **state)
{
	static const char *const columns[] = {"\ta\tnumber\\t1\\ttype\\ttext", "\ta\tnumber\\t1\\ttype\\ttext",
	                                      "\ta\tnumber\\t1\\ttype\\tint8"};
	struct scene *s = *state;
	char lines[512];

	s->fake.last = 0;
	for (unsigned i = 0; i < 3; i++) {
		uint64_t len = store_len(s->f.store), lsn = ((uint64_t)0xff << 32) + 0x10 * (i + 1);
		snprintf(lines, sizeof lines,
		         BEGIN "_table\tt\t_xid\t1\t_relid\t1\t_key\ta\t_action\tschema%s\n"
		               "_xid\t1\t_action\tcommit\tlsn\tFF/%u0\ttime\tx",
		         columns[i], i + 1);
		s->fake.nonsense = lines;
		start(s);
		until(s->ended || confirmed(s) == lsn);
		assert_int_equal(stop(s), 0);
		assert_int_equal(store_len(s->f.store) > len, i != 1);
	}
}

static void idle_wal_is_confirmed_soon_and_at_once_where_asked(void **state)
{
	struct scene *s = *state;

	start(s);
	until(confirmed(s) == lsn_of(TRANSACTIONS - 1));
	keepalive(s, lsn_of(TRANSACTIONS) + 0x10, false);
	until(confirmed(s) == lsn_of(TRANSACTIONS) + 0x10);
	keepalive(s, lsn_of(TRANSACTIONS) + 0x20, false);
	until(confirmed(s) == lsn_of(TRANSACTIONS) + 0x20);
	/* Unasked each would take a second. */
	uint64_t last = lsn_of(TRANSACTIONS) + 0x20;
	uint64_t asked_until = now_ms() + PATIENCE_MS;
	for (int i = 0; i < 20; i++) {
		last += 0x10;
		keepalive(s, last, true);
		until(confirmed(s) == last);
	}
	assert_true(now_ms() < asked_until);
	assert_int_equal(stop(s), 0);
	assert_true(store_confirmed(s->f.store)->now.idle_lsn == last);
	all_is_there(s);
}

static unsigned confirms(struct scene *s)
{
	pthread_mutex_lock(&s->fake.lock);
	unsigned confirms = s->fake.confirms;
	pthread_mutex_unlock(&s->fake.lock);
	return confirms;
}

static void an_answer_is_sent_though_nothing_is_new(void **state)
{
	struct scene *s = *state;

	s->fake.last = 0;
	start(s);
	until(in_state(s, "streaming"));
	/* A sign of life comes every five seconds anyway. */
	uint64_t asked_until = now_ms() + PATIENCE_MS;
	for (int i = 0; i < 6; i++) {
		unsigned before = confirms(s);
		keepalive(s, 1, true);
		until(confirms(s) > before);
	}
	assert_true(now_ms() < asked_until);
	assert_int_equal(stop(s), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(what_the_source_sends_is_shown_and_confirmed),
	    TEST(what_comes_again_is_left_out),
	    TEST(another_history_ends_it_and_is_not_confirmed),
	    TEST(a_connection_that_breaks_loses_and_repeats_nothing),
	    TEST(a_source_that_is_not_there_is_tried_again),
	    TEST(stops_and_starts_change_nothing),
	    TEST(a_stop_is_never_missed_while_connecting),
	    TEST(a_final_error_ends_it_and_is_told),
	    TEST(nonsense_ends_it),
	    TEST(any_time_of_an_origin_is_taken),
	    TEST(a_transaction_of_what_is_in_force_is_none),
	    TEST(idle_wal_is_confirmed_soon_and_at_once_where_asked),
	    TEST(an_answer_is_sent_though_nothing_is_new),
	};
	return cmocka_run_group_tests_name("ingest", tests, golden_make, golden_free);
}
