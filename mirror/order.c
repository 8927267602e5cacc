#include "order.h"

#include <stdlib.h>

#include "pack.h"

/* So few are put into order one by one. */
#define FEW 24
#define DIGIT_BITS 8

static bool in_order(const struct batch *batch)
{
	for (size_t i = 1; i < batch->count; i++)
		if (batch_is_before(&batch->items[i], &batch->items[i - 1]))
			return false;
	return true;
}

static void sort_few(struct batch_item *items, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct batch_item item = items[i];
		size_t to = i;
		for (; to > 0 && batch_is_before(&item, &items[to - 1]); to--)
			items[to] = items[to - 1];
		items[to] = item;
	}
}

/* The highest bits in which items differ: as many as there are items for. */
struct digit {
	bool of_table;
	unsigned shift, mask;
};

static bool find_digit(const struct batch_item *items, size_t count, struct digit *digit)
{
	uint64_t key = 0, table = 0;
	unsigned width = 1;

	for (size_t i = 1; i < count; i++) {
		key |= items[i].key ^ items[0].key;
		table |= items[i].table ^ items[0].table;
	}
	uint64_t differs = table ? table : key;
	if (differs == 0)
		return false;
	while (width < DIGIT_BITS && count >> (width + 3))
		width++;
	unsigned bits = 64u - (unsigned)__builtin_clzll(differs);
	*digit = (struct digit){table != 0, bits > width ? bits - width : 0, (1u << width) - 1};
	return true;
}

static unsigned digit_of(const struct batch_item *item, const struct digit *digit)
{
	return (unsigned)((digit->of_table ? item->table : item->key) >> digit->shift) & digit->mask;
}

/* In place, by the first bits that differ, then each part by itself. What is equal stays in no order. */
static void sort(struct batch_item *items, size_t count)
{
	size_t next[1 << DIGIT_BITS] = {0}, ends[1 << DIGIT_BITS], end = 0;
	struct digit digit;

	if (count <= FEW) {
		sort_few(items, count);
		return;
	}
	if (!find_digit(items, count, &digit))
		return;
	for (size_t i = 0; i < count; i++)
		next[digit_of(&items[i], &digit)]++;
	for (unsigned value = 0; value <= digit.mask; value++) {
		size_t begin = end;
		ends[value] = end += next[value];
		next[value] = begin;
	}
	for (unsigned value = 0; value <= digit.mask; value++)
		while (next[value] < ends[value]) {
			struct batch_item item = items[next[value]];
			for (unsigned to; (to = digit_of(&item, &digit)) != value;) {
				struct batch_item other = items[next[to]];
				items[next[to]++] = item;
				item = other;
			}
			items[next[value]++] = item;
		}
	for (unsigned value = 0; value <= digit.mask; value++) {
		size_t begin = value ? ends[value - 1] : 0;
		if (ends[value] - begin > 1)
			sort(items + begin, ends[value] - begin);
	}
}

void order_batch(struct batch *batch)
{
	if (!in_order(batch))
		sort(batch->items, batch->count);
}

int order_compare(const struct batch *batch, const struct batch_item *a, const struct batch_item *b)
{
	const struct schema *schema = &batch->tables[a->table]->schema;

	return pack_order(batch_values(batch, a), batch_values(batch, b), schema->key_count);
}

static int compare(const void *a, const void *b, void *ctx)
{
	const struct batch *batch = ctx;
	const struct batch_item *x = a, *y = b;
	int order = batch_is_number(&batch->tables[x->table]->schema) ? 0 : order_compare(batch, x, y);

	return order ? order : (x->at > y->at) - (x->at < y->at);
}

void order_keys(const struct batch *batch, struct batch_item *items, size_t count)
{
	if (count > 1)
		qsort_r(items, count, sizeof *items, compare, (void *)batch);
}
