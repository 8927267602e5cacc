/* Who polls an open file, and who is woken. libfuse's part is played here. */
#include "fixture.h"

#include "clock.h"
#include "handle.h"

enum { MANY = 200 };

struct fuse_pollhandle {
	struct handle *handle;
};

static struct handle_set set;
static struct handle *handles[MANY];
static int woken, destroyed;
static int64_t woken_ms[2 * MANY];
static bool ask_again;
static struct handle *other; /* asks when one is woken */

static struct fuse_pollhandle *poll_of(struct handle *handle)
{
	struct fuse_pollhandle *poll = malloc(sizeof *poll);

	assert_non_null(poll);
	poll->handle = handle;
	return poll;
}

int fuse_lowlevel_notify_poll(struct fuse_pollhandle *poll)
{
	assert_true(woken < 2 * MANY);
	woken_ms[woken++] = clock_ms();
	if (other && other != poll->handle)
		handle_poll(&set, other, poll_of(other));
	if (ask_again) /* as one does who finds nothing new */
		handle_poll(&set, poll->handle, poll_of(poll->handle));
	return 0;
}

void fuse_pollhandle_destroy(struct fuse_pollhandle *poll)
{
	destroyed++;
	free(poll);
}

static int setup(void **state)
{
	(void)state;
	handle_set_init(&set);
	woken = destroyed = 0;
	ask_again = false;
	other = NULL;
	for (int i = 0; i < MANY; i++)
		if (!(handles[i] = handle_new(&set)))
			return -1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	handle_set_fini(&set);
	return 0;
}

static void all_who_poll_are_woken_once(void **state)
{
	(void)state;
	for (int i = 0; i < MANY; i++)
		handle_poll(&set, handles[i], poll_of(handles[i]));
	handle_poll(&set, handles[7], poll_of(handles[7])); /* in place of the first */
	assert_int_equal(destroyed, 1);
	handle_notify(&set, 0);
	assert_int_equal(woken, MANY);
	assert_int_equal(destroyed, MANY + 1);
	handle_notify(&set, 0);
	assert_int_equal(woken, MANY);
}

static void that_lines_stream_is_known_until_they_do_not(void **state)
{
	(void)state;
	assert_false(handle_streams(&set));
	handle_notify(&set, 1);
	assert_true(handle_streams(&set));
	handle_notify(&set, 0);
	assert_false(handle_streams(&set));
}

static void waking_has_an_end_though_they_ask_again_at_once(void **state)
{
	(void)state;
	for (int i = 0; i < MANY; i++)
		handle_poll(&set, handles[i], poll_of(handles[i]));
	ask_again = true;
	handle_notify(&set, 0);
	assert_int_equal(woken, MANY);
	handle_notify(&set, 0);
	assert_int_equal(woken, 2 * MANY);
}

static void who_asks_is_told_what_was_read(void **state)
{
	(void)state;
	handle_served(&set, handles[0], 100, false);
	handle_served(&set, handles[0], 40, true);
	assert_int_equal(handle_poll(&set, handles[0], NULL), 100);
	assert_int_equal(handle_poll(&set, handles[1], NULL), 0);
	handle_notify(&set, 0);
	assert_int_equal(woken, 0); /* nobody waits */
}

static void while_lines_stream_who_has_all_of_the_last_telling_waits_for_the_next(void **state)
{
	(void)state;
	handle_served(&set, handles[0], 100, true);
	handle_served(&set, handles[1], 100, false);
	assert_int_equal(handle_poll(&set, handles[0], poll_of(handles[0])), 100); /* nobody tells him later */
	handle_notify(&set, 1);
	assert_int_equal(woken, 1);
	assert_int_equal(handle_poll(&set, handles[0], poll_of(handles[0])), 100); /* he has not read since */
	handle_served(&set, handles[0], 200, true);
	assert_true(handle_poll(&set, handles[0], poll_of(handles[0])) == UINT64_MAX);
	assert_int_equal(handle_poll(&set, handles[0], NULL), 200);                /* he does not wait */
	assert_int_equal(handle_poll(&set, handles[1], poll_of(handles[1])), 100); /* there was more for him */
	handle_notify(&set, 0);
	assert_int_equal(woken, 3);
	handle_served(&set, handles[0], 300, true);
	assert_int_equal(handle_poll(&set, handles[0], poll_of(handles[0])), 300);
}

static void while_lines_stream_one_after_the_other_is_told(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		handle_poll(&set, handles[i], poll_of(handles[i]));
	handle_notify(&set, 50);
	assert_int_equal(woken, 10);
	for (int i = 1; i < 10; i++)
		assert_true(woken_ms[i] - woken_ms[i - 1] >= 4);
	for (int i = 0; i < MANY; i++)
		handle_poll(&set, handles[i], poll_of(handles[i]));
	handle_notify(&set, 50);
	assert_int_equal(woken, 10 + MANY);
	assert_true(woken_ms[10 + MANY - 1] - woken_ms[10] >= 40);
}

/* As the kernel asks for him who is just being told, and again when he has read. */
static void who_asks_again_is_told_where_he_stood(void **state)
{
	(void)state;
	handle_poll(&set, handles[0], poll_of(handles[0]));
	handle_poll(&set, handles[1], poll_of(handles[1]));
	other = handles[1];
	handle_notify(&set, 1);
	assert_int_equal(woken, 2);
}

static void who_has_read_to_the_end_of_a_growing_file_follows_it(void **state)
{
	size_t files, followers;

	(void)state;
	handle_opened(&set, handles[0], true);
	handle_opened(&set, handles[1], true);
	handle_opened(&set, handles[2], false);
	handle_served(&set, handles[0], 100, true);
	handle_served(&set, handles[1], 100, false);
	handle_served(&set, handles[2], 100, true);
	handle_count(&set, &files, &followers);
	assert_int_equal(files, 3);
	assert_int_equal(followers, 1);
	handle_free(&set, handles[0]);
	handle_count(&set, &files, &followers);
	assert_int_equal(files, 2);
	assert_int_equal(followers, 0);
}

static void a_closed_file_is_not_woken(void **state)
{
	(void)state;
	handle_poll(&set, handles[3], poll_of(handles[3]));
	handle_free(&set, handles[3]);
	assert_int_equal(destroyed, 1);
	handle_notify(&set, 0);
	assert_int_equal(woken, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(all_who_poll_are_woken_once),
	    TEST(waking_has_an_end_though_they_ask_again_at_once),
	    TEST(who_asks_is_told_what_was_read),
	    TEST(while_lines_stream_who_has_all_of_the_last_telling_waits_for_the_next),
	    TEST(while_lines_stream_one_after_the_other_is_told),
	    TEST(that_lines_stream_is_known_until_they_do_not),
	    TEST(who_asks_again_is_told_where_he_stood),
	    TEST(who_has_read_to_the_end_of_a_growing_file_follows_it),
	    TEST(a_closed_file_is_not_woken),
	};
	return cmocka_run_group_tests_name("handle", tests, NULL, NULL);
}
