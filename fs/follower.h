/*
 * follower.h - the thread that follows a store which somebody else writes (growth.h), for `daystreamfs --read-only`.
 */
#ifndef FS_FOLLOWER_H
#define FS_FOLLOWER_H

#include "arrived.h"
#include "growth.h"

struct follower;

struct follower_status {
	uint64_t growth_seconds; /* since the last time that more was shown */
	char last_error[1024];   /* why no more is shown, though there should be; "": all is */
};

/* Shows what is there, for which it waits some seconds at most: -EAGAIN, `err` says why there is nothing yet. All is
 * borrowed; the rest of `shown` is as growth.h says. Any thread, also of one that is not started. */
int follower_open(struct follower **follower, const struct retain *shown, struct err *err);

/* The thread; `ended(ctx)` is called by it after a final error. */
int follower_start(struct follower *follower, void (*ended)(void *ctx), void *ctx, struct err *err);

/* Any thread. */
void follower_status(struct follower *follower, struct follower_status *status);
struct arrived *follower_arrived(struct follower *follower);

/* Ends the thread and frees; 0, or the final error. NULL is fine. */
int follower_stop(struct follower *follower, struct err *err);

#endif
