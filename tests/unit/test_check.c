/* daystream check: exit status 0 for a sound store only. */
#include "fixture.h"

#include "commands.h"

static struct fixture f;

/* Two segments, the second with a commit that the mark covers. */
static int setup(void **state)
{
	(void)state;
	fixture_start(&f, FIXTURE_SEGMENT);
	fixture_put(&f, fixture_second + 1, "zzz", "1");
	fixture_put(&f, fixture_second + 86400, "zzz", "2");
	fixture_close(&f);
	fixture_write(&f, "daystream.conf", "conninfo = ''\n", 14);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_end(&f);
	return 0;
}

static int check(void)
{
	char command[] = "check";
	char *argv[] = {command, f.path, NULL};

	return cmd_check(2, argv);
}

static void a_whole_store_is_sound(void **state)
{
	(void)state;
	assert_int_equal(check(), EXIT_SUCCESS);
}

static void a_torn_end_behind_the_mark_is_sound(void **state)
{
	(void)state;
	fixture_append(&f, "*.day", "_c\t1507", 7);
	assert_int_equal(check(), EXIT_SUCCESS);
}

static void a_flipped_byte_is_found_wherever_it_is(void **state)
{
	static const char *const files[] = {"*.day", "segments/1507507200.0.day"};

	(void)state;
	for (int i = 0; i < 2; i++) {
		size_t len = fixture_size(&f, files[i]);
		for (size_t off = 0; off < len; off += 3) {
			fixture_flip(&f, files[i], off);
			if (check() != EXIT_FAILURE)
				fail_msg("a flipped byte at %zu of %s is not found", off, files[i]);
			fixture_flip(&f, files[i], off);
		}
	}
	assert_int_equal(check(), EXIT_SUCCESS);
}

static void a_newest_segment_that_lost_all_is_found(void **state)
{
	(void)state;
	fixture_cut(&f, "*.day", 0);
	assert_int_equal(check(), EXIT_FAILURE);
	fixture_unlink(&f, "*.day");
	assert_int_equal(check(), EXIT_FAILURE);
}

static void a_damaged_index_is_named(void **state)
{
	(void)state;
	fixture_flip(&f, "*.idx", fixture_size(&f, "*.idx") - 1);
	assert_int_equal(check(), EXIT_FAILURE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(a_whole_store_is_sound),
	    TEST(a_torn_end_behind_the_mark_is_sound),
	    TEST(a_flipped_byte_is_found_wherever_it_is),
	    TEST(a_newest_segment_that_lost_all_is_found),
	    TEST(a_damaged_index_is_named),
	};
	return cmocka_run_group_tests_name("check", tests, NULL, NULL);
}
