/*
 * report.h - the text of /status as a person reads it: rates between two of them, amounts, ages.
 *
 * Pure but for the time of day. Rows that a text does not have (a store without its daemon) are left out.
 */
#ifndef FS_REPORT_H
#define FS_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* Two texts of one stream. */
struct report {
	const char *now, *before; /* `before` may be NULL */
	int64_t now_ms, before_ms;
};

/* Many lines, for a screen. */
void report_screen(FILE *out, const struct report *report);

/* One, with its '\n', for a log. */
void report_line(FILE *out, const struct report *report);

#endif
