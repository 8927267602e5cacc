/*
 * announce.h - inotify(7) events for files that grow, which FUSE itself has none of: a thread sets the
 * time of such a file in its own mount, and serve takes that, and nothing of the kind from anybody else. The
 * kernel then tells who watches the file, or its folder, that it was modified (IN_MODIFY).
 *
 * Of /live, of the tables of the newest segment, of today's day, and of what is open below /since; one event
 * for all growth since the one before. At most 20 rounds a second, and fewer where they are long: a
 * twentieth of a processor at most.
 *
 * Memory: a name and a length for each of these.
 */
#ifndef FS_ANNOUNCE_H
#define FS_ANNOUNCE_H

#include <sys/types.h>

#include "handle.h"

struct announce;

/* `place` is where `shown` is mounted; all is borrowed. It logs, once, why there are no events. */
int announce_start(struct announce **announce, const struct shown *shown, struct handle_set *handles, struct tree *tree,
                   const char *place, struct err *err);

/* Whether the thread with that number is ours. Any thread; false for NULL. */
bool announce_is(const struct announce *announce, pid_t tid);

/* Before the mount ends: no new round is begun. Behind it, when nothing can wait for an answer of
 * it: waits for the thread, and frees. NULL is fine for both. */
void announce_stop(struct announce *announce);
void announce_end(struct announce *announce);

#endif
