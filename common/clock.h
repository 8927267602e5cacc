/*
 * clock.h - the monotonic clock, in milliseconds: for how long something took or may take.
 */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdint.h>
#include <time.h>

int64_t clock_ms(void);

/* That many milliseconds from now, for pthread_cond_timedwait on a condition whose clock is
 * CLOCK_MONOTONIC. */
struct timespec clock_in(int ms);

#endif
