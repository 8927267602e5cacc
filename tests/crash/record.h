/*
 * record.h - the recorder of trace.h, a library for LD_PRELOAD.
 *
 * The calls of record_calls.c stand before libc's and make the system calls themselves. A call that changes state is made
 * under a lock that all processes of the trace share, with its record: so the trace has the order of the effects.
 * A sync alone is made outside of it, since others go on meanwhile: its record says which part of the trace it is sure
 * to cover. What changes files without these calls (stdio, mmap) would not be seen, so the programs do not do so.
 *
 * A process is to be killed by RECORD_STOP, between two calls: a kill from outside may come between a
 * call and its record.
 */
#ifndef CRASH_RECORD_H
#define CRASH_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "trace.h"

#pragma GCC visibility push(hidden)

/* False: nothing is to be recorded. */
bool record_on(void);
useconds_t record_slow_us(void);

/* Says what cannot be recorded, and aborts. */
void record_wrong(const char *what, const char *value);

/* The path of an open file, or of a name, below the root: PATH_MAX bytes, "" of a file that has no name any more. False: it
 * is somewhere else. */
bool record_find_fd(int fd, char *out);
bool record_find_name(int dirfd, const char *name, char *out);

/* Around a call and its record. */
void record_lock(void);
void record_unlock(void);

/* Before a call: true where it is to fail, with errno set. The process may end in it. *within: the call is to be made by
 * half, and record_stop_here comes then. */
bool record_arrive(const char *call, const char *path, bool *within);
void record_stop_here(void);

/* After it. errno stays. */
void record_put(enum trace_call call, const char *path, const char *to, uint64_t ino, uint64_t off, const void *data,
                size_t len);
uint64_t record_ino_of(int fd);
uint64_t record_place(void); /* where the next record comes */

#pragma GCC visibility pop

/* A note of the program itself, which finds this with dlsym. */
void record_note(const char *text);

#endif
