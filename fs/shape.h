/*
 * shape.h - the definitions that hold for the lines that are read: which columns a table has, and what they
 * are in JSON.
 *
 * A `schema` line that comes by is noted. Where a table's stands before the first line that was read, it is looked for
 * backwards in the table's file: it is there, since whatever is retained opens with the definitions in force.
 *
 * Memory: some thousand definitions; then all are forgotten, and looked for again. One thread.
 */
#ifndef FS_SHAPE_H
#define FS_SHAPE_H

#include "definition.h"
#include "json_value.h"
#include "stream.h"

struct shape {
	struct definition definition;
	struct json_form *types; /* of its columns */
};

struct shapes;

/* The stream is borrowed. NULL: out of memory. */
struct shapes *shapes_new(struct stream *stream);
void shapes_free(struct shapes *shapes);

/* Of each `schema` and `drop` line. */
int shapes_note(struct shapes *shapes, const struct line_head *head, struct err *err);

/* What holds for a line of a table; borrowed until the next call of any of these. Errors of stream.h. */
int shapes_get(struct shapes *shapes, const struct line_head *head, const struct shape **shape, struct err *err);

#endif
