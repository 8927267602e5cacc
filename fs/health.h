/*
 * health.h - asks the server from time to time how the slot is: whether its WAL is still kept, and how much more may come
 * before it is not.
 *
 * A thread of its own, and an ordinary connection that lasts for the question only: so it is asked too while the stream
 * is not connected (the disk is full), when it matters most, and no shutdown of the server waits for it.
 */
#ifndef FS_HEALTH_H
#define FS_HEALTH_H

#include "config.h"
#include "server.h"

struct health;

struct health_status {
	bool known; /* the last question had an answer, which is: */
	struct server_slot slot;
	uint64_t age_seconds; /* of the answer */
	char error[512];      /* why there is none; "" before the first */
};

/* Starts the thread. `config` is borrowed until health_stop. */
int health_start(struct health **health, const struct config *config, struct err *err);

/* Gives up a question that is under way. NULL is fine, here and below. */
void health_stop(struct health *health);

/* Any thread. */
void health_status(struct health *health, struct health_status *status);

#endif
