#include "pace.h"

#include <sched.h>
#include <unistd.h>

void pace_answer(bool streams)
{
	static _Thread_local int told = -1; /* a new thread begins as the one that made it */

	if (told == streams)
		return;
	told = streams;
	/* Where it is refused, it is a thread like others. */
	if (sched_getscheduler(getpid()) == SCHED_OTHER)
		sched_setscheduler(0, streams ? SCHED_BATCH : SCHED_OTHER, &(struct sched_param){0});
}
