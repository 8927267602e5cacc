/*
 * arrived.h - the snapshots of a store that somebody else writes, or copies here: shown are those all of whose files
 * are there in their full length, and whose position is. (Each byte is compared when it is read: part.h.) The daemon's
 * own need no such look: they get their name when they are whole.
 *
 * Threads: any.
 */
#ifndef FS_ARRIVED_H
#define FS_ARRIVED_H

#include <stdbool.h>

#include "snapshots.h"
#include "store.h"

struct arrived;
struct arrived *arrived_new(struct store *store); /* NULL: out of memory */
void arrived_free(struct arrived *arrived);       /* NULL is fine */

/* Looks what is there by now. */
int arrived_look(struct arrived *arrived, struct err *err);

/* As snapshots_list and snapshots_newest of the store; without `arrived` they are these. */
int arrived_list(struct arrived *arrived, struct store *store, struct position **list, size_t *count, struct err *err);
int arrived_newest(struct arrived *arrived, struct store *store, uint64_t generation, struct position *newest,
                   struct err *err);

/* Whether the snapshot is to be shown; without `arrived` each is. */
bool arrived_has(struct arrived *arrived, struct position position);

#endif
