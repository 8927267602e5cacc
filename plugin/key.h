/*
 * key.h - a table's keys: the replica identity, which is what an update or delete tells of the old row, and
 * the primary key.
 */
#ifndef DELTAFLOOD_KEY_H
#define DELTAFLOOD_KEY_H

#include "access/attnum.h"
#include "utils/relcache.h"

struct key {
	enum { KEY_NONE, KEY_FULL, KEY_COLUMNS } kind; /* FULL: all columns, none by its number */
	int count;
	AttrNumber columns[INDEX_MAX_KEYS]; /* in the index's order */
};

void key_find(struct key *key, Relation rel);

/* A deferrable one is none: such a key may stand twice for a while. */
void key_find_primary(struct key *key, Relation rel);

#endif
