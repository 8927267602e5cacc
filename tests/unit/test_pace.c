/* pace: who answers readers gives way while lines stream, and only then; other threads never do. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "pace.h"

/* What each thread is told, in its order, and the policies that it had then. */
struct told {
	bool streams[4];
	int count, had[4];
	struct told *next; /* what a thread that it makes is told */
};

static void *answer(void *arg)
{
	struct told *told = arg;
	pthread_t thread;

	for (int i = 0; i < told->count; i++) {
		pace_answer(told->streams[i]);
		told->had[i] = sched_getscheduler(0);
	}
	if (told->next && pthread_create(&thread, NULL, answer, told->next) == 0)
		pthread_join(thread, NULL);
	return NULL;
}

static void run(struct told *told)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, answer, told), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

static void a_thread_gives_way_while_lines_stream(void **state)
{
	struct told told = {.streams = {false, true, true, false}, .count = 4};

	(void)state;
	run(&told);
	assert_int_equal(told.had[0], SCHED_OTHER);
	assert_int_equal(told.had[1], SCHED_BATCH);
	assert_int_equal(told.had[2], SCHED_BATCH);
	assert_int_equal(told.had[3], SCHED_OTHER);
	assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
}

static void one_that_another_made_while_lines_streamed_does_not_stay_so(void **state)
{
	struct told later = {.streams = {false}, .count = 1}, told = {.streams = {true}, .count = 1, .next = &later};

	(void)state;
	run(&told);
	assert_int_equal(told.had[0], SCHED_BATCH);
	assert_int_equal(later.had[0], SCHED_OTHER);
}

static void what_was_chosen_for_the_program_stays(void **state)
{
	struct told told = {.streams = {true, false}, .count = 2};

	(void)state;
	assert_int_equal(sched_setscheduler(0, SCHED_BATCH, &(struct sched_param){0}), 0);
	run(&told);
	assert_int_equal(told.had[0], SCHED_BATCH);
	assert_int_equal(told.had[1], SCHED_BATCH);
	assert_int_equal(sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0}), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_thread_gives_way_while_lines_stream),
	    cmocka_unit_test(one_that_another_made_while_lines_streamed_does_not_stay_so),
	    cmocka_unit_test(what_was_chosen_for_the_program_stays),
	};

	/* Whatever the tests were started with. */
	if (sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0}) < 0) {
		print_message("1..0 # SKIP the policy cannot be chosen here\n");
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
