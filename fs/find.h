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
	size_t segment; /* its number */
	uint64_t off;   /* in the segment */
	uint64_t len;   /* with its '\n' */
	uint64_t at;    /* in the whole stream */
};

/* The first retained line at or after `position`: 1, 0 where none is shown yet. */
int find_line(struct store *store, struct position position, struct place *place, struct err *err);

/* The last retained line before `position`; 0 where there is none. */
int find_before(struct store *store, struct position position, struct place *place, struct err *err);

/* Whether retention has given up what stood at `position`, or may have: it is before the oldest line,
 * which is not the first that there ever was. */
bool find_given_up(struct store *store, struct position position);

#endif
