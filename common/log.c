#include "log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <syslog.h>

static const char *log_program = "daystream";
static bool use_syslog;
static atomic_bool bar; /* the terminal's last line is a progress bar's */

void log_init(const char *program)
{
	log_program = program;
}

void log_to_syslog(void)
{
	openlog(log_program, LOG_PID, LOG_DAEMON);
	use_syslog = true;
}

static void print(int priority, const char *level, const char *fmt, va_list args)
{
	char text[2048];

	vsnprintf(text, sizeof text, fmt, args);
	if (use_syslog)
		syslog(priority, "%s%s", level, text);
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
