/* daystream init, as far as it goes without a server. */
#include "fixture.h"

#include "commands.h"

static struct fixture f;

static int setup(void **state)
{
	(void)state;
	fixture_folder(&f);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	nftw(f.path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static int init(const char *path)
{
	char command[] = "init", option[] = "--conninfo", conninfo[] = "host=/nonexistent", store[PATH_MAX];
	char *argv[] = {command, option, conninfo, store, NULL};

	snprintf(store, sizeof store, "%s", path);
	return cmd_init(4, argv);
}

static bool there(const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", f.path, name);
	return access(path, F_OK) == 0;
}

static void a_strangers_folder_is_left_as_it_is(void **state)
{
	char path[PATH_MAX];

	(void)state;
	fixture_write(&f, "confirmed", "mine", 4);
	snprintf(path, sizeof path, "%s/segments", f.path);
	must(mkdir(path, 0700) == 0);
	assert_int_equal(init(f.path), EXIT_FAILURE);
	assert_true(there("confirmed"));
	assert_true(there("segments"));
}

static void a_folder_that_was_not_needed_is_removed_again(void **state)
{
	char path[PATH_MAX];

	(void)state;
	snprintf(path, sizeof path, "%s/new", f.path);
	assert_int_equal(init(path), EXIT_FAILURE);
	assert_false(there("new"));
}

static void an_empty_folder_stays_and_stays_empty(void **state)
{
	(void)state;
	assert_int_equal(init(f.path), EXIT_FAILURE);
	assert_true(there("."));
	assert_int_equal(rmdir(f.path), 0);
}

static void a_store_is_left_as_it_is(void **state)
{
	size_t len, now_len;

	(void)state;
	fixture_origin(&f);
	fixture_open(&f, FIXTURE_SEGMENT);
	fixture_put(&f, fixture_second, "zzz", "1");
	fixture_close(&f);
	fixture_write(&f, "daystream.conf", "slot = s\n", 9);
	char *before = fixture_read(&f, "*.day", &len);
	assert_int_equal(init(f.path), EXIT_FAILURE);
	char *now = fixture_read(&f, "*.day", &now_len);
	assert_int_equal(now_len, len);
	assert_memory_equal(now, before, len);
	assert_true(there("confirmed"));
	assert_true(there("daystream.conf"));
	free(before);
	free(now);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(a_strangers_folder_is_left_as_it_is),
	    TEST(a_folder_that_was_not_needed_is_removed_again),
	    TEST(an_empty_folder_stays_and_stays_empty),
	    TEST(a_store_is_left_as_it_is),
	};
	return cmocka_run_group_tests_name("init", tests, NULL, NULL);
}
