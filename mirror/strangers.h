/*
 * strangers.h - the tables that the mirror does not have though they are there, known by their OIDs: one that comes later
 * comes without its older rows. --tables leaves them out under the name that they have, or the stream does (these last
 * beyond a restart, as
 *
 *     CREATE TABLE _daystream_absent (relid INTEGER PRIMARY KEY)
 *
 * which is there once the stream's tables were changed).
 */
#ifndef MIRROR_STRANGERS_H
#define MIRROR_STRANGERS_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"

/* All of them; NULL where there is none. */
struct stranger;

/* False: out of memory. */
bool strangers_add(struct stranger **strangers, uint32_t relid);

/* Whether it was one of them; it is not any more. */
bool strangers_take(struct stranger **strangers, uint32_t relid);

/* Adds those that were written down; writes one down; none is any more. */
int strangers_load(struct stranger **strangers, sqlite3 *sqlite, struct err *err);
int strangers_save(sqlite3 *sqlite, uint32_t relid, struct err *err);
int strangers_clear(struct stranger **strangers, sqlite3 *sqlite, struct err *err);

void strangers_free(struct stranger **strangers);

#endif
