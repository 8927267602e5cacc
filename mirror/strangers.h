/*
 * strangers.h - the tables that --tables leaves out under the name that they have, known by their OIDs:
 * one that is renamed to a name on the list comes without its older rows.
 */
#ifndef MIRROR_STRANGERS_H
#define MIRROR_STRANGERS_H

#include <stdbool.h>
#include <stdint.h>

/* All of them; NULL where there is none. */
struct stranger;

/* False: out of memory. */
bool strangers_add(struct stranger **strangers, uint32_t relid);

/* Whether it was one of them; it is not any more. */
bool strangers_take(struct stranger **strangers, uint32_t relid);

void strangers_free(struct stranger **strangers);

#endif
