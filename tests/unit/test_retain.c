/* What a store gives up and when. */
#include "handmade.h"
#include "retained.h"

/* ---- which -------------------------------------------------------------- */

static void without_limits_nothing_goes(void **state)
{
	(void)state;
	ten_days();
	assert_int_equal(give_up(day(10000), true), 0);
	assert_int_equal(files(".day"), 11);
	assert_int_equal(fixture_segments(f.store), 11);
}

static void by_days_goes_what_ended_before(void **state)
{
	(void)state;
	ten_days();
	config.keep_days = 3;
	give_up(day(10), true); /* day 6 ended on day 7, which is 3 days ago: it stays */
	assert_int_equal(edge().epoch, day(6));
	assert_int_equal(files(".day"), 5);
	assert_int_equal(files(".idx"), 4);
	give_up(day(10), true);
	assert_int_equal(files(".day"), 5);
}

static void a_stream_that_stands_still_loses_nothing(void **state)
{
	(void)state;
	ten_days();
	config.keep_days = 3;
	give_up(day(1000), true);
	assert_int_equal(edge().epoch, day(6));
}

static void a_server_whose_clock_is_ahead_takes_nothing_early(void **state)
{
	(void)state;
	ten_days();
	config.keep_days = 3;
	give_up(day(5), true);
	assert_int_equal(edge().epoch, day(1));
	give_up(day(2), true);
	assert_int_equal(edge().epoch, day(1));
}

static void by_bytes_goes_the_oldest_until_the_rest_fits(void **state)
{
	(void)state;
	ten_days();
	size_t all = (size_t)store_len(f.store), newest = fixture_size(&f, "*.day");
	config.keep_bytes = all;
	give_up(day(10), true);
	assert_int_equal(files(".day"), 11);
	config.keep_bytes = 3 * newest;
	give_up(day(10), true);
	assert_int_equal(files(".day"), 3);
	config.keep_bytes = 1; /* the newest stays */
	give_up(day(10), true);
	assert_int_equal(files(".day"), 1);
	assert_int_equal(edge().epoch, day(10));
	fixture_put(&f, day(11), "zzz", "hen62");
	give_up(day(11), true);
	assert_int_equal(edge().epoch, day(11));
}

static void before_the_oldest_line_all_is_stale(void **state)
{
	struct node line = {.kind = NODE_LINE, .position = {day(3), 0}};
	struct node second = {.kind = NODE_SECOND, .position = {day(3), 0}};
	struct node since = {.kind = NODE_SINCE_LIVE, .position = {day(3), 0}};
	struct node never = {.kind = NODE_LINE, .position = {day(8), 77}};
	struct stat st;

	(void)state;
	ten_days();
	works(file_stat(&shown, &line, &st, &f.err), f.err);
	works(file_stat(&shown, &second, &st, &f.err), f.err);
	works(file_stat(&shown, &since, &st, &f.err), f.err);
	config.keep_days = 3;
	give_up(day(10), true);
	assert_int_equal(file_stat(&shown, &line, &st, &f.err), -ESTALE);
	assert_int_equal(file_stat(&shown, &second, &st, &f.err), -ESTALE);
	assert_int_equal(file_stat(&shown, &since, &st, &f.err), -ESTALE);
	assert_int_equal(file_stat(&shown, &never, &st, &f.err), -ENOENT);
	since.position = (struct position){0, 0};
	assert_int_equal(file_stat(&shown, &since, &st, &f.err), -ESTALE);
	since.position = edge();
	works(file_stat(&shown, &since, &st, &f.err), f.err);

	close_all(); /* also for who starts then */
	open_all(1);
	since.position = (struct position){day(3), 0};
	assert_int_equal(file_stat(&shown, &line, &st, &f.err), -ESTALE);
	assert_int_equal(file_stat(&shown, &since, &st, &f.err), -ESTALE);
}

static void a_store_that_has_all_is_stale_nowhere(void **state)
{
	struct node since = {.kind = NODE_SINCE_LIVE, .position = {1, 0}};
	struct stat st;

	(void)state;
	ten_days();
	for (int i = 0; i < 2; i++) {
		works(file_stat(&shown, &since, &st, &f.err), f.err);
		assert_int_equal(st.st_size, store_len(f.store));
		close_all();
		open_all(1);
	}
}

static void a_store_whose_oldest_are_gone_opens_and_grows(void **state)
{
	size_t len;

	(void)state;
	ten_days();
	config.keep_days = 3;
	give_up(day(10), true);
	char *before = fixture_shown(f.store, &len);
	fixture_write(&f, "segments/1507507200.0.idx", "left by a crash", 15);
	close_all();
	open_all(1);
	assert_int_equal(files(".idx"), 4);
	char *after = fixture_shown(f.store, &len);
	assert_string_equal(before, after);
	fixture_put(&f, day(11), "zzz", "hen62");
	assert_int_equal(files(".day"), 6);
	free(before);
	free(after);
}

static void a_table_that_is_given_up_is_not_there(void **state)
{
	struct node node = {.kind = NODE_TABLE, .table = "old"};
	struct dir *dir;
	struct dir_entry *entry = malloc(sizeof *entry);
	struct stat st;
	int count = 0;

	(void)state;
	must(entry);
	fixture_put(&f, day(1), "old", "1");
	ten_days();
	file_pin(&shown, &node);
	works(file_stat(&shown, &node, &st, &f.err), f.err);
	config.keep_days = 3;
	give_up(day(10), true);
	file_pin(&shown, &node);
	assert_int_equal(file_stat(&shown, &node, &st, &f.err), -ENOENT);
	node = (struct node){.kind = NODE_TABLES};
	works(dir_open(&dir, &shown, &node, &f.err), f.err);
	for (*entry = (struct dir_entry){0}; dir_entry(dir, entry->cookie, entry, &f.err) == 1; count++)
		assert_true(strcmp(entry->name, "yyy") == 0 || strcmp(entry->name, "zzz") == 0);
	assert_int_equal(count, 2);
	dir_close(dir);
	free(entry);
}

/* ---- snapshots ---------------------------------------------------------- */

static bool there(struct position position)
{
	char name[POSITION_TEXT_MAX], path[PATH_MAX];

	snprintf(path, sizeof path, "%s/snapshots/%s", f.path, position_print(name, position));
	return access(path, F_OK) == 0;
}

static void the_newest_snapshot_stays_until_there_is_a_newer_one(void **state)
{
	struct position four = {day(4), 2}, seven = {day(7), 2};

	(void)state;
	ten_days();
	config.keep_days = 1;
	snapshot_put(&f, four, 1, NULL);
	assert_int_equal(give_up(day(10), false), 1);
	assert_int_equal(edge().epoch, day(4));
	assert_true(there(four));
	snapshot_put(&f, seven, 1, (char[]){"zzz"}); /* of one table: that helps nobody else */
	assert_int_equal(give_up(day(10), false), 1);
	assert_true(there(four) && there(seven));

	snapshot_put(&f, seven, 1, NULL);
	assert_int_equal(give_up(day(10), false), 1);
	assert_int_equal(edge().epoch, day(7));
	assert_true(!there(four) && there(seven));
	fixture_put(&f, day(11), "zzz", "1");
	snapshot_put(&f, (struct position){day(11), 2}, 1, NULL);
	assert_int_equal(give_up(day(11), false), 0);
	assert_int_equal(edge().epoch, day(9));
	assert_false(there(seven));
}

static void where_none_can_be_taken_the_disk_comes_first(void **state)
{
	struct position four = {day(4), 2};

	(void)state;
	ten_days();
	config.keep_days = 1;
	snapshot_put(&f, four, 1, NULL);
	assert_int_equal(give_up(day(10), true), 0);
	assert_int_equal(edge().epoch, day(8));
	assert_false(there(four));
	snapshot_put(&f, four, 1, NULL); /* given up already: it keeps nothing */
	config.keep_bytes = 1;
	assert_int_equal(give_up(day(10), false), 0);
	assert_int_equal(edge().epoch, day(10));
	assert_false(there(four));
}

static void snapshots_of_an_older_generation_go(void **state)
{
	struct origin origin = {.system = 7123, .timeline = 1, .generation = 2, .database = "app", .slot = "daystream"};
	struct position four = {day(4), 2}, eight = {day(11), 2};
	struct store_end end;

	(void)state;
	ten_days();
	snapshot_put(&f, four, 1, NULL);
	snapshot_parts(&f, "1507507300.12.new"); /* being written */
	assert_int_equal(give_up(day(10), false), 0);
	assert_true(there(four));
	store_end(f.store, &end);
	works(origin_write(store_segments_dirfd(f.store), end.last, day(11), &origin, 99, end.lsn + 1,
	                   "2017-10-20 00:00:00+00", &f.err),
	      f.err);
	close_all();
	open_all(1);
	snapshot_put(&f, eight, 2, NULL);
	give_up(day(11), false);
	assert_true(!there(four) && there(eight));
	char *left = fixture_path(&f, "snapshots/1507507300.12.new/tables/zzz");
	assert_int_equal(access(left, F_OK), 0);
	free(left);
	left = fixture_path(&f, "snapshots/removed");
	assert_int_equal(access(left, F_OK), -1);
	free(left);
}

static void a_removal_that_broke_off_is_ended_by_the_next(void **state)
{
	struct position one = {day(1), 2}, two = {day(2), 2};

	(void)state;
	ten_days();
	snapshot_put(&f, one, 1, NULL);
	snapshot_put(&f, two, 1, NULL);
	char *from = fixture_path(&f, "snapshots/1507593600.2"), *to = fixture_path(&f, "snapshots/removed");
	must(rename(from, to) == 0);
	config.keep_days = 3;
	give_up(day(10), true);
	assert_false(there(two));
	assert_int_equal(access(to, F_OK), -1);
	free(from);
	free(to);
}

/* The index of the sealed segment with that number, unreadable, and its lines too. */
static void spoil(size_t number)
{
	struct position first = segments_start(store_segments(f.store), number).first;
	char name[SEGMENT_NAME_MAX], path[PATH_MAX];

	snprintf(path, sizeof path, "segments/%s", segment_index_name(name, first));
	fixture_unlink(&f, path);
	snprintf(path, sizeof path, "segments/%s", segment_name(name, first));
	fixture_write(&f, path, "spoilt\n", 7);
}

static void damage_does_not_keep_the_disk_full(void **state)
{
	struct node node = {.kind = NODE_TABLE, .table = "zzz"};
	char buf[1000];

	(void)state;
	fixture_put(&f, day(1), "zzz", "1");
	fixture_put(&f, day(1), "zzz", "2");
	struct file *file = open_node(&node);
	uint64_t len = stat_len(&node);
	assert_int_equal(file_read(file, 0, buf, sizeof buf, &f.err), len);
	ten_days();
	spoil(5); /* which nobody has looked at yet */
	struct stat st;
	assert_true(file_stat(&shown, &node, &st, &f.err) < 0);
	config.keep_days = 3;
	give_up(day(10), true);
	nothing_is_left();
	assert_int_equal(files(".day"), 5);
	assert_int_equal(file_read(file, len, buf, sizeof buf, &f.err), -ESTALE);
	assert_true(stat_len(&node) > len);
	file_close(file);
	file = open_node(&node); /* anew it has what is retained */
	assert_int_equal(file_read(file, 0, buf, sizeof buf, &f.err), stat_len(&node));
	assert_non_null(memmem(buf, stat_len(&node), "fox61", 5));
	file_close(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(without_limits_nothing_goes),
	    TEST(by_days_goes_what_ended_before),
	    TEST(a_stream_that_stands_still_loses_nothing),
	    TEST(a_server_whose_clock_is_ahead_takes_nothing_early),
	    TEST(by_bytes_goes_the_oldest_until_the_rest_fits),
	    TEST(before_the_oldest_line_all_is_stale),
	    TEST(a_store_that_has_all_is_stale_nowhere),
	    TEST(a_store_whose_oldest_are_gone_opens_and_grows),
	    TEST(a_table_that_is_given_up_is_not_there),
	    TEST(the_newest_snapshot_stays_until_there_is_a_newer_one),
	    TEST(where_none_can_be_taken_the_disk_comes_first),
	    TEST(snapshots_of_an_older_generation_go),
	    TEST(a_removal_that_broke_off_is_ended_by_the_next),
	    TEST(damage_does_not_keep_the_disk_full),
	};
	return cmocka_run_group_tests_name("retain", tests, NULL, NULL);
}
