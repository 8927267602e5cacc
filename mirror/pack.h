/*
 * pack.h - a row's values in few bytes, for as long as a batch lasts: the key's columns in its order, then the others
 * in the table's. Each begins with a number that is its kind, or for text and blobs kind and length:
 *
 *     0   absent                 nothing follows
 *     1   NULL                   nothing follows
 *     2   real                   8 bytes
 *     3 to 10   integer          1 to 8 bytes, as few as will do, the lowest first: twice it, or where it is below 0, twice
 *                                what it lacks to -1, and 1
 *     11 + 2 * length   text     so many bytes
 *     12 + 2 * length   blob     so many bytes
 *
 * That number is in groups of 7 bits, the lowest first, each in a byte that is 128 more where another one follows. So a
 * value has one form only: keys are equal where their bytes are.
 *
 * They are this program's alone: in its own byte order, and nothing is checked.
 */
#ifndef MIRROR_PACK_H
#define MIRROR_PACK_H

#include <stdbool.h>
#include <stddef.h>

#include "schema.h"
#include "value.h"

/* Room for a row whose texts and blobs have `len` bytes together: it takes less, and the bytes behind it are read with it. */
size_t pack_most(const struct schema *schema, size_t len);

/* `key_only`: without the other columns. Returns the length. */
size_t pack_row(char *to, const struct schema *schema, const struct value *values, bool key_only);

/* A whole row's line, whose pairs come in the order of the columns, of which those of the key are the first (schema.key_first), in
 * one pass. Returns the length; 0: it is another line, or something is wrong with it, as relation_read tells. */
size_t pack_line(char *to, const struct schema *schema, struct span pairs, struct value_room *room);

/* The key's first value. */
void pack_read_first(const char *from, struct value *value);

/* The key; all other values become absent. Values borrow their bytes from `from`. */
void pack_read_key(const char *from, const struct schema *schema, struct value *values);

/* All of a whole row. */
void pack_read_row(const char *from, const struct schema *schema, struct value *values);

/* What `values` has not yet of the other columns; returns how many that were. */
unsigned pack_read_rest(const char *from, const struct schema *schema, struct value *values);

/* How many bytes the key has. */
size_t pack_key_len(const char *from, unsigned key_count);

/* Of two rows' keys, by value_order. */
int pack_order(const char *a, const char *b, unsigned key_count);

#endif
