#include "table.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "name.h"

struct table {
	struct table_set *set;
	char *name;
	char *pairs; /* line.h: table_pairs, what its lines have behind the stamp */
	size_t pairs_len;
	uint64_t *before;      /* before[i]: its bytes in the segments before i */
	size_t known;          /* before[0..known) is filled; the newest segment's is the last */
	uint64_t sealed_epoch; /* of its last line in the segments before that */
	size_t cap;
	UT_hash_handle hh;
};

struct table_set {
	struct store *store;
	pthread_mutex_t lock; /* tables, and each one's `before` */
	struct table *tables;
};

struct table_set *table_set_new(struct store *store)
{
	struct table_set *set = calloc(1, sizeof *set);

	if (set) {
		set->store = store;
		pthread_mutex_init(&set->lock, NULL);
	}
	return set;
}

static void free_table(struct table *table)
{
	free(table->name);
	free(table->pairs);
	free(table->before);
	free(table);
}

void table_set_free(struct table_set *set)
{
	struct table *table, *next;

	if (!set)
		return;
	HASH_ITER(hh, set->tables, table, next)
	{
		HASH_DEL(set->tables, table);
		free_table(table);
	}
	pthread_mutex_destroy(&set->lock);
	free(set);
}

/* ---- names -------------------------------------------------------------- */

enum { PAIRS_MAX = 4 * NAME_RAW_MAX + 32 };

/* "[_schema\tS\t]_table\tT" of a path name; 0 where it is none. */
static size_t pairs_of_name(const char *name, char *out)
{
	char schema[NAME_RAW_MAX], table[NAME_RAW_MAX];
	size_t n = 0;

	if (!name_split(name, strlen(name), schema, table))
		return 0;
	if (strcmp(schema, "public") != 0) {
		memcpy(out, "_schema\t", 8);
		n = 8 + line_escape(out + 8, schema, strlen(schema));
		out[n++] = '\t';
	}
	memcpy(out + n, "_table\t", 7);
	n += 7;
	return n + line_escape(out + n, table, strlen(table));
}

static bool unescape_name(struct span value, char *out)
{
	char wide[2 * NAME_RAW_MAX];

	if (value.len >= sizeof wide)
		return false;
	long len = line_unescape(wide, value);
	if (len <= 0 || len >= NAME_RAW_MAX)
		return false;
	memcpy(out, wide, (size_t)len);
	out[len] = 0;
	return true;
}

/* The reverse; false for names that the format does not know. */
static bool name_of_pairs(struct span pairs, char *name)
{
	char schema[NAME_RAW_MAX] = "public", table[NAME_RAW_MAX] = "";
	struct span field, value;

	while (line_next(&pairs, &field, &value) == 1)
		if (!unescape_name(value, span_is(field, "_schema") ? schema : table))
			return false;
	return name_join(name, schema, table) > 0;
}

struct listing {
	struct listed {
		char *name;
		UT_hash_handle hh;
	} * seen;
};

static int list_one(struct span pairs, void *ctx)
{
	struct listing *listing = ctx;
	struct listed *listed;
	char name[NAME_PATH_MAX];

	if (!name_of_pairs(pairs, name))
		return 0;
	HASH_FIND_STR(listing->seen, name, listed);
	if (listed)
		return 0;
	if (!(listed = calloc(1, sizeof *listed)) || !(listed->name = strdup(name))) {
		free(listed);
		return -ENOMEM;
	}
	HASH_ADD_KEYPTR(hh, listing->seen, listed->name, strlen(listed->name), listed);
	return 0;
}

int table_list(struct table_set *set, int (*each)(const char *name, void *ctx), void *ctx, struct err *err)
{
	struct listing listing = {NULL};
	struct listed *listed, *next;
	size_t count = store_segment_count(set->store);
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++) {
		const struct index *index;
		if ((r = store_lock_index(set->store, i, &index, err)) < 0)
			break;
		if ((r = index_tables(index, list_one, &listing)) < 0)
			err_set(err, r, "out of memory for the list of tables");
		store_unlock(set->store);
	}
	HASH_ITER(hh, listing.seen, listed, next)
	{
		if (r == 0)
			r = each(listed->name, ctx);
		HASH_DEL(listing.seen, listed);
		free(listed->name);
		free(listed);
	}
	return r;
}

/* ---- lengths ------------------------------------------------------------ */

static struct span pairs_span(const struct table *table)
{
	return (struct span){table->pairs, table->pairs_len};
}

/* The table's part of segment i; an empty one where it has none. */
static int part_of(struct table *table, size_t i, uint64_t *bytes, uint64_t *last_epoch, struct err *err)
{
	const struct index *index;
	struct index_part part = {0};
	int r = store_lock_index(table->set->store, i, &index, err);

	if (r < 0)
		return r;
	index_part(index, pairs_span(table), &part);
	store_unlock(table->set->store);
	*bytes = part.bytes;
	if (part.bytes)
		*last_epoch = part.last_epoch;
	return 0;
}

/* Fills `before` up to the segment `count - 1`; under the set's lock. All but
 * the newest segment are sealed, so what is filled stays right. */
static int extend(struct table *table, size_t count, struct err *err)
{
	while (table->known < count) {
		size_t i = table->known;
		uint64_t bytes = 0;
		if (i == table->cap) {
			size_t cap = table->cap ? table->cap * 2 : 64;
			uint64_t *more = realloc(table->before, cap * sizeof *more);
			if (!more)
				return err_set(err, -ENOMEM, "out of memory for the table %s", table->name);
			table->before = more;
			table->cap = cap;
		}
		int r = i ? part_of(table, i - 1, &bytes, &table->sealed_epoch, err) : 0;
		if (r < 0)
			return r;
		table->before[i] = i ? table->before[i - 1] + bytes : 0;
		table->known = i + 1;
	}
	return 0;
}

static int before_segment(struct table *table, size_t i, uint64_t *before, struct err *err)
{
	pthread_mutex_lock(&table->set->lock);
	int r = extend(table, i + 1, err);
	if (r == 0)
		*before = table->before[i];
	pthread_mutex_unlock(&table->set->lock);
	return r;
}

int table_len(struct table *table, uint64_t *len, uint64_t *last_epoch, struct err *err)
{
	size_t newest = store_segment_count(table->set->store) - 1;
	uint64_t bytes = 0;

	pthread_mutex_lock(&table->set->lock);
	int r = extend(table, newest + 1, err);
	if (r == 0) {
		*len = table->before[newest];
		*last_epoch = table->sealed_epoch;
	}
	pthread_mutex_unlock(&table->set->lock);
	if (r < 0 || (r = part_of(table, newest, &bytes, last_epoch, err)) < 0)
		return r;
	*len += bytes;
	return 0;
}

int table_get(struct table_set *set, const char *name, struct table **out, struct err *err)
{
	char pairs[PAIRS_MAX];
	struct table *table;
	uint64_t len, epoch;

	*out = NULL;
	pthread_mutex_lock(&set->lock);
	HASH_FIND_STR(set->tables, name, table);
	pthread_mutex_unlock(&set->lock);
	if (table) {
		*out = table;
		return 1;
	}

	size_t pairs_len = pairs_of_name(name, pairs);
	if (pairs_len == 0)
		return 0;
	if (!(table = calloc(1, sizeof *table)) || !(table->name = strdup(name)) ||
	    !(table->pairs = malloc(pairs_len))) {
		if (table)
			free_table(table);
		return err_set(err, -ENOMEM, "out of memory for the table %s", name);
	}
	memcpy(table->pairs, pairs, pairs_len);
	table->pairs_len = pairs_len;
	table->set = set;
	int r = table_len(table, &len, &epoch, err);
	if (r < 0 || len == 0) {
		free_table(table);
		return r;
	}

	struct table *other;
	pthread_mutex_lock(&set->lock);
	HASH_FIND_STR(set->tables, name, other);
	if (!other)
		HASH_ADD_KEYPTR(hh, set->tables, table->name, strlen(table->name), table);
	pthread_mutex_unlock(&set->lock);
	if (other)
		free_table(table);
	*out = other ? other : table;
	return 1;
}

/* ---- reading ------------------------------------------------------------ */

static struct filter_run run_from(const struct segment *segment, const struct index_block *blocks, size_t block_count,
                                  const struct index_part *part, size_t post)
{
	struct filter_run run = {segment->fd, blocks[part->posts[post].block].off, 0, part->posts[post].before};
	uint64_t block = part->posts[post].block;

	for (; post < part->post_count && part->posts[post].block == block; post++)
		block++;
	run.to = block < block_count && blocks[block].off < segment->len ? blocks[block].off : segment->len;
	return run;
}

/* The run that holds the table's byte `local` of segment i; 0 where that is
 * not shown. */
static int run_at(struct table *table, size_t i, uint64_t local, struct filter_run *run, struct err *err)
{
	const struct index *index;
	struct index_part part;
	size_t block_count;
	int r = store_lock_index(table->set->store, i, &index, err);

	if (r < 0)
		return r;
	/* The lock is held: store_segment would take it twice. */
	if (index_part(index, pairs_span(table), &part) && local < part.bytes) {
		const struct index_block *blocks = index_blocks(index, &block_count);
		size_t low = 0, high = part.post_count;
		while (high - low > 1) {
			size_t middle = low + (high - low) / 2;
			if (part.posts[middle].before <= local)
				low = middle;
			else
				high = middle;
		}
		*run = run_from(store_segment_locked(table->set->store, i), blocks, block_count, &part, low);
		r = 1;
	}
	store_unlock(table->set->store);
	return r;
}

/* Places the cursor at the start of the run that holds the table's byte `off`. */
static int seek(struct table *table, struct table_cursor *cursor, uint64_t off, struct filter_run *run, struct err *err)
{
	size_t count = store_segment_count(table->set->store), low = 0, high = count;
	uint64_t before = 0;
	int r = before_segment(table, count - 1, &before, err);

	if (r < 0)
		return r;
	pthread_mutex_lock(&table->set->lock);
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (table->before[middle] <= off)
			low = middle;
		else
			high = middle;
	}
	before = table->before[low];
	pthread_mutex_unlock(&table->set->lock);

	if ((r = run_at(table, low, off - before, run, err)) != 1)
		return r;
	*cursor = (struct table_cursor){true, low, {run->from, before + run->before, false}};
	return 1;
}

long table_read(struct table *table, struct table_cursor *cursor, uint64_t off, char *buf, size_t len, struct err *err)
{
	struct filter_sink sink = {buf, 0, len, 0};
	int r = 0;

	while (sink.len < len) {
		uint64_t at = off + sink.len;
		struct table_cursor next = *cursor;
		struct filter_run run;
		if ((r = seek(table, &next, at, &run, err)) != 1)
			break;
		/* The cursor knows better where in that run the byte is. */
		if (cursor->valid && cursor->segment == next.segment && cursor->at.taken == at &&
		    cursor->at.off >= run.from && cursor->at.off < run.to)
			next = *cursor;
		*cursor = next;
		sink.skip = at - cursor->at.taken;
		if ((r = filter_read(pairs_span(table), &cursor->at, &run, &sink, err)) < 0)
			break;
		/* Else the same run would be read for ever. */
		if (off + sink.len == at) {
			r = err_set(err, -EIO,
			            "a segment has less of table %s than its index says: `daystream check` finds where",
			            table->name);
			break;
		}
	}
	if (r < 0)
		cursor->valid = false;
	return r < 0 ? r : (long)sink.len;
}

int table_offset(struct table *table, const struct place *place, uint64_t *off, struct err *err)
{
	const struct index *index;
	struct index_part part = {0};
	struct filter_run run = {0};
	int r = before_segment(table, place->segment, off, err);

	if (r < 0 || (r = store_lock_index(table->set->store, place->segment, &index, err)) < 0)
		return r;
	if (index_part(index, pairs_span(table), &part)) {
		size_t block_count, low = 0, high = part.post_count;
		const struct index_block *blocks = index_blocks(index, &block_count);
		while (high - low > 1) {
			size_t middle = low + (high - low) / 2;
			if (blocks[part.posts[middle].block].off <= place->off)
				low = middle;
			else
				high = middle;
		}
		run =
		    run_from(store_segment_locked(table->set->store, place->segment), blocks, block_count, &part, low);
	}
	store_unlock(table->set->store);
	*off += run.before;
	if (run.to <= run.from || place->off <= run.from)
		return 0;

	/* What of the table stands between the start of that block and the place? */
	struct filter_cursor cursor = {run.from, 0, false};
	struct filter_sink sink = {NULL, 0, SIZE_MAX, 0};
	if (run.to > place->off)
		run.to = place->off;
	r = filter_read(pairs_span(table), &cursor, &run, &sink, err);
	*off += cursor.taken;
	return r;
}
