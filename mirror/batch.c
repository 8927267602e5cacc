#include "batch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crc32c.h"
#include "pack.h"

#define SLOTS_LEAST ((size_t)256)
#define BYTES_LEAST ((size_t)64 << 10)

/* Values longer than this are not copied for those of other columns. */
#define MERGED_MOST 1024

/* Before a row's values in bytes. The position is that of the first line which went into it, from the batch's first on. */
struct head {
	uint32_t room; /* for the values */
	uint32_t epoch, seq;
};

/* ---- room */

static int out_of_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory for a batch of changes");
}

/* False: there is no memory. */
static bool reserve_items(struct batch *batch)
{
	if (batch->count < batch->cap)
		return true;
	size_t cap = batch->cap ? 2 * batch->cap : 256;
	struct batch_item *items = realloc(batch->items, cap * sizeof *items);
	if (!items)
		return false;
	batch->items = items;
	batch->cap = cap;
	return true;
}

static bool reserve_bytes(struct batch *batch, size_t len)
{
	if (batch->size - batch->used >= len)
		return true;
	size_t size = batch->size ? batch->size : BYTES_LEAST;
	while (size - batch->used < len)
		size *= 2;
	char *bytes = realloc(batch->bytes, size);
	if (!bytes)
		return false;
	batch->bytes = bytes;
	batch->size = size;
	return true;
}

static bool number_table(struct batch *batch, struct relation *table)
{
	if (table->number < batch->table_count && batch->tables[table->number] == table)
		return true;
	if (batch->table_count == batch->table_cap) {
		size_t cap = batch->table_cap ? 2 * batch->table_cap : 16;
		struct relation **tables = realloc(batch->tables, cap * sizeof *tables);
		if (!tables)
			return false;
		batch->tables = tables;
		batch->table_cap = cap;
	}
	table->number = (uint32_t)batch->table_count;
	batch->tables[batch->table_count++] = table;
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

/* The values that it came to. */
static char *values_of(const struct batch *batch, const struct batch_item *item)
{
	return batch->bytes + item->at + sizeof(struct head);
}

static struct head head_of(const struct batch *batch, const struct batch_item *item)
{
	struct head head;

	memcpy(&head, batch->bytes + item->at, sizeof head);
	return head;
}

bool batch_is_number(const struct schema *schema)
{
	enum storage storage = schema->columns[schema->key[0]].storage;

	return schema->key_count == 1 && (storage == STORAGE_INTEGER || storage == STORAGE_BOOLEAN);
}

static const struct schema *schema_of(const struct batch *batch, const struct batch_item *item)
{
	return &batch->tables[item->table]->schema;
}

bool batch_is_before(const struct batch_item *a, const struct batch_item *b)
{
	return a->table != b->table ? a->table < b->table : a->key < b->key;
}

/* ---- the newest item of each key */

static bool same_key(const struct batch *batch, const struct batch_item *a, const struct batch_item *b)
{
	const struct schema *schema = schema_of(batch, a);

	if (a->key != b->key || a->table != b->table)
		return false;
	if (batch_is_number(schema))
		return true;
	const char *one = values_of(batch, a), *other = values_of(batch, b);
	size_t len = pack_key_len(one, schema->key_count);
	return len == pack_key_len(other, schema->key_count) && memcmp(one, other, len) == 0;
}

/* Numbers beside each other stay so, as far as one line of the processor's cache goes. */
static size_t hash_of_number(const struct batch_item *item)
{
	/* Many tables have the same few numbers: each begins elsewhere, far from the others. */
	uint64_t number = (item->key >> 2) + item->table * 0xbf58476d1ce4e5b9;
	number = (number ^ number >> 32) * 0x9e3779b97f4a7c15;
	return (size_t)(number ^ number >> 32) << 2 | (item->key & 3);
}

/* Where it is looked for first. */
static size_t hash_of(const struct batch *batch, const struct batch_item *item)
{
	const struct schema *schema = schema_of(batch, item);

	if (batch_is_number(schema))
		return hash_of_number(item);
	const char *key = values_of(batch, item);
	return crc32c(item->table, key, pack_key_len(key, schema->key_count));
}

/* The key's own slot, or the free one for it: a number of an item, from 1 on. */
static uint32_t *find_slot(const struct batch *batch, const struct batch_item *item)
{
	size_t i = hash_of(batch, item);

	for (;; i++) {
		uint32_t *slot = &batch->slots[i & (batch->slot_count - 1)];
		if (*slot == 0 || same_key(batch, &batch->items[*slot - 1], item))
			return slot;
	}
}

/* Half of them stay free. */
static bool reserve_slots(struct batch *batch)
{
	uint32_t *old = batch->slots;
	size_t old_count = batch->slot_count;

	if (2 * (batch->keys + 1) <= old_count)
		return true;
	size_t count = old_count ? 2 * old_count : SLOTS_LEAST;
	uint32_t *slots = calloc(count, sizeof *slots);
	if (!slots)
		return false;
	batch->slots = slots;
	batch->slot_count = count;
	for (size_t i = 0; i < old_count; i++)
		if (old[i])
			*find_slot(batch, &batch->items[old[i] - 1]) = old[i];
	free(old);
	return true;
}

/* All items have a slot from here on. False: there is no memory. */
static bool find_all(struct batch *batch)
{
	for (; batch->found < batch->count; batch->found++) {
		if (!reserve_slots(batch))
			return false;
		*find_slot(batch, &batch->items[batch->found]) = (uint32_t)batch->found + 1;
		batch->keys++;
	}
	return true;
}

/* A small batch is not to wipe what a large one had. */
static void clear_slots(struct batch *batch)
{
	if (batch->keys == 0)
		return;
	if (batch->slot_count > SLOTS_LEAST && batch->keys < batch->slot_count / 16) {
		free(batch->slots);
		batch->slots = NULL;
		batch->slot_count = 0;
	} else {
		memset(batch->slots, 0, batch->slot_count * sizeof *batch->slots);
	}
	batch->keys = 0;
}

/* ---- adding */

static size_t memory(const struct batch *batch)
{
	/* Those that find_all may need are counted, too. */
	size_t slots = batch->slot_count > 2 * batch->count ? batch->slot_count : 2 * batch->count;

	return batch->used + batch->count * sizeof *batch->items + slots * sizeof *batch->slots;
}

/* Whether a row may be put at the end of bytes. */
static int make_room(struct batch *batch, const struct relation *table, size_t len, struct err *err)
{
	if (memory(batch) + len > (batch->large && table->in_order ? BATCH_MEMORY_LARGE : BATCH_MEMORY))
		return 0;
	return reserve_bytes(batch, len) ? 1 : out_of_memory(err);
}

/* Of a long row, a change of a few columns costs less by itself. */
static bool is_merged(const struct batch *batch, const struct batch_item *newest, const struct batch_item *item)
{
	return newest->change != RELATION_DELETE && item->change != RELATION_DELETE &&
	       (item->whole || head_of(batch, newest).room <= MERGED_MOST);
}

/* A change of the row that `item` has already: it has what both say. 0: there is no room. */
static int merge(struct batch *batch, struct batch_item *item, struct relation *table, size_t len, bool whole,
                 struct err *err)
{
	const struct schema *schema = &table->schema;
	struct head head = head_of(batch, item);

	if (!whole) {
		int rc = make_room(batch, table, sizeof head + pack_most(schema, len + head.room), err);
		if (rc <= 0)
			return rc;
		pack_read_rest(values_of(batch, item), schema, table->row.values);
	}
	/* Not where it stood: it may still borrow from there. */
	char *end = batch->bytes + batch->used, *values = end + sizeof head;
	size_t new_len = whole ? len : pack_row(values, schema, table->row.values, false);
	if (new_len <= head.room) {
		memcpy(values_of(batch, item), values, new_len);
		return 1;
	}
	head.room = (uint32_t)new_len;
	memcpy(end, &head, sizeof head);
	item->at = (uint32_t)batch->used;
	batch->used += sizeof head + new_len;
	return 1;
}

/* The row whose values stand behind all that was added, head->room bytes of them. */
static int put(struct batch *batch, struct relation *table, const struct batch_item *item, const struct head *head,
               struct err *err)
{
	bool highest = batch->count == 0 || batch_is_before(&batch->items[batch->highest], item);

	if (!reserve_items(batch) || (!highest && (!find_all(batch) || !reserve_slots(batch))))
		return out_of_memory(err);
	/* A key that is behind all others was not there before: of rows that come in order, none is looked for. */
	uint32_t *slot = highest ? NULL : find_slot(batch, item);
	struct batch_item *newest = slot && *slot ? &batch->items[*slot - 1] : NULL;
	if (newest && is_merged(batch, newest, item))
		return merge(batch, newest, table, head->room, item->whole, err);
	memcpy(batch->bytes + batch->used, head, sizeof *head);
	batch->used += sizeof *head + head->room;
	if (highest)
		batch->highest = batch->count;
	batch->items[batch->count++] = *item;
	if (slot) {
		batch->keys += *slot == 0;
		batch->found++;
		*slot = (uint32_t)batch->count;
	}
	return 1;
}

/* False: it is too far from the batch's first. */
static bool place(struct batch *batch, struct position position, struct head *head)
{
	if (batch->count == 0)
		batch->first = position;
	uint64_t epoch = position.epoch - batch->first.epoch;

	head->epoch = (uint32_t)epoch;
	head->seq = (uint32_t)position.seq;
	return epoch <= UINT32_MAX && position.seq <= UINT32_MAX;
}

struct position batch_position(const struct batch *batch, const struct batch_item *item)
{
	struct head head = head_of(batch, item);

	return (struct position){batch->first.epoch + head.epoch, head.seq};
}

const char *batch_values(const struct batch *batch, const struct batch_item *item)
{
	return values_of(batch, item);
}

/* Room for one more row, behind all others. */
static int begin(struct batch *batch, struct relation *table, size_t text_len, struct position position,
                 struct head *head, struct err *err)
{
	if (!place(batch, position, head))
		return 0;
	int rc = make_room(batch, table, sizeof *head + pack_most(&table->schema, text_len), err);
	if (rc == 1 && !number_table(batch, table))
		return out_of_memory(err);
	return rc;
}

/* The row that was packed there. */
static int add(struct batch *batch, struct relation *table, enum relation_change change, bool whole,
               const struct head *head, struct err *err)
{
	struct value first;

	pack_read_first(batch->bytes + batch->used + sizeof *head, &first);
	batch->stays_small |= !table->in_order;
	struct batch_item item = {.key = sort_key(&first),
	                          .at = (uint32_t)batch->used,
	                          .table = table->number & 0x1fffffff,
	                          .change = change & 3,
	                          .whole = whole};
	return put(batch, table, &item, head, err);
}

int batch_add(struct batch *batch, struct relation *table, enum relation_change change, const struct relation_row *row,
              size_t text_len, struct position position, struct err *err)
{
	const struct schema *schema = &table->schema;
	struct head head;
	int rc = begin(batch, table, text_len, position, &head, err);

	if (rc <= 0)
		return rc;
	head.room = (uint32_t)pack_row(batch->bytes + batch->used + sizeof head, schema, row->values,
	                               change == RELATION_DELETE);
	return add(batch, table, change, row->present == schema->column_count, &head, err);
}

int batch_add_line(struct batch *batch, struct relation *table, enum relation_change change, struct span pairs,
                   struct position position, struct err *err)
{
	struct head head;
	int rc = begin(batch, table, pairs.len, position, &head, err);

	if (rc <= 0)
		return rc;
	head.room = (uint32_t)pack_line(batch->bytes + batch->used + sizeof head, &table->schema, pairs, &table->room);
	return head.room == 0 ? BATCH_OTHER : add(batch, table, change, true, &head, err);
}

bool batch_enlarge(struct batch *batch)
{
	/* Of keys that come in order, each is written once, however many wait. */
	if (batch->large || batch->stays_small || batch->keys == 0)
		return false;
	batch->large = true;
	return true;
}

void batch_clear(struct batch *batch)
{
	if (batch->large) {
		batch_fini(batch);
		return;
	}
	batch->stays_small = false;
	batch->count = batch->used = batch->table_count = 0;
	batch->found = batch->highest = 0;
	clear_slots(batch);
}

void batch_fini(struct batch *batch)
{
	free(batch->items);
	free(batch->slots);
	free(batch->bytes);
	free(batch->tables);
	*batch = (struct batch){0};
}
