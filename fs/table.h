/*
 * table.h - one table's lines through all segments, as one run of bytes.
 *
 * A table's offset counts its shown bytes from the oldest segment on. Where
 * an offset is in a segment, its index tells but for the rest of a block.
 *
 * Threads: any. A table, once asked for, stays while the set is open.
 */
#ifndef FS_TABLE_H
#define FS_TABLE_H

#include "filter.h"
#include "find.h"

/* All tables that were asked for. */
struct table_set;
struct table;

struct table_set *table_set_new(struct store *store); /* NULL: out of memory */
void table_set_free(struct table_set *set);

/* The table with the path name (name.h) `name`: 1 and *table; 0 where no shown
 * line is of it. */
int table_get(struct table_set *set, const char *name, struct table **table, struct err *err);

/* Calls `each` with every table's path name, in no order, each once; stops
 * where it returns non-zero and returns that. */
int table_list(struct table_set *set, int (*each)(const char *name, void *ctx), void *ctx, struct err *err);

/* Shown bytes and the second of the last line. */
int table_len(struct table *table, uint64_t *len, uint64_t *last_epoch, struct err *err);

/* The table's bytes before a place in the stream. */
int table_offset(struct table *table, const struct place *place, uint64_t *off, struct err *err);

/* Where a sequential reader is, so that it need not look for it; zeros at
 * first. One thread at a time. */
struct table_cursor {
	bool valid;
	size_t segment;
	struct filter_cursor at; /* `taken` counts from the oldest segment on */
};

/* Copies shown bytes from `off`; fewer only at the end. Count or -errno. */
long table_read(struct table *table, struct table_cursor *cursor, uint64_t off, char *buf, size_t len, struct err *err);

#endif
