/*
 * unplaced.h - the tables of which a row was changed that no follower can find.
 *
 * A table without a replica identity (`_key` `\\N`) has updates and deletes
 * that do not say which row they mean. That is told once for each table: what
 * follows it is not equal to its source from there on.
 */
#ifndef FS_UNPLACED_H
#define FS_UNPLACED_H

#include <stddef.h>

#include "catalog.h"

struct unplaced {
	char **names; /* path names (name.h), in the order in which they came */
	size_t count, cap;
	size_t added, removed; /* ever; those that were added last stand last */
};

/* Adds the table of a line, once. -ENOMEM. */
int unplaced_add(struct unplaced *unplaced, const struct line_head *head);

/* The table of a `drop` line is of no interest any more, nor that of a `schema` line with a `_key`. */
void unplaced_remove(struct unplaced *unplaced, const struct line_head *head);

/* What a line, whatever it is, says about that, with the definitions in force behind it. -ENOMEM. */
int unplaced_line(struct unplaced *unplaced, const struct catalog *catalog, const struct line_head *head);

/* The names joined by commas, as many as fit; "..." stands for the others. Returns `text`. */
char *unplaced_print(char *text, size_t size, const struct unplaced *unplaced);

void unplaced_fini(struct unplaced *unplaced);

#endif
