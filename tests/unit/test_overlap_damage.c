/* An overlap of a stream that is damaged, given up or another one; a full disk. */
#include "gathered.h"

static void a_flipped_byte_is_found_wherever_it_is(void **state)
{
	static const unsigned xids[] = {20, 21};
	static const char *const files[] = {"segments/1507593600.0.day", "segments/1507680000.0.day"};

	(void)state;
	fixture_begin(&f, fixture_second);
	fixture_define(&f, "zzz", 16384, "text");
	fixture_commit(&f);
	put_days(xids, 2);
	see("20:21:20");
	for (int i = 0; i < 2; i++) {
		size_t len;
		char *text = fixture_read(&f, files[i], &len);
		size_t origin_len = strcspn(text, "\n");
		for (size_t off = 0; off < len; off++) {
			fixture_flip(&f, files[i], off);
			int opened = try_open(1), r = opened;
			if (opened == 0)
				r = overlap_step(overlap, 21, &end, &f.err);
			bool other_generation = opened == -ESTALE && i == 1 && off < origin_len; /* of the newest */
			if (r != -EBADMSG && !other_generation)
				fail_msg("a flipped byte at %zu of %s: %d", off, files[i], r);
			if (r == -EBADMSG && !strstr(f.err.text, files[i]))
				fail_msg("a flipped byte at %zu of %s: %s", off, files[i], f.err.text);
			fixture_flip(&f, files[i], off);
		}
		free(text);
	}
	begin("20:21:20");
	assert_int_equal(step(21), 1);
	check_overlap("20:21:20", 21);
}

static void a_segment_that_is_cut_or_lost_is_found(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40; i++)
		transact(fixture_second, 20 + i, 3);
	mark();
	char *names = fixture_names(&f, ".day"), name[128], moved[256], from[256];
	must(strtok(names, " ") && strtok(NULL, " "));
	snprintf(name, sizeof name, "segments/%s", strtok(NULL, " "));
	snprintf(from, sizeof from, "%s/%s", f.path, name);
	snprintf(moved, sizeof moved, "%s/away", f.path);
	free(names);

	size_t len;
	char *text = fixture_read(&f, name, &len);
	static const size_t cut[] = {1, 20, 200};
	for (int i = 0; i < 3; i++) {
		fixture_cut(&f, name, len - cut[i]);
		begin("20:20:");
		assert_int_equal(overlap_step(overlap, 59, &end, &f.err), -EBADMSG);
		fixture_write(&f, name, text, len);
	}
	free(text);
	must(rename(from, moved) == 0);
	begin("20:20:");
	assert_int_equal(overlap_step(overlap, 59, &end, &f.err), -EBADMSG);
	must(rename(moved, from) == 0);
	begin("20:20:");
	assert_int_equal(step(59), 1);
	check_overlap("20:20:", 59);
}

static void a_newest_segment_that_is_lost_is_found(void **state)
{
	static const unsigned xids[] = {20, 21};

	(void)state;
	put_days(xids, 2);
	fixture_unlink(&f, "*.day");
	begin("20:20:");
	assert_int_equal(overlap_step(overlap, 21, &end, &f.err), -EBADMSG);
	assert_non_null(strstr(f.err.text, "what came behind this is missing"));
}

static void what_retention_gives_up_once_it_is_open_is_read(void **state)
{
	static const unsigned xids[] = {20, 21, 22};
	size_t len, want_len;

	(void)state;
	put_days(xids, 3);
	char *want = naive_overlap("20:20:", 22, &want_len);
	begin("20:20:");
	fixture_unlink(&f, "segments/1507507200.0.day");
	fixture_unlink(&f, "segments/1507593600.0.day");
	fixture_unlink(&f, "segments/1507680000.0.day");
	assert_int_equal(step(22), 1);
	char *text = fixture_read(&f, "overlap", &len);
	assert_int_equal(len, want_len);
	assert_memory_equal(text, want, len);
	free(text);
	free(want);
}

static void what_retention_gives_up_before_it_is_open_is_no_silent_gap(void **state)
{
	static const unsigned xids[] = {20, 21, 22};

	(void)state;
	put_days(xids, 1);
	begin("20:20:");
	assert_int_equal(step(0), 0);
	transact(fixture_second + 3 * 86400, 21, 1);
	transact(fixture_second + 5 * 86400, 22, 1);
	mark();
	fixture_unlink(&f, "segments/1507593600.0.day"); /* the newest that is open, and the next */
	fixture_unlink(&f, "segments/1507766400.0.day");
	assert_int_equal(overlap_step(overlap, 22, &end, &f.err), -ESTALE);
	assert_non_null(strstr(f.err.text, "segments/1507593600.0.day"));
}

static void a_new_generation_ends_it(void **state)
{
	struct origin origin = {.system = 7123, .timeline = 1, .generation = 2, .database = "app", .slot = "daystream"};

	(void)state;
	transact(fixture_second, 20, 1);
	mark();
	struct store_end last;
	store_end(f.store, &last);
	begin("20:20:");
	assert_int_equal(step(0), 0);
	works(origin_write(store_segments_dirfd(f.store), last.last, fixture_second, &origin, 21, f.lsn + 0x100,
	                   "2017-10-09 00:00:00+00", &f.err),
	      f.err);
	assert_int_equal(step(22), 0); /* not known to be on disk */
	fixture_close(&f);
	fixture_open(&f, SMALL_SEGMENT);
	assert_int_equal(overlap_step(overlap, 22, &end, &f.err), -ESTALE);
	assert_non_null(strstr(f.err.text, "generation 2"));
	assert_int_equal(try_open(1), -ESTALE);
	assert_int_equal(try_open(3), -ESTALE);
	works(try_open(2), f.err);
	must(ftruncate(out, 0) == 0 && lseek(out, 0, SEEK_SET) == 0);
	transact(fixture_second, 22, 1);
	mark();
	assert_int_equal(step(22), 1); /* of the former generation nothing, though 20 is not visible */
	size_t len;
	char *text = fixture_read(&f, "overlap", &len);
	assert_null(strstr(text, "\t_xid\t20\t"));
	assert_non_null(strstr(text, "\t_xid\t21\t"));
	check_format(text, len, 22);
	assert_true(end.origin.generation == 2);
	free(text);
}

static void a_full_disk_names_the_file(void **state)
{
	(void)state;
	transact(fixture_second, 20, 1);
	mark();
	close(out);
	must((out = open("/dev/full", O_WRONLY)) >= 0);
	see("20:20:");
	works(try_open(1), f.err);
	assert_int_equal(overlap_step(overlap, 20, &end, &f.err), -ENOSPC);
	assert_non_null(strstr(f.err.text, "overlap"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(a_flipped_byte_is_found_wherever_it_is),
	    TEST(a_segment_that_is_cut_or_lost_is_found),
	    TEST(a_newest_segment_that_is_lost_is_found),
	    TEST(what_retention_gives_up_once_it_is_open_is_read),
	    TEST(what_retention_gives_up_before_it_is_open_is_no_silent_gap),
	    TEST(a_new_generation_ends_it),
	    TEST(a_full_disk_names_the_file),
	};
	return cmocka_run_group_tests_name("overlap_damage", tests, NULL, NULL);
}
