/*
 * pace.h - whose turn it is on a processor: the stream's, before those who answer its followers.
 *
 * The walsender and the receiver work a little at a time and wait for each other; who answers a follower copies a
 * megabyte. A thread of SCHED_BATCH that wakes interrupts nobody (sched(7)). But where single commits come, that wait is
 * what their readers see: so only while lines stream, and once more when the thread wakes for the first time after that.
 *
 * A program that was started with another policy than SCHED_OTHER keeps that.
 *
 * Threads: any but the program's first; each is told for itself.
 */
#ifndef FS_PACE_H
#define FS_PACE_H

#include <stdbool.h>

/* The thread that calls this is about to answer a reader. While it is told the same as before, it costs nothing. */
void pace_answer(bool streams);

#endif
