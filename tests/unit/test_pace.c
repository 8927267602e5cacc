/* pace: who answers readers gives way while lines stream, and only then; other threads never do. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "pace.h"

static void a_thread_gives_way_while_lines_stream(void **state)
{
	(void)state;
	pace_answer(false);
	assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
	pace_answer(true);
	assert_int_equal(sched_getscheduler(0), SCHED_BATCH);
	pace_answer(true);
	assert_int_equal(sched_getscheduler(0), SCHED_BATCH);
	pace_answer(false);
	assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
}

static void *answer(void *arg)
{
	(void)arg;
	pace_answer(true);
	return (void *)(intptr_t)sched_getscheduler(0);
}

static void others_stay_as_they_are(void **state)
{
	pthread_t thread;
	void *policy;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, answer, NULL), 0);
	assert_int_equal(pthread_join(thread, &policy), 0);
	assert_int_equal((intptr_t)policy, SCHED_BATCH);
	assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_thread_gives_way_while_lines_stream),
	    cmocka_unit_test(others_stay_as_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
