/*
 * wall.h - a date and a time of day as people write them, without a zone: what a calendar and a clock
 * on a wall show.
 *
 *     2026-11-21   2026/11/21   20261121   11/21/2026 (month first)   21 Nov 2026   November 21, 2026
 *     21-Nov-2026  Sat Nov 21 10:00:26 2026   today   yesterday   tomorrow
 *     behind it a time of day, or none, which is midnight:
 *     10:00   10:00:26   10:00:26.123456   10:00 PM   100026   2026-11-21T10:00:26   20261121T100026
 *
 * All of these PostgreSQL reads in the same way, under DateStyle = 'ISO, MDY'; it reads more. A year has four
 * digits, from 1000 on.
 */
#ifndef COMMON_WALL_H
#define COMMON_WALL_H

#include <stdbool.h>
#include <stdint.h>

/* Sets *second, counted as if it were UTC, and whether it is later than that second's start. False
 * where all of `text` is no such time. Reads the local date by the clock and TZ. */
bool wall_parse(const char *text, int64_t *second, bool *fraction);

#endif
