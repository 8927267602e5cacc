/*
 * table.h - one table's lines through all segments, as one run of bytes.
 *
 * A table's offset counts its shown bytes from the segment on that was the oldest when the table was
 * first asked for; so what retention gives up changes none, and where retained bytes start is
 * asked for (table_start). Where an offset is in a segment, its index tells but for the rest of a block.
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

/* The table with the path name (name.h) `name`: 1 and *table; 0 where no retained
 * line is of it; then *table is NULL, or one that had lines. */
int table_get(struct table_set *set, const char *name, struct table **table, struct err *err);

/* The end of its shown bytes and the second of the last line. */
int table_len(struct table *table, uint64_t *len, uint64_t *last_epoch, struct err *err);

/* Where the bytes start that stand in the segment with that number, or behind it. -ESTALE. */
int table_start(struct table *table, size_t segment, uint64_t *off, struct err *err);

/* The number of the segment that has the byte `off`; of the newest where that is to come. */
int table_segment(struct table *table, uint64_t off, size_t *segment, struct err *err);

/* Before segments leave the store's list: all tables count what is in them. Then, behind it: they forget
 * what they know of those that left. A table that could not count (damage) goes on with a higher
 * offset: who was before that is -ESTALE. */
void table_set_count(struct table_set *set);
void table_set_trim(struct table_set *set);

/* The table's bytes before a place in the stream. */
int table_offset(struct table *table, const struct place *place, uint64_t *off, struct err *err);

/* Where a sequential reader is, so that it need not look for it; zeros at
 * first. One thread at a time. */
struct table_cursor {
	bool valid;
	size_t segment;
	struct filter_cursor at; /* `taken` is an offset of the table */
};

/* Copies shown bytes from `off`; fewer only at the end. Count or -errno; -ESTALE where they were given up. */
long table_read(struct table *table, struct table_cursor *cursor, uint64_t off, char *buf, size_t len, struct err *err);

/* The same for who goes on behind it: `least` are enough, where more would take part of a chunk (chunks.h). */
long table_some(struct table *table, struct table_cursor *cursor, uint64_t off, char *buf, size_t least, size_t most,
                struct err *err);

#endif
