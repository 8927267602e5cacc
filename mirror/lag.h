/*
 * lag.h - waits until the mirror has all that the server shows now.
 *
 * A transactional message marks the place in the stream; the mirror has passed it once the position in its
 * row of _daystream lies behind. A mirror that makes no step for `wait_ms` is taken to stand still (no
 * deltamirror at work, the mount away), which is found out once only: later calls look and go on.
 */
#ifndef MIRROR_LAG_H
#define MIRROR_LAG_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "reading.h"
#include "server.h"

struct lag {
	struct server *server;   /* outside a transaction */
	struct reading *reading; /* outside a read transaction */
	int wait_ms;
	bool stands;       /* it was seen to stand still, */
	uint64_t stood_at; /* there */
};

/* 1: the mirror has passed; 0: it stands still. `meanwhile` (may be NULL) is called again and again; its
 * error ends the wait. -EINTR where a signal came. */
int lag_pass(struct lag *lag, int (*meanwhile)(void *ctx, struct err *err), void *ctx, struct err *err);

#endif
