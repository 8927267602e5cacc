#include "rush.h"

void rush_looked(struct rush *rush, uint64_t commits, bool more)
{
	uint64_t came = commits - rush->looked;

	if (more && came < RUSH_LOOK)
		return;
	bool many = came >= RUSH_COMMITS;
	rush->on = many && rush->many;
	rush->many = many;
	rush->looked = commits;
}

void rush_handed(struct rush *rush, int64_t now_ms)
{
	rush->handed_ms = now_ms;
}

bool rush_handed_lately(const struct rush *rush, int64_t now_ms)
{
	return now_ms - rush->handed_ms < RUSH_HOLD_MS;
}

bool rush_holds(const struct rush *rush, int64_t now_ms)
{
	return rush->on && rush_handed_lately(rush, now_ms);
}
