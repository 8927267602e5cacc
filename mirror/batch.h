/*
 * batch.h - row changes that wait: as few as their keys, and in few bytes.
 *
 *     batch_add ... batch_add     a key's changes become one from the start: what both say
 *     order.h                     items by table and key
 *     batch_clear
 *
 * So a batch may have as many lines as come, as long as they are of few keys. A delete stands by itself, and so does what
 * says some columns of a long row:
 *
 *     insert, update, update, delete, insert, update      three items: an insert, a delete, an insert
 *
 * Memory: BATCH_MEMORY, once so much has come, or until batch_clear BATCH_MEMORY_LARGE: where keys come again and again, a
 * larger batch has fewer pages written for them.
 */
#ifndef MIRROR_BATCH_H
#define MIRROR_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "position.h"
#include "relation.h"

#define BATCH_MEMORY ((size_t)28 << 20)
#define BATCH_MEMORY_LARGE ((size_t)64 << 20)

/* Some lines of a key that follow each other, and what they came to. */
struct batch_item {
	uint64_t key;        /* of the key's first column: ordered as it is, but for what is longer */
	uint32_t at;         /* where its values are: of one key, increasing */
	unsigned table : 29; /* in tables */
	unsigned change : 2; /* enum relation_change: of its first line, */
	unsigned whole : 1;  /* which said all columns */
};

/* Zeros are an empty one. */
struct batch {
	struct batch_item *items; /* as they came, until they are put into order */
	size_t count, cap;
	char *bytes; /* what they say */
	size_t used, size;
	/* By the key: its newest item's number, from 1 on; 0: none. The first `found` items are there; those behind are each
	 * of a key that is behind all before. */
	uint32_t *slots;
	size_t slot_count, keys, found;
	size_t highest;           /* of all items */
	struct relation **tables; /* each once */
	size_t table_count, table_cap;
	struct position first; /* of the first item */
	bool stays_small;      /* SQLite's cache is needed, for a table out of its keys' order or rows beside */
	bool large;
};

/* A change of a table whose rows a key without reals tells apart, which relation_read has read from `text_len` bytes (`row`
 * is its row). 1: it is kept; 0: there is no room. -ENOMEM. */
int batch_add(struct batch *batch, struct relation *table, enum relation_change change, const struct relation_row *row,
              size_t text_len, struct position position, struct err *err);

/* The same of an insert's or update's line, where pack_line can read it; else BATCH_OTHER. */
enum { BATCH_OTHER = 2 };
int batch_add_line(struct batch *batch, struct relation *table, enum relation_change change, struct span pairs,
                   struct position position, struct err *err);

/* Where there was no room: whether there is now. It is only where all tables have their rows in the order of keys, and keys
 * do not come in it. */
bool batch_enlarge(struct batch *batch);

/* What an item came to, for pack.h: of a delete, only the key. Borrowed until the next batch_add. */
const char *batch_values(const struct batch *batch, const struct batch_item *item);

/* Of the first line that it came from. */
struct position batch_position(const struct batch *batch, const struct batch_item *item);

/* Whether items of such a table have the same key where their `key` is the same: it is a single number. */
bool batch_is_number(const struct schema *schema);

/* By table and `key`. */
bool batch_is_before(const struct batch_item *a, const struct batch_item *b);

void batch_clear(struct batch *batch);
void batch_fini(struct batch *batch);

#endif
