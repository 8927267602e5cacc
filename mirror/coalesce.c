#include "coalesce.h"

#include <errno.h>
#include <malloc.h>

#include "cache.h"
#include "order.h"
#include "pack.h"

#define TOGETHER_LEAST 4
/* Beside what batch_add returns: nothing changes by that line. */
#define KEPT_NOTHING 3
/* What SQLite's cache may have while a large batch is written, and how often that is looked at. */
#define CACHE_BYTES (12 << 20)
#define CACHE_ROWS 256

/* What SQLite's cache has is given to the batch, where that is worth more. */
static int enlarge(struct coalesce *coalesce, sqlite3 *sqlite, struct err *err)
{
	if (!batch_enlarge(&coalesce->batch))
		return 0;
	int rc = cache_bytes(sqlite) > CACHE_BYTES ? cache_give_back(sqlite, err) : 0;
	/* Also what malloc has of it. */
	malloc_trim(0);
	return rc < 0 ? rc : 1;
}

bool coalesce_beside(struct coalesce *coalesce)
{
	coalesce->batch.stays_small = true;
	return !coalesce->batch.large;
}

/* In one pass, or else by way of the table's row. */
static int add(struct batch *batch, struct relation *table, enum relation_change change, struct span pairs,
               struct position position, struct err *err)
{
	const struct schema *schema = &table->schema;
	struct relation_row *row;
	int rc = BATCH_OTHER;

	if (table->says_all && schema->key_first && !table->emptied && change != RELATION_DELETE)
		rc = batch_add_line(batch, table, change, pairs, position, err);
	if (rc != BATCH_OTHER)
		return rc;
	if ((rc = relation_read(table, change, pairs, &row, err)) < 0)
		return rc;
	if (change != RELATION_DELETE)
		table->says_all = row->present == schema->column_count;
	/* Nothing but the key: as relation_update has it. */
	if (change == RELATION_UPDATE && row->present == schema->key_count) {
		if (table->exact || row->present < schema->column_count)
			return KEPT_NOTHING;
		change = RELATION_INSERT;
	}
	return batch_add(batch, table, change, row, pairs.len, position, err);
}

int coalesce_add(struct coalesce *coalesce, struct relation *table, enum relation_change change, struct span pairs,
                 struct position position, struct err *err)
{
	if (pairs.len > COALESCE_ROW_BYTES)
		return 0;
	int rc = add(&coalesce->batch, table, change, pairs, position, err);
	if (rc == 0 && (rc = enlarge(coalesce, table->sqlite, err)) == 1)
		rc = add(&coalesce->batch, table, change, pairs, position, err);
	if (rc == KEPT_NOTHING)
		return 1;
	if (rc == 1) {
		coalesce->lines++;
		coalesce->line_bytes += pairs.len;
	}
	return rc;
}

/* ---- what the lines of one key come to */

struct net {
	enum { NET_NOTHING, NET_INSERT, NET_UPDATE, NET_DELETED } now;
	bool deletes; /* an old row goes first, */
	bool must;    /* which has to be there */
	bool add;     /* the updated row may be missing */
	size_t from;  /* the first item of what the row is now */
};

static int missing(struct relation *table, struct relation_row *row, const char *from, const char *what,
                   struct err *err)
{
	pack_read_key(from, &table->schema, row->values);
	return relation_missing(table, what, row, err);
}

/* One item more. */
static int follow_up(const struct batch *batch, struct net *net, const struct batch_item *item, size_t i,
                     struct err *err)
{
	struct relation *table = batch->tables[item->table];
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
				return missing(table, &table->row, batch_values(batch, item), "update", err);
			net->now = NET_INSERT;
			net->from = i;
		}
		return 0;
	default:
		if (net->now == NET_DELETED)
			return table->exact ? missing(table, &table->old, batch_values(batch, item), "delete", err) : 0;
		if (!net->deletes)
			net->must = net->now == NET_UPDATE ? !net->add : net->now == NET_NOTHING && table->exact;
		net->deletes = true;
		net->now = NET_DELETED;
		return 0;
	}
}

/* ---- making the changes, key by key */

/* Of one key are items[from..to); those that the sort has left together with them go on until `end`. */
struct flush {
	struct supply supply; /* all that one statement takes */
	struct batch *batch;
	size_t from, to, end;
	struct net net;
	unsigned rows;
	bool cache_full;
	int rc;
	struct err *err;
};

/* The values of the keys to come are all over memory. */
static void fetch_ahead(const struct batch *batch, size_t i)
{
	enum { AHEAD = 8, LINE = 64 };

	if (i + AHEAD >= batch->count)
		return;
	const char *at = batch->bytes + batch->items[i + AHEAD].at;
	__builtin_prefetch(at);
	__builtin_prefetch(at + LINE);
}

static void find_key(struct flush *flush)
{
	struct batch *batch = flush->batch;
	struct batch_item *items = batch->items, *first = &items[flush->from];
	bool number = batch_is_number(&batch->tables[first->table]->schema);

	if (flush->from == flush->end) {
		while (++flush->end < batch->count && items[flush->end].key == first->key &&
		       items[flush->end].table == first->table)
			;
		order_keys(batch, first, flush->end - flush->from);
	}
	flush->to = number ? flush->end : flush->from + 1;
	while (flush->to < flush->end && order_compare(batch, first, &items[flush->to]) == 0)
		flush->to++;
}

/* The next key, and what its lines come to. False: there is none, or an error. */
static bool next_key(struct flush *flush)
{
	const struct batch *batch = flush->batch;

	flush->from = flush->to;
	if (flush->from == batch->count)
		return false;
	fetch_ahead(batch, flush->from);
	find_key(flush);
	flush->net = (struct net){0};
	for (size_t i = flush->from; flush->rc == 0 && i < flush->to; i++)
		flush->rc = follow_up(batch, &flush->net, &batch->items[i], i, flush->err);
	return flush->rc == 0;
}

static struct relation *table_of(const struct flush *flush)
{
	return flush->batch->tables[flush->batch->items[flush->from].table];
}

/* What the row is now, into its table's. */
static void read_row(const struct flush *flush)
{
	const struct batch *batch = flush->batch;
	struct relation *table = table_of(flush);
	const struct schema *schema = &table->schema;
	const struct batch_item *newest = &batch->items[flush->to - 1];

	if (newest->whole) {
		pack_read_row(batch_values(batch, newest), schema, table->row.values);
		table->row.present = schema->column_count;
		return;
	}
	pack_read_key(batch_values(batch, &batch->items[flush->from]), schema, table->row.values);
	table->row.present = schema->key_count;
	for (size_t i = flush->to; i-- > flush->net.from && table->row.present < schema->column_count;)
		table->row.present += pack_read_rest(batch_values(batch, &batch->items[i]), schema, table->row.values);
}

static int make(const struct flush *flush)
{
	const struct batch *batch = flush->batch;
	const struct net *net = &flush->net;
	struct relation *table = table_of(flush);
	int rc = 0;

	if (net->deletes) {
		pack_read_key(batch_values(batch, &batch->items[flush->from]), &table->schema, table->old.values);
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
	       (net->now == NET_INSERT || (net->now == NET_UPDATE && flush->batch->items[net->from].whole));
}

/* Whether so many keys come that one statement for them pays: not all of them are looked at. */
static bool more_follow(const struct flush *flush)
{
	const struct batch *batch = flush->batch;
	size_t then = flush->to + TOGETHER_LEAST;

	return then < batch->count && batch->items[then].table == batch->items[flush->from].table &&
	       batch->items[then].change != RELATION_DELETE;
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

/* Of a large batch's tables, no page is needed again that was passed. */
static bool is_cache_full(struct flush *flush)
{
	if (flush->batch->large && ++flush->rows % CACHE_ROWS == 0)
		flush->cache_full = cache_bytes(table_of(flush)->sqlite) > CACHE_BYTES;
	return flush->cache_full;
}

static bool next_together(struct supply *supply)
{
	struct flush *flush = (struct flush *)supply;
	const struct relation *table = table_of(flush);

	if (was_missing(flush) || !next_key(flush) || table_of(flush) != table || !is_written(flush) ||
	    is_cache_full(flush))
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
	struct flush flush = {.batch = &coalesce->batch, .err = err};
	const struct batch *batch = &coalesce->batch;
	size_t alone_to = 0;

	*failed = (struct coalesce_failed){0};
	order_batch(flush.batch);
	next_key(&flush);
	while (flush.rc == 0 && flush.from < batch->count) {
		size_t first = flush.from;
		if (is_cache_full(&flush)) {
			flush.cache_full = false;
			flush.rc = cache_give_back(table_of(&flush)->sqlite, err);
			continue;
		}
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
		const struct batch_item *item =
		    &batch->items[flush.from < batch->count ? flush.from : batch->count - 1];
		*failed = (struct coalesce_failed){batch->tables[item->table], batch_position(batch, item)};
	}
	coalesce_clear(coalesce);
	return flush.rc;
}

void coalesce_clear(struct coalesce *coalesce)
{
	batch_clear(&coalesce->batch);
	coalesce->lines = coalesce->line_bytes = 0;
}

void coalesce_fini(struct coalesce *coalesce)
{
	batch_fini(&coalesce->batch);
	*coalesce = (struct coalesce){0};
}
