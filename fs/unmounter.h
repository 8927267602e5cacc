/*
 * unmounter.h - a child process that stays root, to unmount when the daemon, which is no
 * longer root, ends. That is all it can: it holds nothing but its end of a socket, and its one
 * mount's place and device. It ignores what signals a terminal or systemd sends to the group, and
 * ends with the daemon; where that was killed, the mount stays dead, as any daemon's would, until
 * the next start clears it.
 */
#ifndef FS_UNMOUNTER_H
#define FS_UNMOUNTER_H

#include "err.h"

struct unmounter;

/* For what is mounted at `mountpoint`, without symbolic links. Call it as root, before there are
 * threads. */
int unmounter_start(struct unmounter **unmounter, const char *mountpoint, struct err *err);

/* Has it unmount, though files may be open, unless something else stands there by now. Ends within
 * ten seconds. */
int unmounter_unmount(struct unmounter *unmounter, struct err *err);

/* Ends it, and frees. NULL is fine. */
void unmounter_stop(struct unmounter *unmounter);

#endif
