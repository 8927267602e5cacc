/*
 * direct.h - all rows of the source into a mirror (load.h), from the server itself instead of a snapshot.
 */
#ifndef MIRROR_DIRECT_H
#define MIRROR_DIRECT_H

#include "apply.h"
#include "err.h"

/* `warn`: as copy.h. What the copy lacks comes from the stream of `mount`, which has to be of that server: -EINVAL where it is
 * not. -EAGAIN where the server cannot be reached now; else as load.h, copy.h. */
int direct_load(struct apply *apply, const char *mount, const char *conninfo, const char *tables,
                void (*warn)(const char *sentence), struct err *err);

#endif
