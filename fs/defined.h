/*
 * defined.h - the definitions in force at the end of what readers see.
 *
 * Taken from the lines of the newest segment as these are shown, which opens with all of them; so it
 * needs no writer. Memory: that of a catalog.
 *
 * Threads: defined_start, defined_read and defined_show by who shows; all else any.
 */
#ifndef FS_DEFINED_H
#define FS_DEFINED_H

#include "catalog.h"
#include "segments.h"

struct defined {
	struct segments *segments;    /* borrowed; their lock guards the next two */
	struct segment *segment;      /* the newest that is shown */
	struct catalog catalog, next; /* as shown; as it will be */
	bool changed;                 /* `next` is another one */
};

void defined_init(struct defined *defined, struct segments *segments);
void defined_fini(struct defined *defined);

/* Those of the newest segment when the store is opened: takes `catalog`, which is of all lines of its index. */
void defined_start(struct defined *defined, struct segment *newest, struct catalog *catalog);

/* Reads the `schema` and `drop` lines that were added to the index of the newest segment. -EBADMSG where
 * they are damaged. Then lets readers see it; under the segments' write lock. */
int defined_read(struct defined *defined, struct segment *newest, struct err *err);
void defined_show(struct defined *defined, struct segment *newest);

/* The `schema` line, without '\n', of the table with the path name (name.h) `name`: 1, and the
 * caller frees it; 0 where none is in force. */
int defined_line(struct defined *defined, const char *name, char **line, size_t *len, struct err *err);

/* Calls `each` with the path name of every table with a definition in force; stops where it returns
 * non-zero and returns that. */
int defined_list(struct defined *defined, int (*each)(const char *name, void *ctx), void *ctx, struct err *err);

#endif
