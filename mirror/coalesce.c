#include "coalesce.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "pack.h"

#define RADIX 256
#define KEY_DIGITS sizeof(uint64_t)
#define TABLE_DIGITS sizeof(uint32_t)
#define TOGETHER_LEAST 4

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

/* ---- making the changes, key by key */

/* The lines of one key are items[from..to); those that the sort has left together with them go on until `end`. */
struct flush {
	struct supply supply; /* all that one statement takes */
	struct coalesce *coalesce;
	size_t from, to, end;
	struct net net;
	int rc;
	struct err *err;
};

/* What the sort has left together is one key's where that is a single number. */
static bool sort_is_enough(const struct schema *schema)
{
	enum storage storage = schema->columns[schema->key[0]].storage;

	return schema->key_count == 1 && (storage == STORAGE_INTEGER || storage == STORAGE_BOOLEAN);
}

static void find_key(struct flush *flush)
{
	struct coalesce *coalesce = flush->coalesce;
	struct coalesce_item *items = coalesce->items, *first = &items[flush->from];
	bool enough = sort_is_enough(&coalesce->tables[first->table]->schema);

	if (flush->from == flush->end) {
		while (++flush->end < coalesce->count && items[flush->end].key == first->key &&
		       items[flush->end].table == first->table)
			;
		if (!enough && flush->end - flush->from > 1)
			qsort_r(first, flush->end - flush->from, sizeof *first, compare_items, coalesce);
	}
	flush->to = enough ? flush->end : flush->from + 1;
	while (flush->to < flush->end && compare_keys(coalesce, first, &items[flush->to]) == 0)
		flush->to++;
}

/* The next key, and what its lines come to. False: there is none, or an error. */
static bool next_key(struct flush *flush)
{
	const struct coalesce *coalesce = flush->coalesce;

	flush->from = flush->to;
	if (flush->from == coalesce->count)
		return false;
	find_key(flush);
	flush->net = (struct net){0};
	for (size_t i = flush->from; flush->rc == 0 && i < flush->to; i++)
		flush->rc = follow_up(coalesce, &flush->net, &coalesce->items[i], i, flush->err);
	return flush->rc == 0;
}

static struct relation *table_of(const struct flush *flush)
{
	return flush->coalesce->tables[flush->coalesce->items[flush->from].table];
}

/* What the row is now, into its table's. */
static void read_row(const struct flush *flush)
{
	const struct coalesce *coalesce = flush->coalesce;
	struct relation *table = table_of(flush);
	const struct schema *schema = &table->schema;

	pack_read_key(values_of(coalesce, &coalesce->items[flush->from]), schema, table->row.values);
	table->row.present = schema->key_count;
	for (size_t i = flush->to; i-- > flush->net.from && table->row.present < schema->column_count;)
		table->row.present +=
		    pack_read_rest(values_of(coalesce, &coalesce->items[i]), schema, table->row.values);
}

static int make(const struct flush *flush)
{
	const struct coalesce *coalesce = flush->coalesce;
	const struct net *net = &flush->net;
	struct relation *table = table_of(flush);
	int rc = 0;

	if (net->deletes) {
		pack_read_key(values_of(coalesce, &coalesce->items[flush->from]), &table->schema, table->old.values);
		rc = relation_make_delete(table, net->must, flush->err);
	}
	if (rc < 0 || net->now == NET_DELETED)
		return rc;
	read_row(flush);
	return net->now == NET_INSERT ? relation_make_insert(table, flush->err)
	                              : relation_make_update(table, net->add, flush->err);
}

/* Whether a whole row is written, and what was there, if anything, goes on as this row. */
static bool is_written(const struct flush *flush)
{
	const struct net *net = &flush->net;

	return !net->deletes &&
	       (net->now == NET_INSERT || (net->now == NET_UPDATE && flush->coalesce->items[net->from].whole));
}

/* Whether so many keys come that one statement for them pays: not all of them are looked at. */
static bool more_follow(const struct flush *flush)
{
	const struct coalesce *coalesce = flush->coalesce;
	size_t then = flush->to + TOGETHER_LEAST;

	return then < coalesce->count && coalesce->items[then].table == coalesce->items[flush->from].table &&
	       coalesce->items[then].change != RELATION_DELETE;
}

/* Whether what was written last had to be there. */
static bool was_missing(struct flush *flush)
{
	struct relation *table = table_of(flush);

	if (!flush->supply.added || flush->net.now != NET_UPDATE || flush->net.add)
		return false;
	flush->rc = relation_missing(table, "update", &table->row, flush->err);
	return true;
}

static bool next_together(struct supply *supply)
{
	struct flush *flush = (struct flush *)supply;
	const struct relation *table = table_of(flush);

	if (was_missing(flush) || !next_key(flush) || table_of(flush) != table || !is_written(flush))
		return false;
	read_row(flush);
	return true;
}

/* All keys up to the first where more is to be done. */
static int make_together(struct flush *flush)
{
	struct relation *table = table_of(flush);

	flush->supply = (struct supply){.next = next_together, .values = table->row.values};
	read_row(flush);
	int rc = relation_make_all(table, &flush->supply, flush->err);
	return flush->rc < 0 ? flush->rc : rc;
}

int coalesce_flush(struct coalesce *coalesce, struct coalesce_failed *failed, struct err *err)
{
	struct flush flush = {.coalesce = coalesce, .err = err};
	size_t alone_to = 0;

	*failed = (struct coalesce_failed){0};
	if (!in_order(coalesce))
		sort(coalesce);
	next_key(&flush);
	while (flush.rc == 0 && flush.from < coalesce->count) {
		size_t first = flush.from;
		if (first >= alone_to && is_written(&flush) && more_follow(&flush)) {
			flush.rc = make_together(&flush);
			if (flush.rc != -EEXIST)
				continue;
			/* An insert is asked for what a new row has to be, where an update may do. With the row that
			 * failed, those before it may be gone: a check of an update takes the whole statement back. */
			alone_to = flush.to;
			flush.to = flush.end = first;
			flush.rc = 0;
		} else {
			flush.rc = make(&flush);
		}
		if (flush.rc == 0)
			next_key(&flush);
	}
	if (flush.rc < 0) {
		const struct coalesce_item *item =
		    &coalesce->items[flush.from < coalesce->count ? flush.from : coalesce->count - 1];
		*failed =
		    (struct coalesce_failed){coalesce->tables[item->table], coalesce->records[item->record].position};
	}
	coalesce_clear(coalesce);
	return flush.rc;
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
