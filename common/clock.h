/*
 * clock.h - the monotonic clock: for how long something took or may take.
 */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

int64_t clock_ms(void);
int64_t clock_us(void);

/* A condition that waits by this clock; that many milliseconds from now, for its pthread_cond_timedwait. */
void clock_cond_init(pthread_cond_t *cond);
struct timespec clock_in(int ms);

#endif
