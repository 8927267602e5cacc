/*
 * origin.h - the `origin` line that a segment opens with, and the segment that begins a generation.
 */
#ifndef FS_ORIGIN_H
#define FS_ORIGIN_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "record.h"

enum { ORIGIN_MAX = 2048 };

/* The line, without stamp and '\n', to `out`; returns its length. */
size_t origin_print(char *out, size_t size, const struct origin *origin);

/* Starts a store, or a new generation of one: writes a segment that holds the
 * `origin` line and a commit line of `xid` at `lsn`, synced. `after` is the last
 * position before it (zeros for none). */
int origin_write(int segments_dirfd, struct position after, uint64_t second, const struct origin *origin, uint64_t xid,
                 uint64_t lsn, const char *time, struct err *err);

#endif
