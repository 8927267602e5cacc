/*
 * mended.h - looks again at files that were found damaged (damage.h): one that is sound, as somebody mended it or put
 * its copy in its place, is read from then on, and no longer told in /status.
 *
 * A thread of its own, since it reads each of them through: once a second those that have changed (large ones that change
 * all the time, less often), all others every some minutes. What it finds is what readers would.
 */
#ifndef FS_MENDED_H
#define FS_MENDED_H

#include "part.h"
#include "store.h"

/* Whether the file is sound, or gone for good. `stop`: an eventfd that ends it before, or -1. */
bool mended_is(struct store *store, struct part_set *parts, const char *name, int stop);

/* Starts the thread. Both are borrowed until mended_stop. */
struct mended;
int mended_start(struct mended **mended, struct store *store, struct part_set *parts, struct err *err);
void mended_stop(struct mended *mended); /* NULL is fine */

#endif
