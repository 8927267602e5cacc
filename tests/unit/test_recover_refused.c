/* A store's folder as disks and people leave it: what is damaged or missing is said, and nothing is cut off. */
#include "recovered.h"

static void no_segment_says_to_run_init(void **state)
{
	struct fixture *f = *state;

	fixture_unlink(f, "*.day");
	assert_int_equal(store_open(&f->store, f->path, STORE_WRITE, &f->err), -ENOENT);
	assert_non_null(strstr(f->err.text, "daystream init"));
}

static void no_folder_of_segments_says_to_run_init(void **state)
{
	struct fixture *f = *state;
	char path[PATH_MAX];

	fixture_unlink(f, "*.day");
	snprintf(path, sizeof path, "%s/segments", f->path);
	must(rmdir(path) == 0);
	assert_int_equal(store_open(&f->store, f->path, STORE_READ, &f->err), -ENOENT);
	assert_non_null(strstr(f->err.text, "daystream init"));
}

static void a_flipped_byte_before_the_mark_is_refused(void **state)
{
	struct fixture *f = *state;
	char at[32];

	snprintf(at, sizeof at, "at %zu", offset_of(f, "_c\t", 3)); /* the commit line tells it */
	fixture_flip(f, "*.day", offset_of(f, "fox61", 1));
	refused_naming(f, "segments/1507507200.0.day", at, "checksum differs, so the damage is between ");
}

static void every_flipped_byte_before_the_mark_is_refused(void **state)
{
	struct fixture *f = *state;
	size_t len = fixture_size(f, "*.day");

	for (size_t off = 0; off < len; off++) {
		fixture_flip(f, "*.day", off);
		refused_naming(f, "segments/1507507200.0.day", "damage");
		fixture_flip(f, "*.day", off);
	}
	opens_with(f, len);
}

static void a_cut_before_the_mark_is_refused(void **state)
{
	struct fixture *f = *state;

	fixture_cut(f, "*.day", offset_of(f, "crc\t", 3) + strlen("crc\t01234567\n"));
	refused_naming(f, "segments/1507507200.0.day", "is missing", "1507507210.5");
}

static void a_lost_mark_and_good_commits_behind_damage_is_refused(void **state)
{
	struct fixture *f = *state;

	lose_mark(f);
	fixture_flip(f, "*.day", offset_of(f, "fox61", 2));
	refused_naming(f, "segments/1507507200.0.day", "whole transactions follow");
}

/* A tail that cannot be read may hold good transactions: it is not to be cut off. */
static void what_follows_damage_is_not_guessed_where_it_cannot_be_read(void **state)
{
	struct fixture *f = *state;
	char *path = fixture_path(f, "*.day");
	int readable = open(path, O_RDONLY), unreadable = open(path, O_WRONLY);
	uint64_t len = fixture_size(f, "*.day");

	assert_int_equal(segment_commit_follows(readable, 0, len, &f->err), 1);
	assert_int_equal(segment_commit_follows(readable, len, len, &f->err), 0);
	assert_int_equal(segment_commit_follows(readable, len - 1, len - 1, &f->err), 0);
	assert_int_equal(segment_commit_follows(unreadable, 0, len, &f->err), -EBADF);
	close(readable);
	close(unreadable);
	free(path);
}

static void a_newest_segment_older_than_the_mark_is_refused(void **state)
{
	struct fixture *f = *state;

	fixture_open(f, 64); /* rolls at each transaction */
	fixture_put(f, fixture_second + 30, "zzz", "in the next segment");
	fixture_close(f);
	fixture_unlink(f, "segments/1507507230.0.day");
	refused_naming(f, "segments/1507507200.0.day", "1507507230", "is missing");
}

/* Two sealed segments before the newest. */
static void roll_twice(struct fixture *f)
{
	fixture_open(f, 64);
	fixture_put(f, fixture_second + 30, "zzz", "in the next segment");
	fixture_put(f, fixture_second + 40, "zzz", "in the one after that");
	fixture_close(f);
}

static void a_sealed_segment_that_was_cut_is_refused(void **state)
{
	struct fixture *f = *state;
	static const char sealed[] = "segments/1507507230.0.day";
	size_t len, lengths[] = {0, 1, 100};

	roll_twice(f);
	char *text = fixture_read(f, sealed, &len), *commit = strstr(text, "_action\tcommit");
	for (size_t i = 0; i < 3; i++) {
		fixture_write(f, sealed, text, lengths[i]);
		refused_naming(f, sealed, "does not end on a commit");
	}
	fixture_write(f, sealed, text, len - 1);
	refused_naming(f, sealed, "does not end on a commit");
	fixture_write(f, sealed, text, (size_t)(commit - text));
	refused_naming(f, sealed, "does not end on a commit");
	memset(text + len - 20, 0, 20);
	fixture_write(f, sealed, text, len);
	refused_naming(f, sealed, "does not end on a commit");
	free(text);
}

static void a_sealed_segment_that_is_another_one_is_refused(void **state)
{
	struct fixture *f = *state;
	size_t len;

	roll_twice(f);
	char *newest = fixture_read(f, "*.day", &len);
	fixture_write(f, "segments/1507507230.0.day", newest, len);
	refused_naming(f, "segments/1507507230.0.day", "does not fit");
	free(newest);
}

static void a_segment_missing_within_a_second_is_refused(void **state)
{
	struct fixture *f = *state;

	fixture_open(f, 64);
	for (int i = 0; i < 3; i++)
		fixture_put(f, fixture_second + 30, "zzz", "in a segment of its own");
	fixture_close(f);
	fixture_unlink(f, "segments/1507507230.3.day");
	refused_naming(f, "segments/1507507230.0.day", "a segment is missing");
}

/* It sorts behind the mark, where a crash may leave a segment without a whole transaction. */
static void a_renamed_segment_is_never_removed(void **state)
{
	struct fixture f;
	size_t len, kept;

	(void)state;
	fixture_start(&f, 1000);
	for (int i = 0; i < 40; i++)
		fixture_put(&f, fixture_second + 1, "zzz", "1");
	fixture_close(&f);
	char *names = fixture_names(&f, ".day"), *second = strchr(names, ' ') + 1, old[128],
	     new[] = "segments/1507507201.999999.day";
	snprintf(old, sizeof old, "segments/%.*s", (int)strcspn(second, " "), second);
	char *text = fixture_read(&f, old, &len);
	fixture_unlink(&f, old);
	fixture_write(&f, new, text, len);
	assert_int_equal(store_open(&f.store, f.path, STORE_WRITE, &f.err), -EBADMSG);
	assert_non_null(strstr(f.err.text, "999999.day begins with the line"));
	char *after = fixture_read(&f, new, &kept);
	assert_int_equal(kept, len);
	assert_memory_equal(after, text, len);
	free(after);
	free(text);
	free(names);
	nftw(f.path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Where the next one begins a second, the positions do not tell; the index that stayed does. */
static void a_segment_that_somebody_took_is_missed(void **state)
{
	struct fixture f;
	char taken[128];

	(void)state;
	fixture_start(&f, 1000);
	for (unsigned i = 0; i < 60; i++)
		fixture_put(&f, fixture_second + i, "zzz", "1");
	fixture_close(&f);
	char *names = fixture_names(&f, ".day"), *second = strchr(names, ' ') + 1;
	assert_true(fixture_size(&f, "*.idx") > 0);
	int len = (int)strcspn(second, " ");
	assert_memory_equal(second + len - 6, ".0.day", 6);
	snprintf(taken, sizeof taken, "segments/%.*s", len, second);
	fixture_unlink(&f, taken);
	assert_int_equal(store_open(&f.store, f.path, STORE_WRITE, &f.err), -EBADMSG);
	assert_non_null(strstr(f.err.text, taken));
	assert_non_null(strstr(f.err.text, "is missing"));
	free(names);
	nftw(f.path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(no_segment_says_to_run_init),
	    TEST(no_folder_of_segments_says_to_run_init),
	    TEST(a_flipped_byte_before_the_mark_is_refused),
	    TEST(every_flipped_byte_before_the_mark_is_refused),
	    TEST(a_cut_before_the_mark_is_refused),
	    TEST(a_lost_mark_and_good_commits_behind_damage_is_refused),
	    TEST(what_follows_damage_is_not_guessed_where_it_cannot_be_read),
	    TEST(a_newest_segment_older_than_the_mark_is_refused),
	    TEST(a_sealed_segment_that_was_cut_is_refused),
	    TEST(a_sealed_segment_that_is_another_one_is_refused),
	    TEST(a_segment_missing_within_a_second_is_refused),
	    cmocka_unit_test(a_renamed_segment_is_never_removed),
	    cmocka_unit_test(a_segment_that_somebody_took_is_missed),
	};
	return cmocka_run_group_tests_name("recover_refused", tests, NULL, NULL);
}
