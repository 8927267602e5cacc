/*
 * age.h - the time that a line's age is counted to, from clocks that may leap.
 *
 * A reading is the second of the newest line, by the server's clock, or the time of day here, whichever is earlier: so
 * one wrong clock makes nothing old. Nor do both, at once: where readings leap ahead of the monotonic clock
 * by more than a minute, time goes on as it did until the leap has stood for an hour; where they come back before,
 * it never was. A leap that is older than the daemon's start cannot be told from one.
 */
#ifndef FS_AGE_H
#define FS_AGE_H

#include <stdint.h>

struct age {
	uint64_t base; /* a second that was believed, 0: none yet, and when that was */
	int64_t base_ms;
	uint64_t leap; /* the least that readings were ahead since leap_ms; 0: they are not */
	int64_t leap_ms;
};

/* `ms`: the monotonic clock. */
uint64_t age_now(struct age *age, uint64_t reading, int64_t ms);

#endif
