/*
 * strangers.h - the tables that the mirror does not have though they are there, known by their OIDs: one that comes later
 * comes without its older rows. --tables leaves them out under the name that they have, or the stream does. They are
 * written down, once there are any, in
 *
 *     CREATE TABLE _daystream_absent (relid INTEGER PRIMARY KEY)
 */
#ifndef MIRROR_STRANGERS_H
#define MIRROR_STRANGERS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"

/* All of them; NULL where there is none. */
struct stranger;

int strangers_add(struct stranger **strangers, sqlite3 *sqlite, uint32_t relid, struct err *err);

/* 1: it was one of them, and is not any more; 0: it was none. */
int strangers_take(struct stranger **strangers, sqlite3 *sqlite, uint32_t relid, struct err *err);

/* Those that were written down; none is any more. */
int strangers_load(struct stranger **strangers, sqlite3 *sqlite, struct err *err);
int strangers_clear(struct stranger **strangers, sqlite3 *sqlite, struct err *err);

void strangers_free(struct stranger **strangers);

#endif
