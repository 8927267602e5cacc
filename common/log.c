#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

static const char *log_program = "daystream";
static bool use_syslog, never_wait;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long given_up; /* messages; under the lock */
static atomic_bool bar; /* the terminal's last line is a progress bar's */

/* What was printed, a full disk may have refused. */
static void end_output(void)
{
	bool failed = ferror(stdout) != 0;

	if (fflush(stdout) != 0 || failed) {
		log_error("writing to standard output: %s", failed ? "not all of it could be written" : strerror(errno));
		_exit(EXIT_FAILURE);
	}
}

void log_init(const char *program)
{
	int fd;

	log_program = program;
	/* Where one of the three is closed, a file of the store would take its number, and messages go into it. */
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
	atexit(end_output);
}

void log_to_syslog(void)
{
	openlog(log_program, LOG_PID, LOG_DAEMON);
	use_syslog = true;
}

void log_never_wait(void)
{
	never_wait = true;
}

/* A pipe that can be written to takes a page, which is more than a message has; and no other thread comes between. */
static void print_at_once(const char *level, const char *text)
{
	struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};

	pthread_mutex_lock(&lock);
	if (poll(&out, 1, 0) != 1) {
		given_up++;
	} else if (given_up) {
		fprintf(stderr, "%s: %s%.1900s (before this, %lu messages were given up: nobody read them)\n", log_program,
		        level, text, given_up);
		given_up = 0;
	} else {
		fprintf(stderr, "%s: %s%s\n", log_program, level, text);
	}
	pthread_mutex_unlock(&lock);
}

static void print(int priority, const char *level, const char *fmt, va_list args)
{
	char text[2048];

	vsnprintf(text, sizeof text, fmt, args);
	if (use_syslog)
		syslog(priority, "%s%s", level, text);
	else if (never_wait)
		print_at_once(level, text);
	else
		fprintf(stderr, "%s%s: %s%s\n", atomic_load(&bar) ? "\r\033[K" : "", log_program, level, text);
}

void log_over_bar(bool shown)
{
	atomic_store(&bar, shown);
}

void log_info(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	print(LOG_INFO, "", fmt, args);
	va_end(args);
}

void log_warn(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	print(LOG_WARNING, "warning: ", fmt, args);
	va_end(args);
}

void log_error(const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	print(LOG_ERR, "error: ", fmt, args);
	va_end(args);
}
