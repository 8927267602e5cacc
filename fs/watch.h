/*
 * watch.h - a status that is read again and again, on the terminal or as lines.
 */
#ifndef FS_WATCH_H
#define FS_WATCH_H

#include "err.h"

/* A text of status.h, to be freed, or NULL and why not; a text may come with a reason, too ("" else). Called by a thread
 * of its own, one call at a time. */
typedef char *watch_read(const char *path, struct err *err);

/* Shows it every second: on a terminal a screen, until `q` or a signal; else, or where `lines`, a line each. What cannot be read
 * is told, and tried again; where that is so at the start, it is the error. The reading thread may be left behind. */
int watch(const char *path, watch_read *read, struct err *err);

/* Where the store is mounted by now, to be freed; NULL: nowhere that we can see. */
char *watch_find_mount(const char *store);

#endif
