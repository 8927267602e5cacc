/* What a snapshot does not have of the stream, against a plain filter of all that is stored. */
#include "gathered.h"

/* ---- random stores ------------------------------------------------------- */

static unsigned below(unsigned *seed, unsigned n)
{
	return (unsigned)rand_r(seed) % n;
}

/* xids as commits bring them: nearly in order. */
static void shuffle(unsigned *seed, unsigned *xids, unsigned count, unsigned far)
{
	for (unsigned i = 0; i < count; i++)
		xids[i] = 100 + i;
	for (unsigned i = 0; i < count; i++) {
		unsigned j = i + below(seed, far) < count ? i + below(seed, far) : i;
		unsigned other = xids[j < count ? j : i];
		xids[j < count ? j : i] = xids[i];
		xids[i] = other;
	}
}

static void random_snapshot(unsigned *seed, unsigned count, char *text, size_t size)
{
	unsigned xmin = 100 + below(seed, count), xmax = xmin + below(seed, 30);
	int n = snprintf(text, size, "%u:%u:", xmin, xmax);

	for (unsigned xid = xmin, listed = 0; xid < xmax; xid++)
		if (xid == xmin || below(seed, 3) == 0)
			n += snprintf(text + n, size - (size_t)n, "%s%u", listed++ ? "," : "", xid);
}

/* The store grows, rolls and is marked at any time between the steps. */
static void random_store(unsigned seed)
{
	enum { COUNT = 60 };
	unsigned xids[COUNT], second = 0, from = below(&seed, COUNT), i = 0;
	char snapshot[512];
	int r = 0;

	setup_with(below(&seed, 4) ? SMALL_SEGMENT : FIXTURE_SEGMENT);
	shuffle(&seed, xids, COUNT, 1 + below(&seed, 20));
	random_snapshot(&seed, COUNT, snapshot, sizeof snapshot);
	for (; i < COUNT; i++) {
		if (i == from)
			begin(snapshot);
		second += below(&seed, 3) == 0;
		transact(fixture_second + second, xids[i], below(&seed, 5));
		if (below(&seed, 8) == 0)
			mark();
		if (i > from && below(&seed, 4) == 0)
			assert_int_equal(step(0), 0);
	}
	fixture_begin(&f, fixture_second + second);
	f.xid = 100 + COUNT;
	works(fixture_try_line(&f, "_xid\t160\t_action\tmessage\tprefix\tdaystream\tcontent\tx"), f.err);
	fixture_commit(&f);
	if (below(&seed, 2)) {
		mark();
		r = step(100 + COUNT);
	}
	for (unsigned more = 0; more < 5; more++) /* what comes behind it is not of interest */
		transact(fixture_second + second, 100 + COUNT + 1 + more, 3);
	mark();
	if (r == 0)
		r = step(100 + COUNT);
	assert_int_equal(r, 1);
	check_overlap(snapshot, 100 + COUNT);
	teardown(NULL);
}

static void random_stores_give_what_a_plain_filter_gives(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 40; seed++)
		random_store(seed);
}

/* ---- where it begins and ends -------------------------------------------- */

static void it_begins_at_the_first_segment_that_holds_xmin_or_later(void **state)
{
	static const unsigned xids[] = {20, 21, 30, 22, 31};

	(void)state;
	fixture_begin(&f, fixture_second);
	fixture_define(&f, "zzz", 16384, "text");
	fixture_commit(&f);
	put_days(xids, 5);
	fixture_flip(&f, "segments/1507507200.0.day", 150); /* neither is read further */
	fixture_flip(&f, "segments/1507680000.0.day", fixture_size(&f, "segments/1507680000.0.day") - 30);
	begin("30:31:30");
	assert_int_equal(step(31), 1);
	fixture_flip(&f, "segments/1507507200.0.day", 150);
	fixture_flip(&f, "segments/1507680000.0.day", fixture_size(&f, "segments/1507680000.0.day") - 30);
	check_overlap("30:31:30", 31);
	fixture_flip(&f, "segments/1507852800.0.day", fixture_size(&f, "segments/1507852800.0.day") - 30);
	begin("30:31:30"); /* what is visible is checked, too */
	assert_int_equal(overlap_step(overlap, 31, &end, &f.err), -EBADMSG);
	assert_non_null(strstr(f.err.text, "segments/1507852800.0.day at "));
	fixture_flip(&f, "segments/1507852800.0.day", fixture_size(&f, "segments/1507852800.0.day") - 30);
}

static void missing_indexes_change_nothing_and_are_not_written(void **state)
{
	static const unsigned xids[] = {20, 30, 22, 31};

	(void)state;
	put_days(xids, 4);
	char *names = fixture_names(&f, ".idx"), *save = NULL, path[128];
	for (char *one = strtok_r(names, " ", &save); one; one = strtok_r(NULL, " ", &save)) {
		snprintf(path, sizeof path, "segments/%s", one);
		fixture_unlink(&f, path);
	}
	free(names);
	begin("30:31:30");
	assert_int_equal(step(31), 1);
	names = fixture_names(&f, ".idx");
	assert_string_equal(names, "");
	free(names);
	check_overlap("30:31:30", 31);
}

static void the_marker_may_be_first_or_last_or_in_a_new_segment(void **state)
{
	(void)state;
	mark();
	begin("9:9:"); /* the transaction that started the generation */
	assert_int_equal(step(9), 1);
	check_overlap("9:9:", 9);

	transact(fixture_second, 20, 1);
	mark();
	begin("20:20:");
	assert_int_equal(step(20), 1);
	check_overlap("20:20:", 20);

	fixture_begin(&f, fixture_second);
	f.xid = 21;
	fixture_define(&f, "zzz", 16384, "text");
	fixture_commit(&f);
	begin("22:22:");
	mark();
	assert_int_equal(step(22), 0);
	assert_int_equal(step(22), 0);
	transact(fixture_second + 86400, 22, 1); /* its segment opens with lines that are left out */
	mark();
	assert_int_equal(step(22), 1);
	check_overlap("22:22:", 22);
	size_t len, segment_len;
	char *text = fixture_read(&f, "overlap", &len), *segment = fixture_read(&f, "*.day", &segment_len);
	assert_non_null(strstr(segment, "\t_relid\t16384\t"));
	assert_null(strstr(text, "\t_relid\t"));
	assert_true(segment_len > len && memcmp(segment + segment_len - 9, text + len - 9, 8) != 0);
	free(text);
	free(segment);
}

static void a_visible_marker_is_taken(void **state)
{
	(void)state;
	transact(fixture_second, 20, 1);
	mark();
	begin("21:21:");
	assert_int_equal(step(20), 1);
	check_overlap("21:21:", 20);
}

/* Of a commit that waits for a standby, while somebody renames a label and does not wait. */
static void a_definition_that_is_newer_than_what_is_lacking_is_an_error(void **state)
{
	(void)state;
	transact(fixture_second, 20, 1);
	fixture_begin(&f, fixture_second);
	f.xid = 21;
	fixture_define(&f, "zzz", 16384, "mood\\tlabels\\t7=sad");
	fixture_commit(&f);
	mark();
	begin("20:22:20"); /* 20 wrote to another table */
	assert_int_equal(step(0), 0);
	transact(fixture_second, 22, 2);
	fixture_begin(&f, fixture_second);
	f.xid = 23;
	fixture_define(&f, "zzz", 16384, "mood\\tlabels\\t7=glad");
	fixture_commit(&f);
	mark();
	begin("20:24:20,22");
	assert_int_equal(overlap_step(overlap, 0, &end, &f.err), -EAGAIN);
	assert_non_null(strstr(f.err.text, "(zzz)"));
	begin("20:24:20,23"); /* it is all before */
	assert_int_equal(step(0), 0);
	begin("20:24:20,22,23"); /* it comes, too */
	assert_int_equal(step(0), 0);
}

/* ---- the mark ------------------------------------------------------------ */

static void nothing_behind_the_mark_is_taken(void **state)
{
	(void)state;
	mark();
	begin("20:20:");
	transact(fixture_second, 20, 3);
	works(writer_flush(f.writer, &f.err), f.err);
	must(fixture_size(&f, "*.day") > 300);
	assert_int_equal(step(20), 0);
	assert_int_equal(fixture_size(&f, "overlap"), 0);
	mark();
	assert_int_equal(step(20), 1);
	check_overlap("20:20:", 20);
}

static void the_mark_comes_though_nothing_follows_the_last_commit(void **state)
{
	(void)state;
	mark();
	transact(fixture_second, 20, 1);
	fixture_sync(&f); /* the mark is younger than a second */
	begin("20:20:");
	for (int tries = 0; tries < 3 && step(20) == 0; tries++)
		works(durable_sync(writer_durable(f.writer), 1500, &f.err), f.err);
	check_overlap("20:20:", 20);
}

static void what_was_read_ahead_and_taken_back_is_read_again(void **state)
{
	(void)state;
	transact(fixture_second, 20, 1);
	mark();
	begin("20:20:");
	fixture_begin(&f, fixture_second);
	fixture_insert(&f, "zzz", "the source breaks off");
	works(writer_flush(f.writer, &f.err), f.err);
	assert_int_equal(step(0), 0);
	works(writer_rollback(f.writer, &f.err), f.err);
	transact(fixture_second, 21, 4);
	mark();
	assert_int_equal(step(21), 1);
	check_overlap("20:20:", 21);
}

static void a_torn_end_behind_the_mark_does_no_harm(void **state)
{
	(void)state;
	transact(fixture_second, 20, 1);
	mark();
	fixture_append(&f, "*.day", "_c\t1507", 7);
	begin("20:20:");
	assert_int_equal(step(21), 0);
	fixture_cut(&f, "*.day", fixture_size(&f, "*.day") - 7);
	assert_int_equal(step(21), 0);
	transact(fixture_second, 21, 1);
	mark();
	assert_int_equal(step(21), 1);
	check_overlap("20:20:", 21);
}

static void a_segment_that_is_just_being_made_is_not_looked_at(void **state)
{
	(void)state;
	transact(fixture_second, 20, 1);
	mark();
	fixture_write(&f, "segments/1507593600.0.day", "", 0);
	begin("20:20:");
	assert_int_equal(step(21), 0);
	assert_true(fixture_size(&f, "overlap") > 0);
}

static void a_store_that_tells_nothing_durable_is_an_error(void **state)
{
	(void)state;
	transact(fixture_second, 20, 1);
	mark();
	char *path = fixture_path(&f, "confirmed");
	char zeros[1024] = {0};
	fixture_write(&f, "confirmed", zeros, sizeof zeros);
	see("20:20:");
	assert_int_equal(try_open(1), -ENOENT);
	must(unlink(path) == 0);
	assert_int_equal(try_open(1), -ENOENT);
	free(path);
}

static void a_transaction_larger_than_the_buffers_is_taken(void **state)
{
	enum { LINE = 700 << 10 };
	char *value = malloc(LINE + 1);

	(void)state;
	must(value);
	memset(value, 'x', LINE);
	value[LINE] = 0;
	transact(fixture_second, 20, 1);
	fixture_begin(&f, fixture_second);
	f.xid = 21;
	for (int i = 0; i < 12; i++) {
		fixture_insert(&f, "zzz", value + (i % 3 ? LINE - 60000 : 0));
		fixture_insert(&f, "zzz", "1");
	}
	fixture_commit(&f);
	transact(fixture_second, 22, 1);
	mark();
	begin("21:21:");
	assert_int_equal(step(22), 1);
	check_overlap("21:21:", 22);
	free(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    cmocka_unit_test(random_stores_give_what_a_plain_filter_gives),
	    TEST(it_begins_at_the_first_segment_that_holds_xmin_or_later),
	    TEST(missing_indexes_change_nothing_and_are_not_written),
	    TEST(the_marker_may_be_first_or_last_or_in_a_new_segment),
	    TEST(a_visible_marker_is_taken),
	    TEST(a_definition_that_is_newer_than_what_is_lacking_is_an_error),
	    TEST(nothing_behind_the_mark_is_taken),
	    TEST(the_mark_comes_though_nothing_follows_the_last_commit),
	    TEST(what_was_read_ahead_and_taken_back_is_read_again),
	    TEST(a_torn_end_behind_the_mark_does_no_harm),
	    TEST(a_segment_that_is_just_being_made_is_not_looked_at),
	    TEST(a_store_that_tells_nothing_durable_is_an_error),
	    TEST(a_transaction_larger_than_the_buffers_is_taken),
	};
	return cmocka_run_group_tests_name("overlap", tests, NULL, NULL);
}
