/*
 * order.h - a batch's changes in the order of tables and keys.
 */
#ifndef MIRROR_ORDER_H
#define MIRROR_ORDER_H

#include <stddef.h>

#include "batch.h"

/* By batch_is_before; what is equal to it stays in no order. From then on nothing is added before batch_clear. */
void order_batch(struct batch *batch);

/* Some items of one table with the same `key`: by all of the key, then as they came. */
void order_keys(const struct batch *batch, struct batch_item *items, size_t count);

/* Of two items of one table: by value_order. */
int order_compare(const struct batch *batch, const struct batch_item *a, const struct batch_item *b);

#endif
