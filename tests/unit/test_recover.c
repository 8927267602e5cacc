/* A store's folder as crashes leave it: it opens with all that was whole. */
#include <sys/resource.h>

#include "recovered.h"

static void a_whole_store_opens_as_it_is(void **state)
{
	struct fixture *f = *state;

	opens_with(f, fixture_size(f, "*.day"));
	assert_true(writer_appended_lsn(f->writer) == fixture_lsn + 0x300);
	assert_true(durable_lsn(writer_durable(f->writer)) == fixture_lsn + 0x300);
}

static void the_newest_segment_without_a_commit_is_removed(void **state)
{
	struct fixture *f = *state;
	static const char torn[] =
	    "_c\t1507507300\t_s\t0\t_action\torigin\tsystem\t7123\ttimeline\t1\tdatabase\tapp\tslot"
	    "\tdaystream\tgeneration\t1\n_c\t1507507300\t_s\t1\t_table\tzzz\t_xid\t9\t_action\tinsert\n";
	size_t len = fixture_size(f, "*.day");

	fixture_write(f, "segments/1507507300.0.day", torn, sizeof torn - 1);
	fixture_open(f, FIXTURE_SEGMENT);
	assert_int_equal(store_len(f->store), len);
	char *names = fixture_names(f, ".day");
	assert_string_equal(names, "1507507200.0.day");
	free(names);
}

static void an_empty_newest_segment_is_removed(void **state)
{
	struct fixture *f = *state;
	size_t len = fixture_size(f, "*.day");

	fixture_write(f, "segments/1507507300.0.day", "", 0);
	fixture_open(f, FIXTURE_SEGMENT);
	assert_int_equal(store_len(f->store), len);
	char *names = fixture_names(f, ".day");
	assert_string_equal(names, "1507507200.0.day");
	free(names);
}

static void the_only_segment_is_never_removed(void **state)
{
	struct fixture *f = *state;
	size_t first_commit = offset_of(f, "crc\t", 1);

	lose_mark(f);
	fixture_cut(f, "*.day", first_commit);
	refused_naming(f, "segments/1507507200.0.day");
}

static void a_torn_last_line_is_cut_off(void **state)
{
	struct fixture *f = *state;
	size_t len = fixture_size(f, "*.day");
	static const char torn[] = "_c\t1507507220\t_s\t0\t_table\tzzz\t_xid\t9\t_action\tins";

	fixture_append(f, "*.day", torn, sizeof torn - 1);
	opens_with(f, len);
}

static void a_transaction_without_its_commit_is_cut_off(void **state)
{
	struct fixture *f = *state;
	size_t len = fixture_size(f, "*.day");
	static const char torn[] = "_c\t1507507220\t_s\t0\t_table\tzzz\t_xid\t9\t_action\tinsert\ta\t1\n"
	                           "_c\t1507507220\t_s\t1\t_table\tzzz\t_xid\t9\t_action\tinsert\ta\t2\n";

	fixture_append(f, "*.day", torn, sizeof torn - 1);
	opens_with(f, len);
}

static void every_torn_end_is_cut_off_at_the_commit_before(void **state)
{
	struct fixture *f = *state;

	append_behind_mark(f, 2);
	size_t whole, mark_end = offset_of(f, "crc\t", 4) + strlen("crc\t01234567\n");
	size_t fifth = offset_of(f, "crc\t", 5) + strlen("crc\t01234567\n"), mark_len;
	char *text = fixture_read(f, "*.day", &whole), *mark = fixture_read(f, "confirmed", &mark_len);
	for (size_t cut = mark_end; cut <= whole; cut++) {
		fixture_write(f, "*.day", text, cut);
		fixture_write(f, "confirmed", mark, mark_len);
		opens_with(f, cut == whole ? whole : cut >= fifth ? fifth : mark_end);
		fixture_close(f);
	}
	free(text);
	free(mark);
}

static void zeros_at_the_end_are_cut_off(void **state)
{
	struct fixture *f = *state;
	size_t len = fixture_size(f, "*.day");

	fixture_cut(f, "*.day", len + 8192); /* a longer length reached the disk, the bytes did not */
	opens_with(f, len);
}

static void garbage_at_the_end_is_cut_off(void **state)
{
	struct fixture *f = *state;
	size_t len = fixture_size(f, "*.day");
	char garbage[3000];

	for (size_t i = 0; i < sizeof garbage; i++)
		garbage[i] = (char)(i * 7919 >> 3);
	fixture_append(f, "*.day", garbage, sizeof garbage);
	opens_with(f, len);
}

static void a_flipped_byte_behind_the_mark_is_cut_off(void **state)
{
	struct fixture *f = *state;
	size_t len = fixture_size(f, "*.day");

	append_behind_mark(f, 1);
	fixture_flip(f, "*.day", offset_of(f, "behind", 1));
	opens_with(f, len);
}

static void a_lost_mark_and_a_torn_end_is_cut_off(void **state)
{
	struct fixture *f = *state;
	size_t last = offset_of(f, "crc\t", 3) + strlen("crc\t01234567\n");

	lose_mark(f);
	fixture_cut(f, "*.day", fixture_size(f, "*.day") - 1);
	opens_with(f, last);
}

static void both_slots_of_the_mark_torn_is_a_lost_mark(void **state)
{
	struct fixture *f = *state;
	size_t len = fixture_size(f, "*.day");

	fixture_write(f, "confirmed", "torn", 4);
	opens_with(f, len);
}

static void one_slot_of_the_mark_torn_leaves_the_other(void **state)
{
	struct fixture *f = *state;

	append_behind_mark(f, 0);
	fixture_open(f, FIXTURE_SEGMENT);
	durable_idle(writer_durable(f->writer), fixture_lsn + 0x5000);
	works(durable_sync(writer_durable(f->writer), 0, &f->err), f->err);
	durable_idle(writer_durable(f->writer), fixture_lsn + 0x6000);
	works(durable_sync(writer_durable(f->writer), 0, &f->err), f->err);
	int newest = store_confirmed(f->store)->kept;
	fixture_close(f);

	fixture_flip(f, "confirmed", (size_t)newest * 512 + 40);
	fixture_open(f, FIXTURE_SEGMENT);
	assert_true(durable_lsn(writer_durable(f->writer)) == fixture_lsn + 0x5000);
}

static void more_segments_than_files_are_allowed_at_first(void **state)
{
	struct fixture *f = *state;
	struct rlimit limit, low;

	fixture_open(f, 64);
	for (uint64_t i = 0; i < 100; i++)
		fixture_put(f, fixture_second + 30 + i, "zzz", "1");
	fixture_close(f);
	must(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	low = limit;
	low.rlim_cur = 50;
	must(setrlimit(RLIMIT_NOFILE, &low) == 0);
	fixture_open(f, FIXTURE_SEGMENT);
	assert_int_equal(fixture_segments(f->store), 101);
	must(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static void a_second_writer_is_refused(void **state)
{
	struct fixture *f = *state;
	struct store *second;

	fixture_open(f, FIXTURE_SEGMENT);
	assert_int_equal(store_open(&second, f->path, STORE_WRITE, &f->err), -EBUSY);
	assert_null(second);
	assert_non_null(strstr(f->err.text, "another daystreamfs"));
	fixture_put(f, fixture_second + 30, "zzz", "the first goes on");
}

static void readers_change_nothing_and_see_whole_transactions(void **state)
{
	struct fixture *f = *state;
	struct store *reader;
	static const char torn[] = "_c\t1507507220\t_s\t0\t_table\tzzz\t_xid\t9\t_action\tins";
	size_t len = fixture_size(f, "*.day"), shown;

	fixture_open(f, FIXTURE_SEGMENT);
	fixture_append(f, "*.day", torn, sizeof torn - 1); /* as of a writer at work */
	works(store_open(&reader, f->path, STORE_READ, &f->err), f->err);
	free(fixture_shown(reader, &shown));
	assert_int_equal(shown, len);
	assert_int_equal(fixture_size(f, "*.day"), len + sizeof torn - 1);
	store_close(reader);
}

static void readers_need_no_mark(void **state)
{
	struct fixture *f = *state;
	size_t shown;

	lose_mark(f);
	works(store_open(&f->store, f->path, STORE_READ, &f->err), f->err);
	free(fixture_shown(f->store, &shown));
	assert_int_equal(shown, fixture_size(f, "*.day"));
	char *path = fixture_path(f, "confirmed");
	assert_int_equal(access(path, F_OK), -1);
	free(path);
}

static void stranger_files_are_passed_over(void **state)
{
	struct fixture *f = *state;
	static const char *const strangers[] = {"notes.day.new",
	                                        "01507507400.0.day",
	                                        "1507507400.day",
	                                        "x.day",
	                                        ".day",
	                                        "1507507400.0.idx",
	                                        "1507507400.0.day~",
	                                        "README",
	                                        "99999999999999999999.0.day",
	                                        "-1.0.day",
	                                        "1507507400.0.DAY"};
	size_t len = fixture_size(f, "*.day");

	for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
		char name[64];
		snprintf(name, sizeof name, "segments/%s", strangers[i]);
		fixture_write(f, name, "stranger", 8);
	}
	fixture_open(f, FIXTURE_SEGMENT);
	assert_int_equal(store_len(f->store), len);
	assert_int_equal(fixture_segments(f->store), 1);
	for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++) {
		char name[64];
		snprintf(name, sizeof name, "segments/%s", strangers[i]);
		assert_int_equal(fixture_size(f, name), 8);
	}
}

static void what_a_crash_left_beside_a_file_is_removed(void **state)
{
	struct fixture *f = *state;

	fixture_write(f, "segments/1507507400.0.day.new", "half", 4);
	fixture_write(f, "segments/1507507400.0.idx.new", "half", 4);
	fixture_open(f, FIXTURE_SEGMENT);
	assert_int_equal(faccessat(store_segments_dirfd(f->store), "1507507400.0.day.new", F_OK, 0), -1);
	assert_int_equal(faccessat(store_segments_dirfd(f->store), "1507507400.0.idx.new", F_OK, 0), -1);
}

static void a_recovered_store_goes_on_with_the_same_positions(void **state)
{
	struct fixture *f = *state;
	size_t len, again_len;

	fixture_open(f, FIXTURE_SEGMENT);
	fixture_put(f, fixture_second + 10, "zzz", "once more");
	char *want = fixture_shown(f->store, &len);
	fixture_close(f);

	fixture_cut(f, "*.day", len - 5);
	lose_mark(f);
	fixture_open(f, FIXTURE_SEGMENT);
	assert_true(f->lsn == fixture_lsn + 0x300);
	f->xid--;
	fixture_put(f, fixture_second + 10, "zzz", "once more");
	char *again = fixture_shown(f->store, &again_len);
	assert_int_equal(again_len, len);
	assert_memory_equal(again, want, len);
	free(want);
	free(again);
}

/* What recovery keeps is on disk: the mark may say so, and then it is damage
 * where it is missing. */
static void what_was_recovered_is_marked(void **state)
{
	struct fixture *f = *state;

	lose_mark(f);
	killed_after_open(f);
	fixture_cut(f, "*.day", offset_of(f, "crc\t", 2) + strlen("crc\t01234567\n"));
	refused_naming(f, "is missing");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(a_whole_store_opens_as_it_is),
	    TEST(the_newest_segment_without_a_commit_is_removed),
	    TEST(an_empty_newest_segment_is_removed),
	    TEST(the_only_segment_is_never_removed),
	    TEST(a_torn_last_line_is_cut_off),
	    TEST(a_transaction_without_its_commit_is_cut_off),
	    TEST(every_torn_end_is_cut_off_at_the_commit_before),
	    TEST(zeros_at_the_end_are_cut_off),
	    TEST(garbage_at_the_end_is_cut_off),
	    TEST(a_flipped_byte_behind_the_mark_is_cut_off),
	    TEST(a_lost_mark_and_a_torn_end_is_cut_off),
	    TEST(both_slots_of_the_mark_torn_is_a_lost_mark),
	    TEST(one_slot_of_the_mark_torn_leaves_the_other),
	    TEST(more_segments_than_files_are_allowed_at_first),
	    TEST(a_second_writer_is_refused),
	    TEST(readers_change_nothing_and_see_whole_transactions),
	    TEST(readers_need_no_mark),
	    TEST(stranger_files_are_passed_over),
	    TEST(what_a_crash_left_beside_a_file_is_removed),
	    TEST(a_recovered_store_goes_on_with_the_same_positions),
	    TEST(what_was_recovered_is_marked),
	};
	return cmocka_run_group_tests_name("recover", tests, NULL, NULL);
}
