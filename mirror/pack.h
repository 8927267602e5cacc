/*
 * pack.h - a row's values in few bytes, for as long as a batch lasts: the key's columns in its order, then the others
 * in the table's. Each is its kind and what it needs:
 *
 *     absent, NULL     nothing
 *     integer, real    8 bytes
 *     text, blob       its length in 4 bytes, and so many bytes
 *
 * They are this program's alone: in its own byte order, and nothing is checked.
 */
#ifndef MIRROR_PACK_H
#define MIRROR_PACK_H

#include <stdbool.h>
#include <stddef.h>

#include "schema.h"
#include "value.h"

/* How long it will be; `key_only`: without the other columns. */
size_t pack_len(const struct schema *schema, const struct value *values, bool key_only);
void pack_row(char *to, const struct schema *schema, const struct value *values, bool key_only);

/* The key; all other values become absent. Values borrow their bytes from `from`. */
void pack_read_key(const char *from, const struct schema *schema, struct value *values);

/* What `values` has not yet of the other columns; returns how many that were. */
unsigned pack_read_rest(const char *from, const struct schema *schema, struct value *values);

/* Of two rows' keys, by value_order. */
int pack_order(const char *a, const char *b, unsigned key_count);

#endif
