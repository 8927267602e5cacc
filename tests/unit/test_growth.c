/* A store that is copied in any order, with what may stand there in between: whole transactions are shown, in order,
 * each byte the writer's, or nothing. */
#include "fixture.h"

#include "growth.h"
#include "shown.h"

/* The writer's store, and a folder where its files arrive. */
static struct fixture f, copy;
static struct store *seen;
static struct shown shown;
static struct growth growth;
static struct config config;

enum { SMALL = 4096 };

static int setup(void **state)
{
	(void)state;
	char path[PATH_MAX];

	fixture_start(&f, SMALL);
	copy = (struct fixture){0};
	fixture_folder(&copy);
	snprintf(path, sizeof path, "%s/segments", copy.path);
	must(mkdir(path, 0700) == 0);
	seen = NULL;
	return 0;
}

static void look_away(void)
{
	if (!seen)
		return;
	shown_close(&shown);
	store_close(seen);
	seen = NULL;
}

static void look_at_copy(void)
{
	look_away();
	works(store_open(&seen, copy.path, STORE_FOLLOW, &f.err), f.err);
	shown = shown_open(seen);
	growth_init(&growth,
	            &(struct retain){.store = seen, .tables = shown.tables, .views = shown.views, .config = &config});
}

static int teardown(void **state)
{
	(void)state;
	look_away();
	nftw(copy.path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	fixture_end(&f);
	return 0;
}

/* ---- what arrives -------------------------------------------------------- */

static void bring_part(const char *name, size_t len, bool anew)
{
	size_t have;
	char *text = fixture_read(&f, name, &have);

	if (anew) { /* as rsync does: another inode */
		char *path = fixture_path(&copy, name);
		unlink(path);
		free(path);
	}
	fixture_write(&copy, name, text, len < have ? len : have);
	free(text);
}

static void bring(const char *name)
{
	bring_part(name, SIZE_MAX, true);
}

/* The n-th segment of the writer's; from the end where negative. "segments/<name>" */
static const char *segment(int n)
{
	static char path[64];
	char *names = fixture_names(&f, ".day"), *at = names;
	int count = 1;

	for (char *c = names; *c; c++)
		count += *c == ' ';
	for (n = n < 0 ? count + n : n; n > 0; n--)
		at = strchr(at, ' ') + 1;
	at[strcspn(at, " ")] = 0;
	snprintf(path, sizeof path, "segments/%s", at);
	free(names);
	return path;
}

static int segments(void)
{
	return (int)fixture_segments(f.store);
}

/* Transactions of a second each, so that no position tells that some are missing. */
static void put(int count)
{
	static uint64_t second = fixture_second;
	char value[900];

	memset(value, 'x', sizeof value - 1);
	value[sizeof value - 1] = 0;
	for (int i = 0; i < count; i++)
		fixture_put(&f, ++second, "t", value);
	works(durable_mark(writer_durable(f.writer), &f.err), f.err);
}

static void bring_all(void)
{
	bring("confirmed");
	for (int i = 0; i < segments(); i++)
		bring(segment(i));
}

static void shows_all(void)
{
	size_t len, wanted;
	char *text = fixture_shown(seen, &len), *all = fixture_shown(f.store, &wanted);

	assert_int_equal(len, wanted);
	assert_memory_equal(text, all, len);
	free(text);
	free(all);
}

static void looks(int wanted)
{
	int r = growth_look(&growth, &f.err);

	if (r != wanted)
		fprintf(stderr, "%d: %s\n", r, r < 0 ? f.err.text : "");
	assert_int_equal(r, wanted);
}

/* ---- the tests ----------------------------------------------------------- */

static void a_whole_copy_is_shown_and_nothing_of_it_changed(void **state)
{
	(void)state;
	put(12);
	bring_all();
	look_at_copy();
	looks(1);
	shows_all();
	looks(0);
	char *names = fixture_names(&copy, ".idx");
	assert_string_equal(names, "");
	free(names);
}

static void nothing_behind_the_mark_is_shown(void **state)
{
	(void)state;
	put(1);
	bring("confirmed");
	uint64_t len = store_len(f.store);
	put(2);
	bring(segment(0));
	look_at_copy();
	looks(1);
	assert_int_equal(store_len(seen), len);
	bring("confirmed");
	looks(1);
	shows_all();
}

static void what_is_synced_is_told_at_once(void **state)
{
	(void)state;
	put(1);
	bring_all();
	look_at_copy();
	looks(1);
	for (uint64_t i = 0; i < 8; i++) { /* within the second that the synced mark takes */
		fixture_put(&f, fixture_second + 100000 + i, "t", "told");
		bring_all();
		looks(1);
		shows_all();
	}
}

static void a_mark_that_came_before_its_bytes_is_waited_for(void **state)
{
	(void)state;
	put(1);
	bring_all();
	look_at_copy();
	looks(1);
	uint64_t before = store_len(seen);
	put(1);
	bring("confirmed");
	looks(-EAGAIN);
	for (size_t len = fixture_size(&copy, segment(0)); len < fixture_size(&f, segment(0)); len += 97) {
		bring_part(segment(0), len, len % 2);
		looks(-EAGAIN);
		assert_int_equal(store_len(seen), before);
	}
	bring(segment(0));
	looks(1);
	shows_all();
}

static void a_file_that_comes_later_than_a_newer_mark_is_shown_up_to_its_own(void **state)
{
	(void)state;
	put(1);
	bring_all();
	look_at_copy();
	looks(1);
	put(1);
	uint64_t len = store_len(f.store);
	bring("confirmed");
	looks(-EAGAIN);
	bring_part(segment(0), SIZE_MAX, true);
	put(1);
	bring("confirmed");
	looks(1);
	assert_int_equal(store_len(seen), len);
	bring(segment(0));
	looks(1);
	shows_all();
}

static void a_segment_that_is_missing_or_cut_at_a_commit_leaves_no_gap(void **state)
{
	(void)state;
	put(2);
	bring_all();
	look_at_copy();
	looks(1);
	uint64_t before = store_len(seen);
	put(16);
	assert_true(segments() >= 4);
	/* The one that was the newest has not grown here, the next is missing; all that is there ends on commits. */
	bring("confirmed");
	for (int i = 2; i < segments(); i++)
		bring(segment(i));
	looks(-EAGAIN);
	bring(segment(1));
	looks(-EAGAIN);
	assert_int_equal(store_len(seen), before);
	bring(segment(0));
	looks(1);
	shows_all();
	look_at_copy();
	bring_part(segment(1), fixture_size(&f, segment(1)) - 1, true);
	looks(-EAGAIN);
	bring(segment(1));
	char *path = fixture_path(&copy, segment(2));
	must(unlink(path) == 0);
	free(path);
	looks(-EAGAIN);
	bring(segment(2));
	looks(1);
	shows_all();
}

static void what_a_crash_took_back_is_never_shown(void **state)
{
	(void)state;
	put(1);
	bring_all();
	look_at_copy();
	looks(1);
	uint64_t before = store_len(seen);
	/* Whole transactions, copied before they were synced. */
	size_t len = fixture_size(&f, segment(0));
	char name[64];
	strcpy(name, segment(0));
	put(2);
	bring(name);
	fixture_close(&f);
	fixture_cut(&f, name, len);
	fixture_unlink(&f, "confirmed");
	fixture_open(&f, SMALL);
	looks(0);
	/* The writer goes on with others, at later positions; the mark comes first, or in another segment. */
	put(1);
	bring("confirmed");
	looks(-EAGAIN);
	put(12);
	bring("confirmed");
	for (int i = 1; i < segments(); i++)
		bring(segment(i));
	looks(-EAGAIN);
	assert_int_equal(store_len(seen), before);
	bring(segment(0));
	looks(1);
	shows_all();
}

static void wrong_bytes_are_waited_out(void **state)
{
	(void)state;
	put(2);
	bring_all();
	look_at_copy();
	looks(1);
	uint64_t before = store_len(seen);
	put(16);
	bring_all();
	fixture_flip(&copy, segment(1), 1500);
	looks(-EAGAIN);
	bring(segment(1));
	fixture_flip(&copy, segment(-1), 200);
	looks(-EAGAIN);
	assert_int_equal(store_len(seen), before);
	bring(segment(-1));
	looks(1);
	shows_all();
}

static void another_file_in_the_place_of_what_was_shown_is_told(void **state)
{
	(void)state;
	put(2);
	bring_all();
	look_at_copy();
	looks(1);
	bring(segment(-1));
	looks(0);
	bring_part(segment(-1), 100, true);
	looks(-EAGAIN);
	bring(segment(-1));
	looks(0);
	fixture_flip(&copy, segment(-1), 100);
	looks(0); /* in place, what was shown is compared when it is read */
	bring(segment(-1));
	char *names = fixture_path(&copy, segment(-1)), *text;
	size_t len;
	text = fixture_read(&copy, segment(-1), &len);
	must(unlink(names) == 0);
	text[100] ^= 1;
	fixture_write(&copy, segment(-1), text, len);
	looks(-EPROTO);
	assert_non_null(strstr(f.err.text, "Start again"));
	free(names);
	free(text);
}

static void what_was_removed_is_given_up_and_what_is_gone_before_it_came_is_told(void **state)
{
	(void)state;
	put(20);
	bring_all();
	look_at_copy();
	looks(1);
	/* The newer first, as rsync does. */
	char *path = fixture_path(&copy, segment(1));
	must(unlink(path) == 0);
	free(path);
	works(growth_removed(&growth, &f.err), f.err);
	struct segments_range range = segments_range(store_segments(seen));
	assert_int_equal(range.oldest, 2);
	assert_true(fixture_size(&copy, segment(0)) > 0); /* which is the copier's to remove */
	/* The writer's retention: of a copy that keeps all, too. */
	struct retain retain = {
	    .store = f.store, .tables = table_set_new(f.store), .views = view_set_new(f.store), .config = &config};
	works(retain_give_up(&retain, 3, &f.err), f.err);
	put(1);
	bring("confirmed");
	bring(segment(-1));
	looks(1);
	works(growth_removed(&growth, &f.err), f.err);
	assert_int_equal(segments_range(store_segments(seen)).oldest, 3);
	shows_all();
	/* All that came between is gone. */
	put(20);
	works(retain_give_up(&retain, segments_range(store_segments(f.store)).newest, &f.err), f.err);
	put(1);
	bring("confirmed");
	looks(-ESTALE);
	view_set_free(retain.views);
	table_set_free(retain.tables);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(a_whole_copy_is_shown_and_nothing_of_it_changed, setup, teardown),
	    cmocka_unit_test_setup_teardown(nothing_behind_the_mark_is_shown, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_synced_is_told_at_once, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_mark_that_came_before_its_bytes_is_waited_for, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_file_that_comes_later_than_a_newer_mark_is_shown_up_to_its_own, setup,
	                                    teardown),
	    cmocka_unit_test_setup_teardown(a_segment_that_is_missing_or_cut_at_a_commit_leaves_no_gap, setup,
	                                    teardown),
	    cmocka_unit_test_setup_teardown(what_a_crash_took_back_is_never_shown, setup, teardown),
	    cmocka_unit_test_setup_teardown(wrong_bytes_are_waited_out, setup, teardown),
	    cmocka_unit_test_setup_teardown(another_file_in_the_place_of_what_was_shown_is_told, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_was_removed_is_given_up_and_what_is_gone_before_it_came_is_told, setup,
	                                    teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
