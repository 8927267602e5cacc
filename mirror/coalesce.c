#include "coalesce.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pack.h"

#define RADIX 256
#define KEY_DIGITS sizeof(uint64_t)
#define TABLE_DIGITS sizeof(uint32_t)

struct coalesce_record {
	struct position position;
	size_t at; /* of its values in bytes */
};

/* All that is looked at of a line which another one takes the place of. */
struct coalesce_item {
	uint64_t key; /* of the key's first column: ordered as it is, but for what is longer */
	uint32_t table;
	unsigned record : 24, change : 2, whole : 1; /* whole: it says all columns */
};

/* ---- adding */

static int out_of_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory for a batch of changes");
}

/* False: there is no memory. */
static bool reserve_rows(struct coalesce *coalesce)
{
	if (coalesce->count < coalesce->cap)
		return true;
	size_t cap = coalesce->cap ? 2 * coalesce->cap : 256;
	struct coalesce_record *records = realloc(coalesce->records, cap * sizeof *records);
	if (records)
		coalesce->records = records;
	struct coalesce_item *items = records ? realloc(coalesce->items, cap * sizeof *items) : NULL;
	if (items)
		coalesce->items = items;
	struct coalesce_item *spare = items ? realloc(coalesce->spare, cap * sizeof *spare) : NULL;
	if (!spare)
		return false;
	coalesce->spare = spare;
	coalesce->cap = cap;
	return true;
}

static bool reserve_bytes(struct coalesce *coalesce, size_t len)
{
	if (coalesce->size - coalesce->used >= len)
		return true;
	size_t size = coalesce->size ? coalesce->size : COALESCE_ROW_BYTES;
	while (size - coalesce->used < len)
		size *= 2;
	char *bytes = realloc(coalesce->bytes, size);
	if (!bytes)
		return false;
	coalesce->bytes = bytes;
	coalesce->size = size;
	return true;
}

static bool number_table(struct coalesce *coalesce, struct relation *table)
{
	if (table->number < coalesce->table_count && coalesce->tables[table->number] == table)
		return true;
	if (coalesce->table_count == coalesce->table_cap) {
		size_t cap = coalesce->table_cap ? 2 * coalesce->table_cap : 16;
		struct relation **tables = realloc(coalesce->tables, cap * sizeof *tables);
		if (!tables)
			return false;
		coalesce->tables = tables;
		coalesce->table_cap = cap;
	}
	table->number = (uint32_t)coalesce->table_count;
	coalesce->tables[coalesce->table_count++] = table;
	return true;
}

static uint64_t sort_key(const struct value *value)
{
	uint64_t key = 0;

	if (value->kind == VALUE_INTEGER)
		return (uint64_t)value->integer ^ (uint64_t)1 << 63;
	for (size_t i = 0; i < sizeof key; i++)
		key = key << 8 | (i < value->len ? (unsigned char)value->at[i] : 0);
	return key;
}

int coalesce_add(struct coalesce *coalesce, struct relation *table, enum relation_change change, struct span pairs,
                 struct position position, struct err *err)
{
	const struct schema *schema = &table->schema;
	bool key_only = change == RELATION_DELETE;
	struct relation_row *row;

	if (pairs.len > COALESCE_ROW_BYTES || coalesce->count >= COALESCE_ROWS)
		return 0;
	int rc = relation_read(table, change, pairs, &row, err);
	if (rc < 0)
		return rc;
	/* Nothing but the key: as relation_update has it. */
	if (change == RELATION_UPDATE && row->present == schema->key_count) {
		if (table->exact || row->present < schema->column_count)
			return 1;
		change = RELATION_INSERT;
	}
	size_t len = pack_len(schema, row->values, key_only);
	if (coalesce->used + len > COALESCE_BYTES)
		return 0;
	if (!reserve_rows(coalesce) || !reserve_bytes(coalesce, len) || !number_table(coalesce, table))
		return out_of_memory(err);
	coalesce->records[coalesce->count] = (struct coalesce_record){position, coalesce->used};
	coalesce->items[coalesce->count] = (struct coalesce_item){.key = sort_key(&row->values[schema->key[0]]),
	                                                          .table = table->number,
	                                                          .record = coalesce->count & (COALESCE_ROWS - 1),
	                                                          .change = change & 3,
	                                                          .whole = row->present == schema->column_count};
	pack_row(coalesce->bytes + coalesce->used, schema, row->values, key_only);
	coalesce->used += len;
	coalesce->count++;
	return 1;
}

/* ---- the order: by table, by key, then as they came */

static bool in_order(const struct coalesce *coalesce)
{
	const struct coalesce_item *items = coalesce->items;

	for (size_t i = 1; i < coalesce->count; i++)
		if (items[i].table < items[i - 1].table ||
		    (items[i].table == items[i - 1].table && items[i].key < items[i - 1].key))
			return false;
	return true;
}

/* The lowest digit first; each pass leaves what is equal as it was. */
static unsigned char digit(const struct coalesce_item *item, size_t place)
{
	return (unsigned char)(place < KEY_DIGITS ? item->key >> 8 * place : item->table >> 8 * (place - KEY_DIGITS));
}

static void sort(struct coalesce *coalesce)
{
	for (size_t place = 0; place < KEY_DIGITS + TABLE_DIGITS; place++) {
		size_t counts[RADIX] = {0}, at = 0;
		for (size_t i = 0; i < coalesce->count; i++)
			counts[digit(&coalesce->items[i], place)]++;
		if (counts[digit(&coalesce->items[0], place)] == coalesce->count)
			continue;
		for (size_t i = 0; i < RADIX; i++) {
			size_t count = counts[i];
			counts[i] = at;
			at += count;
		}
		for (size_t i = 0; i < coalesce->count; i++)
			coalesce->spare[counts[digit(&coalesce->items[i], place)]++] = coalesce->items[i];
		struct coalesce_item *sorted = coalesce->spare;
		coalesce->spare = coalesce->items;
		coalesce->items = sorted;
	}
}

/* The values that a line says. */
static const char *values_of(const struct coalesce *coalesce, const struct coalesce_item *item)
{
	return coalesce->bytes + coalesce->records[item->record].at;
}

static int compare_keys(const struct coalesce *coalesce, const struct coalesce_item *a, const struct coalesce_item *b)
{
	return pack_order(values_of(coalesce, a), values_of(coalesce, b), coalesce->tables[a->table]->schema.key_count);
}

static int compare_items(const void *a, const void *b, void *ctx)
{
	const struct coalesce *coalesce = ctx;
	const struct coalesce_item *x = a, *y = b;
	int order = compare_keys(coalesce, x, y);

	return order ? order : (x->record > y->record) - (x->record < y->record);
}

/* ---- what the lines of one key come to */

struct net {
	enum { NET_NOTHING, NET_INSERT, NET_UPDATE, NET_DELETED } now;
	bool deletes; /* an old row goes first, */
	bool must;    /* which has to be there */
	bool add;     /* the updated row may be missing */
	size_t from;  /* the first line of what the row is now */
};

static int missing(struct relation *table, struct relation_row *row, const char *from, const char *what,
                   struct err *err)
{
	pack_read_key(from, &table->schema, row->values);
	return relation_missing(table, what, row, err);
}

/* One line more. */
static int follow_up(const struct coalesce *coalesce, struct net *net, const struct coalesce_item *item, size_t i,
                     struct err *err)
{
	struct relation *table = coalesce->tables[item->table];
	bool add = !table->exact && item->whole;

	switch ((enum relation_change)item->change) {
	case RELATION_INSERT:
		if (net->now != NET_UPDATE) {
			net->now = NET_INSERT;
			net->from = i;
		}
		return 0;
	case RELATION_UPDATE:
		if (net->now == NET_NOTHING) {
			*net = (struct net){.now = NET_UPDATE, .add = add, .from = i};
		} else if (net->now == NET_DELETED) {
			if (!add)
				return missing(table, &table->row, values_of(coalesce, item), "update", err);
			net->now = NET_INSERT;
			net->from = i;
		}
		return 0;
	default:
		if (net->now == NET_DELETED)
			return table->exact ? missing(table, &table->old, values_of(coalesce, item), "delete", err) : 0;
		if (!net->deletes)
			net->must = net->now == NET_UPDATE ? !net->add : net->now == NET_NOTHING && table->exact;
		net->deletes = true;
		net->now = NET_DELETED;
		return 0;
	}
}

static int make(const struct coalesce *coalesce, const struct net *net, const struct coalesce_item *run, size_t count,
                struct err *err)
{
	struct relation *table = coalesce->tables[run->table];
	const struct schema *schema = &table->schema;
	int rc = 0;

	if (net->deletes) {
		pack_read_key(values_of(coalesce, run), schema, table->old.values);
		rc = relation_make_delete(table, net->must, err);
	}
	if (rc < 0 || net->now == NET_DELETED)
		return rc;
	pack_read_key(values_of(coalesce, run), schema, table->row.values);
	table->row.present = schema->key_count;
	for (size_t i = count; i-- > net->from && table->row.present < schema->column_count;)
		table->row.present += pack_read_rest(values_of(coalesce, &run[i]), schema, table->row.values);
	return net->now == NET_INSERT ? relation_make_insert(table, err) : relation_make_update(table, net->add, err);
}

static int apply_key(const struct coalesce *coalesce, const struct coalesce_item *run, size_t count,
                     struct coalesce_failed *failed, struct err *err)
{
	struct net net = {0};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < count; i++)
		rc = follow_up(coalesce, &net, &run[i], i, err);
	if (rc == 0)
		rc = make(coalesce, &net, run, count, err);
	if (rc < 0)
		*failed =
		    (struct coalesce_failed){coalesce->tables[run->table], coalesce->records[run->record].position};
	return rc;
}

/* Items that the sort has left together: one key's where that is a single number. */
static int apply_group(struct coalesce *coalesce, struct coalesce_item *group, size_t count,
                       struct coalesce_failed *failed, struct err *err)
{
	const struct schema *schema = &coalesce->tables[group->table]->schema;
	enum storage storage = schema->columns[schema->key[0]].storage;
	int rc = 0;

	if (count == 1 || (schema->key_count == 1 && (storage == STORAGE_INTEGER || storage == STORAGE_BOOLEAN)))
		return apply_key(coalesce, group, count, failed, err);
	qsort_r(group, count, sizeof *group, compare_items, coalesce);
	for (size_t i = 0, next; rc == 0 && i < count; i = next) {
		for (next = i + 1; next < count && compare_keys(coalesce, &group[i], &group[next]) == 0;)
			next++;
		rc = apply_key(coalesce, group + i, next - i, failed, err);
	}
	return rc;
}

int coalesce_flush(struct coalesce *coalesce, struct coalesce_failed *failed, struct err *err)
{
	int rc = 0;

	*failed = (struct coalesce_failed){0};
	if (!in_order(coalesce))
		sort(coalesce);
	for (size_t i = 0, next; rc == 0 && i < coalesce->count; i = next) {
		struct coalesce_item *items = coalesce->items;
		for (next = i + 1;
		     next < coalesce->count && items[next].key == items[i].key && items[next].table == items[i].table;)
			next++;
		rc = apply_group(coalesce, items + i, next - i, failed, err);
	}
	coalesce_clear(coalesce);
	return rc;
}

void coalesce_clear(struct coalesce *coalesce)
{
	coalesce->count = coalesce->used = coalesce->table_count = 0;
}

void coalesce_fini(struct coalesce *coalesce)
{
	free(coalesce->records);
	free(coalesce->items);
	free(coalesce->spare);
	free(coalesce->bytes);
	free(coalesce->tables);
	*coalesce = (struct coalesce){0};
}
