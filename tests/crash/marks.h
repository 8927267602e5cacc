/*
 * marks.h - what a mirror holds at each commit of a stream: of one that was fed from the stream's beginning.
 */
#ifndef CRASH_MARKS_H
#define CRASH_MARKS_H

#include <stddef.h>
#include <stdint.h>

#include "position.h"

struct marks {
	struct mark {
		struct position position;
		uint64_t content;  /* content.h */
		unsigned followed; /* its user's */
	} * list;
	size_t count;
};

/* From a mount that shows all of the stream, by a database in `folder`. Aborts the test where something is wrong. */
void marks_learn(struct marks *marks, const char *mount, const char *folder);

/* NULL: no commit is there. */
struct mark *marks_find(const struct marks *marks, struct position position);

#endif
