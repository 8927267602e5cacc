/*
 * await.h - poll(2), which every wait here is, but for one that fails for good (where a sandbox forbids it): taken for
 * one that has ended, it would make a loop without a pause. So here it says so, and ends the program.
 */
#ifndef COMMON_AWAIT_H
#define COMMON_AWAIT_H

#include <poll.h>
#include <stdint.h>

/* As poll(2) and ppoll(2): how many are ready; 0: time is over; -1: a signal came. From any thread; whoever it ends is
 * made for a kill at any moment. */
int await(struct pollfd *fds, nfds_t count, int timeout_ms);
int await_us(struct pollfd *fds, nfds_t count, int64_t timeout_us);

#endif
