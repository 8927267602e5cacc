/*
 * zone.h - what a clock on a wall shows -> the moment it is, in a time zone.
 *
 * Reads as PostgreSQL does: a time that a change of the clocks leaves out counts by the clock before it,
 * one that comes twice by the clock after it; that is standard time both ways.
 */
#ifndef COMMON_ZONE_H
#define COMMON_ZONE_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct zone {
	enum { ZONE_LOCAL, ZONE_OFFSET, ZONE_NAMED } kind; /* ZONE_LOCAL: what TZ, or else the system, says */
	int64_t offset_s;                                  /* east of UTC */
	char name[64];
};

/* "+02", "-0330", "+05:30", "-4:56:02": sets *zone and returns the bytes read, 0 where there is none. */
size_t zone_parse_offset(struct zone *zone, const char *text);

/* A name of the time zone database, as "Europe/Berlin". -EINVAL where it has none of that name. */
int zone_set_name(struct zone *zone, const char *name, size_t len, struct err *err);

/* Seconds since 1970 as they would be, if `wall` were in UTC -> as they are. Sets TZ for a moment: no other
 * thread may be at work. */
int64_t zone_utc(const struct zone *zone, int64_t wall);

#endif
