#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "err.h"

static const char *log_program = "daystream";
static bool use_syslog, use_journal, never_wait;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static unsigned long given_up; /* messages; under the lock */
static atomic_bool bar;        /* the terminal's last line is a progress bar's */

/* What was printed, a full disk may have refused. */
static void end_output(void)
{
	bool failed = ferror(stdout) != 0;

	if (fflush(stdout) != 0 || failed) {
		log_error("writing to standard output: %s",
		          failed ? "not all of it could be written" : strerror(errno));
		_exit(EXIT_FAILURE);
	}
}

/* systemd.exec(5), JOURNAL_STREAM: what is written to stderr goes there line by line. */
static bool is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &st) == 0 &&
	       st.st_dev == device && st.st_ino == inode;
}

void log_init(const char *program)
{
	int fd;

	log_program = program;
	/* A limit of a file's size (ulimit -f) is an error like another one (EFBIG), which can be told. */
	signal(SIGXFSZ, SIG_IGN);
	use_journal = is_journal();
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

/* What a line begins with; the journal knows the program, and takes the priority from there (sd-daemon(3)). */
static const char *line_head(char head[64], int priority)
{
	if (use_journal)
		snprintf(head, 64, "<%d>", priority);
	else
		snprintf(head, 64, "%s: ", log_program);
	return head;
}

/* A pipe that can be written to takes a page, which is more than a message has; and no other thread comes between. Where
 * poll(2) fails for good, it is that which is being told (await.h). */
static void print_at_once(int priority, const char *level, const char *text)
{
	struct pollfd out = {.fd = STDERR_FILENO, .events = POLLOUT};
	char head[64];

	pthread_mutex_lock(&lock);
	int n = poll(&out, 1, 0);
	if (n == 0 || (n < 0 && errno == EINTR)) {
		given_up++;
	} else if (given_up) {
		fprintf(stderr, "%s%s%.1900s (before this, %lu messages were given up: nobody read them)\n",
		        line_head(head, priority), level, text, given_up);
		given_up = 0;
	} else {
		fprintf(stderr, "%s%s%s\n", line_head(head, priority), level, text);
	}
	pthread_mutex_unlock(&lock);
}

static void print(int priority, const char *level, const char *fmt, va_list args)
{
	char text[2048], head[64];

	vsnprintf(text, sizeof text, fmt, args);
	err_tidy(text);
	if (use_syslog)
		syslog(priority, "%s%s", level, text);
	else if (never_wait)
		print_at_once(priority, level, text);
	else
		fprintf(stderr, "%s%s%s%s\n", atomic_load(&bar) ? "\r\033[K" : "", line_head(head, priority), level,
		        text);
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
