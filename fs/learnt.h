/*
 * learnt.h - what is learnt of a segment's lines while it is read through: its index, and the definitions in force at
 * its end. So a start reads the newest segment once.
 *
 * Threads: none of its own.
 */
#ifndef FS_LEARNT_H
#define FS_LEARNT_H

#include "catalog.h"
#include "index.h"
#include "unplaced.h"

struct learnt {
	struct index *index; /* not shown yet */
	struct catalog catalog;
	struct unplaced unplaced;
};

int learnt_init(struct learnt *learnt, struct err *err);
void learnt_fini(struct learnt *learnt); /* also of zeros */

/* One more line, without '\n', which starts at `off`: the lines come in order. -ENOMEM. */
int learnt_line(struct learnt *learnt, uint64_t off, const char *line, size_t len, const struct line_head *head,
                struct err *err);

#endif
