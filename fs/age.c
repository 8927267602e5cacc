#include "age.h"

enum { SLACK = 60, LEAP_MS = 3600 * 1000 };

uint64_t age_now(struct age *age, uint64_t reading, int64_t ms)
{
	if (!age->base)
		*age = (struct age){.base = reading, .base_ms = ms};
	uint64_t now = age->base + (uint64_t)(ms - age->base_ms) / 1000;

	if (reading <= now + SLACK) {
		age->leap = 0;
		return reading;
	}
	if (!age->leap) {
		age->leap = reading - now;
		age->leap_ms = ms;
	}
	if (reading - now < age->leap)
		age->leap = reading - now;
	if (ms - age->leap_ms < LEAP_MS)
		return now;
	*age = (struct age){.base = now + age->leap, .base_ms = ms};
	return age->base;
}
