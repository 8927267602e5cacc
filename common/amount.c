#include "amount.h"

#include <inttypes.h>
#include <stdio.h>

const char *amount_bytes(char text[AMOUNT_TEXT_MAX], double bytes)
{
	static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
	size_t i = 0;

	for (; bytes >= 1000 && i + 1 < sizeof units / sizeof *units; i++)
		bytes /= 1000;
	snprintf(text, AMOUNT_TEXT_MAX, i && bytes < 100 ? "%.1f %s" : "%.0f %s", bytes, units[i]);
	return text;
}

const char *amount_duration(char text[AMOUNT_TEXT_MAX], double seconds)
{
	uint64_t s = (uint64_t)(seconds + 0.5);

	if (s >= 3600)
		snprintf(text, AMOUNT_TEXT_MAX, "%" PRIu64 ":%02d:%02d", s / 3600, (int)(s / 60 % 60), (int)(s % 60));
	else
		snprintf(text, AMOUNT_TEXT_MAX, "%d:%02d", (int)(s / 60), (int)(s % 60));
	return text;
}
