/*
 * ends.h - where lines end, found for many at once: of short lines, memchr for each takes most of the time that finding a
 * table's lines takes.
 *
 * Threads: none of its own.
 */
#ifndef FS_ENDS_H
#define FS_ENDS_H

#include <stddef.h>
#include <stdint.h>

enum { ENDS_LEN = 4 << 10 }; /* bytes of one look; a multiple of 64 */

struct ends {
	const char *from, *to; /* what is to be looked at still; borrowed */
	const char *base;      /* what `at` counts from */
	size_t next, count;
	uint16_t at[ENDS_LEN];
};

void ends_init(struct ends *ends, const char *from, const char *to);

/* Finds those of the next bytes. 0: there are no more bytes. */
int ends_more(struct ends *ends);

/* Behind the first '\n' at `from`, which never goes back, or after it; NULL: there is none. */
static inline const char *ends_next(struct ends *ends, const char *from)
{
	do
		while (ends->next < ends->count) {
			const char *at = ends->base + ends->at[ends->next++];
			if (at >= from)
				return at + 1;
		}
	while (ends_more(ends));
	return NULL;
}

#endif
