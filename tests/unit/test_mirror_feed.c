/* Lines from one thread to another, and its end while the first one waits for somebody else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "feed.h"

enum { PATIENCE_MS = 60000 };

struct scene {
	struct feed_end end;
	unsigned lines; /* that are given, before it waits */
	unsigned taken;
	unsigned fails_at; /* once it waits; 0: never */
	atomic_bool waits;
	int waited; /* what poll(2) gave */
};

static int setup(void **state)
{
	struct scene *scene = calloc(1, sizeof *scene);
	struct err err;

	assert_int_equal(feed_end_open(&scene->end, &err), 0);
	*state = scene;
	return 0;
}

static int teardown(void **state)
{
	struct scene *scene = *state;

	feed_end_close(&scene->end);
	free(scene);
	return 0;
}

static int give(struct scene *scene, struct feed *feed, struct err *err)
{
	static const char text[] = "_table\tt\t_action\tinsert\ta\t1";
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < scene->lines; i++)
		rc = feed_line(feed, text, sizeof text - 1, err);
	return rc;
}

/* As pg_wait does, whatever signals come. */
static int give_and_wait(void *ctx, struct feed *feed, struct err *err)
{
	struct scene *scene = ctx;
	struct pollfd end = {.fd = scene->end.fd, .events = POLLIN};
	int64_t until = clock_ms() + PATIENCE_MS;
	int rc = give(scene, feed, err);

	if (rc < 0)
		return rc;
	scene->waits = true;
	do
		scene->waited = poll(&end, 1, PATIENCE_MS);
	while (scene->waited < 0 && errno == EINTR && clock_ms() < until);
	return err_set(err, -EINTR, "stopped");
}

static int give_all(void *ctx, struct feed *feed, struct err *err)
{
	return give(ctx, feed, err);
}

static int take(void *ctx, const struct follow_line *line, struct err *err)
{
	struct scene *scene = ctx;

	assert_true(span_is(line->head.action, "insert"));
	if (++scene->taken != scene->fails_at)
		return 0;
	for (int i = 0; !scene->waits; i++) {
		if (i == 60000)
			fail_msg("the other thread has not come to wait within a minute");
		usleep(1000);
	}
	return err_set(err, -ENOSPC, "no room");
}

static void an_error_ends_a_wait_of_the_other_thread(void **state)
{
	struct scene *scene = *state;
	struct err err;

	/* Less than there is room for; and who has taken four blocks waits for eight more. */
	scene->lines = 14000;
	scene->fails_at = 5000;
	assert_int_equal(feed_run(give_and_wait, scene, take, scene, &scene->end, &err), -ENOSPC);
	assert_string_equal(err.text, "no room");
	assert_int_equal(scene->waited, 1);
	assert_int_equal(scene->taken, scene->fails_at);
}

static void what_went_well_ends_no_wait_of_the_next(void **state)
{
	struct scene *scene = *state;
	struct pollfd end = {.fd = scene->end.fd, .events = POLLIN};
	struct err err;

	scene->lines = 50000;
	assert_int_equal(feed_run(give_all, scene, take, scene, &scene->end, &err), 0);
	assert_int_equal(scene->taken, scene->lines);
	assert_int_equal(poll(&end, 1, 0), 0);
}

static const struct {
	const char *text;
	bool stamped;
} stamps[] = {{"_table\tt\t_action\tinsert\ta\t1", false},
              {"_c\t7\t_s\t1\t_table\tt\t_action\tinsert\ta\t2", true},
              {"_table\tt\t_action\tinsert\ta\t3", false}};

static int give_stamps(void *ctx, struct feed *feed, struct err *err)
{
	int rc = 0;

	(void)ctx;
	for (size_t i = 0; rc == 0 && i < sizeof stamps / sizeof *stamps; i++)
		rc = feed_line(feed, stamps[i].text, strlen(stamps[i].text), err);
	return rc;
}

static int take_stamps(void *ctx, const struct follow_line *line, struct err *err)
{
	struct scene *scene = ctx;

	(void)err;
	assert_int_equal(line->head.stamped, stamps[scene->taken].stamped);
	assert_int_equal(line->len, strlen(stamps[scene->taken++].text));
	return 0;
}

/* A copy's lines have no stamp: one that has is to be known, among others that are the same but for it. */
static void a_stamp_is_not_taken_for_none(void **state)
{
	struct scene *scene = *state;
	struct err err;

	assert_int_equal(feed_run(give_stamps, scene, take_stamps, scene, &scene->end, &err), 0);
	assert_int_equal(scene->taken, sizeof stamps / sizeof *stamps);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(an_error_ends_a_wait_of_the_other_thread),
	    TEST(what_went_well_ends_no_wait_of_the_next),
	    TEST(a_stamp_is_not_taken_for_none),
	};

	return cmocka_run_group_tests_name("mirror: feed", tests, NULL, NULL);
}
