#include "rush.h"

void rush_looked(struct rush *rush, uint64_t commits, size_t bytes, bool more)
{
	uint64_t came = commits - rush->looked;

	rush->bytes += bytes;
	if (more && came < RUSH_LOOK && rush->bytes < RUSH_LOOK_LEN)
		return;
	bool many = came >= RUSH_COMMITS || rush->bytes >= RUSH_BYTES;
	rush->on = many && rush->many;
	rush->many = many;
	rush->looked = commits;
	rush->bytes = 0;
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
