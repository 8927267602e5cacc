/*
 * log.h - the one place that prints messages; used at the edges only (the
 * programs, the mount and its callbacks, the ingest loop).
 *
 * A line is "<program>: <text>", "<program>: warning: <text>" or
 * "<program>: error: <text>", to stderr or, after log_to_syslog, to syslog. Where stderr is systemd's
 * journal, the line begins with its priority ("<4>") in place of the program. A name in it may be anybody's: control
 * characters are blanks.
 * Any thread may log.
 */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdbool.h>

/* First of all, before there are threads or files; `program` is borrowed for good. Descriptors 0 to 2 are open from
 * here on, a program whose standard output cannot be written fails as it exits, with a message, and what a file's size is
 * limited to (RLIMIT_FSIZE) is an error of the write instead of a signal. */
void log_init(const char *program);

/* From here on; once. */
void log_to_syslog(void);

/* For a daemon, before there are threads: where stderr takes nothing at this time (a pipe whose reader has
 * stopped), a message is given up rather than waited for; the next one that gets through says how many were. */
void log_never_wait(void);

/* While a bar is on the terminal, a message takes its line. */
void log_over_bar(bool shown);

void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
