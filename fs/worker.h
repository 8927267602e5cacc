/*
 * worker.h - a thread of the daemon that does its work until it is asked to end.
 */
#ifndef FS_WORKER_H
#define FS_WORKER_H

#include <pthread.h>
#include <stdbool.h>

#include "err.h"

/* Zeros: it does not run. */
struct worker {
	pthread_t thread;
	int stop_fd; /* readable: it is to end */
	bool running;
};

/* Starts `run` with `ctx`; `work` is what it does, for the error's sentence. -errno. */
int worker_start(struct worker *worker, void *(*run)(void *ctx), void *ctx, const char *work, struct err *err);

/* Waits until it has ended. One that does not run is fine. */
void worker_stop(struct worker *worker);

/* The thread: waits so long. False: it is to end. */
bool worker_pause(int stop_fd, int ms);

#endif
