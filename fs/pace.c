#include "pace.h"

#include <sched.h>

void pace_answer(bool streams)
{
	static _Thread_local bool batch;

	/* Where it is refused, it is a thread like others. */
	if (streams != batch)
		sched_setscheduler(0, streams ? SCHED_BATCH : SCHED_OTHER, &(struct sched_param){0});
	batch = streams;
}
