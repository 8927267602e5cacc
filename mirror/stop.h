/*
 * stop.h - SIGTERM and SIGINT: the one wish of a person that every wait here answers.
 */
#ifndef MIRROR_STOP_H
#define MIRROR_STOP_H

#include <pthread.h>
#include <stdbool.h>

#include "err.h"

/* At the start, once. System calls that hang end with EINTR. */
int stop_catch(struct err *err);

/* Whether a signal has come; any thread. */
bool stop_asked(void);

/* Readable from the first signal on; -1 before stop_catch. */
int stop_fd(void);

/* As a signal does: for the other threads, where one of them has failed. */
void stop_ask(void);

/* A system call of that thread that hangs ends with EINTR, if it is in one now. */
void stop_interrupt(pthread_t thread);

/* Waits so long, or until a signal comes. */
void stop_pause(int ms);

#endif
