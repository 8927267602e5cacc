/*
 * find.h - where a position is in the store: two binary searches (segments by
 * name, blocks by index), then a scan of one block. Any thread.
 */
#ifndef FS_FIND_H
#define FS_FIND_H

#include "store.h"

/* Where a line is. */
struct place {
	struct position position;
	size_t segment;
	uint64_t off; /* in the segment */
	uint64_t len; /* with its '\n' */
};

/* The first line at or after `position`: 1, 0 where none is shown yet. */
int find_line(struct store *store, struct position position, struct place *place, struct err *err);

/* Where it is in the whole stream. */
uint64_t find_offset(struct store *store, const struct place *place);

#endif
