/* From a source to the store, on disks that fill and fail. */
#include "scene.h"

static int received(struct scene *s)
{
	pthread_mutex_lock(&s->fake.lock);
	int at = s->fake.at;
	pthread_mutex_unlock(&s->fake.lock);
	return at;
}

static void a_full_disk_is_waited_for(void **state)
{
	struct scene *s = *state;

	writes_left = 5;
	write_error = ENOSPC;
	start(s);
	until(in_state(s, "waiting"));
	usleep(1200000);
	until(in_state(s, "waiting")); /* where others made room on this disk, it has tried meanwhile */
	assert_true(confirmed(s) < lsn_of(TRANSACTIONS - 1));
	assert_in_range(refused, 1, 20); /* not again and again */
	write_error = 0;
	until(confirmed(s) == lsn_of(TRANSACTIONS - 1));
	until(in_state(s, "streaming"));
	assert_int_equal(stop(s), 0);
	all_is_there(s);
}

static void a_stop_while_the_disk_is_full_is_quick_and_loses_nothing(void **state)
{
	struct scene *s = *state;

	for (int left = 0; left < 6; left += 2) {
		writes_left = left;
		write_error = ENOSPC;
		start(s);
		until(in_state(s, "waiting"));
		assert_int_equal(stop(s), 0);
		fixture_close(&s->f);
		write_error = 0;
		fixture_open(&s->f, 1500);
		s->fake.store = s->f.store;
	}
	start(s);
	until(confirmed(s) == lsn_of(TRANSACTIONS - 1));
	assert_int_equal(stop(s), 0);
	all_is_there(s);
}

/* What came while the disk was at work is whole. */
static void a_final_error_takes_no_commit_back_that_was_gathered(void **state)
{
	enum { GATHERED = 10 };
	struct scene *s = *state;
	struct store_end end;

	fixture_close(&s->f);
	fixture_open(&s->f, 1 << 20);
	s->fake.store = s->f.store;
	s->fake.last = 1;
	sync_waits = true;
	start(s);
	until(sync_came);
	pthread_mutex_lock(&s->fake.lock);
	s->fake.last = GATHERED;
	pthread_mutex_unlock(&s->fake.lock);
	until(received(s) == GATHERED);
	pthread_mutex_lock(&s->fake.lock);
	s->fake.receive_error = -EPROTO;
	pthread_mutex_unlock(&s->fake.lock);
	until(s->ended);
	sync_waits = false;
	assert_int_equal(stop(s), -EPROTO);
	assert_string_equal(s->f.err.text, "the source says no");
	store_end(s->f.store, &end);
	assert_int_equal(end.lsn, lsn_of(GATHERED - 1));
}

/* Killed then, the daemon might be started with the list that was before, which would be the one that is marked. */
static void of_another_list_no_commit_is_written_before_the_last_one_is_over(void **state)
{
	struct scene *s = *state;
	struct confirmed_file confirmed_now;
	size_t len;

	s->fake.source.choice = 7;
	s->fake.last = 1;
	sync_waits = true;
	start(s);
	until(received(s) == 1 && sync_came);
	usleep(300000);
	char *text = fixture_read(&s->f, "*.day", &len);
	assert_null(strstr(text, "_table\tzzz"));
	free(text);
	sync_waits = false;
	until(confirmed(s) == lsn_of(0));
	assert_int_equal(stop(s), 0);
	works(confirmed_open(&confirmed_now, store_dirfd(s->f.store), false, &s->f.err), s->f.err);
	assert_int_equal(confirmed_now.now.choice, 7);
	confirmed_close(&confirmed_now);
}

static void nor_is_it_while_the_disk_is_too_full_to_mark_that(void **state)
{
	struct scene *s = *state;

	s->fake.source.choice = 7;
	write_error = ENOSPC;
	start(s);
	until(in_state(s, "waiting"));
	usleep(1200000);
	until(in_state(s, "waiting")); /* where others made room on this disk, it has tried meanwhile */
	assert_true(confirmed(s) < lsn_of(TRANSACTIONS - 1));
	assert_in_range(refused, 1, 20); /* not again and again */
	write_error = 0;
	until(confirmed(s) == lsn_of(TRANSACTIONS - 1));
	assert_int_equal(stop(s), 0);
	all_is_there(s);
}

static void a_failed_write_or_sync_ends_it(void **state)
{
	struct scene *s = *state;

	for (int i = 0; i < 2; i++) {
		s->ended = 0;
		if (i)
			sync_error = EIO;
		else
			write_error = EIO;
		start(s);
		until(s->ended == 1);
		assert_int_equal(stop(s), -EIO);
		write_error = sync_error = 0;
		fixture_close(&s->f);
		fixture_open(&s->f, 1500);
		s->fake.store = s->f.store;
	}
	start(s);
	until(confirmed(s) == lsn_of(TRANSACTIONS - 1));
	assert_int_equal(stop(s), 0);
	all_is_there(s);
}

static void a_full_disk_does_not_spin_on_idle_wal(void **state)
{
	struct scene *s = *state;

	s->fake.last = 0;
	start(s);
	until(in_state(s, "streaming"));
	write_error = ENOSPC;
	keepalive(s, lsn_of(3), false);
	until(refused > 0);
	usleep(1500000);
	assert_in_range(refused, 1, 6);
	assert_true(confirmed(s) < lsn_of(3));
	write_error = 0;
	until(confirmed(s) == lsn_of(3));
	assert_int_equal(stop(s), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(a_full_disk_is_waited_for),
	    TEST(a_stop_while_the_disk_is_full_is_quick_and_loses_nothing),
	    TEST(a_final_error_takes_no_commit_back_that_was_gathered),
	    TEST(of_another_list_no_commit_is_written_before_the_last_one_is_over),
	    TEST(nor_is_it_while_the_disk_is_too_full_to_mark_that),
	    TEST(a_failed_write_or_sync_ends_it),
	    TEST(a_full_disk_does_not_spin_on_idle_wal),
	};
	return cmocka_run_group_tests_name("ingest_disk", tests, golden_make, golden_free);
}
