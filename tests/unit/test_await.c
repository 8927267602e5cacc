/* Where waiting is impossible, a program ends with a word; it does not go round and round. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "await.h"
#include "clock.h"
#include "log.h"

static void ready_and_over(void **state)
{
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	struct pollfd fd = {.fd = ends[0], .events = POLLIN};
	int64_t before = clock_ms();
	assert_int_equal(await(&fd, 1, 20), 0);
	assert_int_equal(await_us(&fd, 1, 20000), 0);
	assert_true(clock_ms() - before >= 39);
	assert_int_equal(write(ends[1], "x", 1), 1);
	assert_int_equal(await(&fd, 1, -1), 1);
	assert_int_equal(await_us(&fd, 1, 60000000), 1);
	assert_int_equal(fd.revents, POLLIN);
	close(ends[0]);
	close(ends[1]);
}

static void on_alarm(int number)
{
	(void)number;
}

static void a_signal_ends_it(void **state)
{
	struct sigaction action = {.sa_handler = on_alarm};

	(void)state;
	sigaction(SIGALRM, &action, NULL);
	/* Again and again: one may come before the wait begins. */
	setitimer(ITIMER_REAL, &(struct itimerval){{0, 100000}, {0, 100000}}, NULL);
	assert_int_equal(await(NULL, 0, 60000), -1);
	assert_int_equal(errno, EINTR);
	assert_int_equal(await_us(NULL, 0, 60000000), -1);
	assert_int_equal(errno, EINTR);
	setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
}

/* More descriptors than may be open: EINVAL. `daemon`: its messages never wait, which takes a poll of its own. */
static void fails(bool daemon, int (*waits)(struct pollfd *fd), char *text, size_t size)
{
	struct pollfd fd = {.fd = 0};
	int ends[2], status;

	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		if (daemon)
			log_never_wait();
		setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, 0});
		waits(&fd);
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_FAILURE);
	ssize_t n = read(ends[0], text, size - 1);
	text[n > 0 ? n : 0] = 0;
	close(ends[0]);
}

static int waits(struct pollfd *fd)
{
	return await(fd, 1, 1);
}

static int waits_us(struct pollfd *fd)
{
	return await_us(fd, 1, 1);
}

static void what_fails_for_good_is_told(void **state)
{
	static const char sentence[] =
	    "daystream: error: waiting is impossible: poll: Invalid argument (does a sandbox or "
	    "a limit forbid it?)\n";
	char text[256];

	(void)state;
	fails(false, waits, text, sizeof text);
	assert_string_equal(text, sentence);
	fails(false, waits_us, text, sizeof text);
	assert_string_equal(text, sentence);
	fails(true, waits, text, sizeof text);
	assert_string_equal(text, sentence);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(ready_and_over), cmocka_unit_test(a_signal_ends_it),
	                                   cmocka_unit_test(what_fails_for_good_is_told)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
