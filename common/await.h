/*
 * await.h - poll(2), but where that fails for good (a sandbox forbids it): taken for a wait that has ended, it would make a
 * loop without a pause. So here it says so, and ends the program, as a kill would.
 *
 * poll(2) names ENOMEM, too, which so few descriptors cannot bring: Linux has room for them on its stack (fs/select.c, N_STACK_PPS).
 */
#ifndef COMMON_AWAIT_H
#define COMMON_AWAIT_H

#include <poll.h>
#include <stdint.h>

/* As poll(2) and ppoll(2): how many are ready; 0: time is over; -1: a signal came. Threads: any. */
int await(struct pollfd *fds, nfds_t count, int timeout_ms);
int await_us(struct pollfd *fds, nfds_t count, int64_t timeout_us);

#endif
