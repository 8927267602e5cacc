#include "table.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "name.h"
#include "run.h"

struct table {
	struct table_set *set;
	char *name;
	char *pairs; /* line.h: table_pairs, what its lines have behind the stamp */
	size_t pairs_len;
	size_t from;           /* number of a segment */
	uint64_t *before;      /* before[i]: its bytes in the segments before from + i */
	size_t known;          /* before[0..known) is filled; the newest segment's is the last */
	uint64_t sealed_epoch; /* of its last line in the segments before that */
	size_t cap;
	UT_hash_handle hh;
};

struct table_set {
	struct segments *segments;
	pthread_mutex_t lock; /* tables, and each one's `before` */
	struct table *tables;
};

struct table_set *table_set_new(struct store *store)
{
	struct table_set *set = calloc(1, sizeof *set);

	if (set) {
		set->segments = store_segments(store);
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

/* ---- lengths ------------------------------------------------------------ */

static struct span pairs_span(const struct table *table)
{
	return (struct span){table->pairs, table->pairs_len};
}

/* The table's part of a segment; an empty one where it has none. */
static int part_of(struct table *table, size_t number, uint64_t *bytes, uint64_t *last_epoch, struct err *err)
{
	struct segments *segments = table->set->segments;
	const struct index *index;
	struct index_part part = {0};
	struct segment *segment;
	int r = segments_hold(segments, number, &segment, err);

	if (r < 0)
		return r;
	if ((r = segments_lock_index(segments, segment, &index, err)) == 0) {
		index_part(index, pairs_span(table), &part);
		*bytes = part.bytes;
		if (part.bytes)
			*last_epoch = part.last_epoch;
		segments_unlock(segments);
	}
	segments_release(segment);
	return r;
}

/* Fills `before` up to that segment; under the set's lock. All but the newest segment
 * are sealed, so what is filled stays right. */
static int extend(struct table *table, size_t number, struct err *err)
{
	while (table->from + table->known <= number) {
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
		int r = i ? part_of(table, table->from + i - 1, &bytes, &table->sealed_epoch, err) : 0;
		if (r < 0)
			return r;
		table->before[i] = i ? table->before[i - 1] + bytes : 0;
		table->known = i + 1;
	}
	return 0;
}

int table_start(struct table *table, size_t segment, uint64_t *off, struct err *err)
{
	int r;

	pthread_mutex_lock(&table->set->lock);
	if (segment < table->from)
		r = err_set(err, -ESTALE, "the start of the table %s was given up", table->name);
	else if ((r = extend(table, segment, err)) == 0)
		*off = table->before[segment - table->from];
	pthread_mutex_unlock(&table->set->lock);
	return r;
}

int table_len(struct table *table, uint64_t *len, uint64_t *last_epoch, struct err *err)
{
	uint64_t bytes = 0;

	pthread_mutex_lock(&table->set->lock);
	/* Not before: who waited for the lock might ask for one that was given up meanwhile. */
	size_t newest = segments_range(table->set->segments).newest;
	int r = extend(table, newest, err);
	if (r == 0) {
		*len = table->before[newest - table->from];
		*last_epoch = table->sealed_epoch;
	}
	pthread_mutex_unlock(&table->set->lock);
	if (r < 0 || (r = part_of(table, newest, &bytes, last_epoch, err)) < 0)
		return r;
	*len += bytes;
	return 0;
}

void table_set_count(struct table_set *set)
{
	size_t newest = segments_range(set->segments).newest;

	pthread_mutex_lock(&set->lock);
	for (struct table *table = set->tables; table; table = table->hh.next)
		extend(table, newest, NULL);
	pthread_mutex_unlock(&set->lock);
}

void table_set_trim(struct table_set *set)
{
	size_t readable = segments_range(set->segments).readable;

	pthread_mutex_lock(&set->lock);
	for (struct table *table = set->tables; table; table = table->hh.next) {
		size_t drop = readable > table->from ? readable - table->from : 0;
		table->from += drop;
		if (drop < table->known) {
			table->known -= drop;
			memmove(table->before, table->before + drop, table->known * sizeof *table->before);
		} else { /* it had no more bytes than the stream */
			table->known = 1;
			table->before[0] = segments_start(set->segments, readable).base;
		}
	}
	pthread_mutex_unlock(&set->lock);
}

static struct table *new_table(struct table_set *set, const char *name, const char *pairs, size_t pairs_len)
{
	struct table *table = calloc(1, sizeof *table);

	if (!table || !(table->name = strdup(name)) || !(table->pairs = malloc(pairs_len))) {
		if (table)
			free_table(table);
		return NULL;
	}
	memcpy(table->pairs, pairs, pairs_len);
	table->pairs_len = pairs_len;
	table->set = set;
	table->from = segments_range(set->segments).oldest;
	return table;
}

/* Adds a table, unless another thread was first. It knows all segments then: what is given up
 * from now on, table_set_count lets it count before. */
static int add_table(struct table_set *set, struct table *table, struct table **added, struct err *err)
{
	pthread_mutex_lock(&set->lock);
	HASH_FIND_STR(set->tables, table->name, *added);
	int r = *added ? 0 : extend(table, segments_range(set->segments).newest, err);
	if (r == 0 && !*added) {
		HASH_ADD_KEYPTR(hh, set->tables, table->name, strlen(table->name), table);
		*added = table;
	}
	pthread_mutex_unlock(&set->lock);
	if (*added != table)
		free_table(table);
	return r;
}

static int find_table(struct table_set *set, const char *name, struct table **out, struct err *err)
{
	char schema[NAME_RAW_MAX], bare[NAME_RAW_MAX], pairs[NAME_PAIRS_MAX];
	uint64_t len, epoch;

	pthread_mutex_lock(&set->lock);
	HASH_FIND_STR(set->tables, name, *out);
	pthread_mutex_unlock(&set->lock);
	if (*out || !name_split(name, strlen(name), schema, bare))
		return 0;
	struct table *table = new_table(set, name, pairs, name_pairs(pairs, schema, bare));
	if (!table)
		return err_set(err, -ENOMEM, "out of memory for the table %s", name);
	int r = table_len(table, &len, &epoch, err);
	if (r < 0 || len == 0) {
		free_table(table);
		return r;
	}
	return add_table(set, table, out, err);
}

int table_get(struct table_set *set, const char *name, struct table **out, struct err *err)
{
	uint64_t start, len, epoch;
	size_t oldest;
	int r;

	*out = NULL;
	do { /* once more, where segments were given up while it counted them */
		oldest = segments_range(set->segments).oldest;
		r = find_table(set, name, out, err);
	} while (r == -ESTALE && segments_range(set->segments).oldest != oldest);
	if (r < 0 || !*out)
		return r;
	if ((r = table_len(*out, &len, &epoch, err)) < 0 ||
	    (r = table_start(*out, segments_range(set->segments).oldest, &start, err)) < 0)
		return r;
	return len > start;
}

/* ---- reading ------------------------------------------------------------ */

/* The segment that holds the table's byte `off`, or the newest, and the table's bytes before it. */
static int segment_of(struct table *table, uint64_t off, size_t *number, uint64_t *before, struct err *err)
{
	size_t newest = segments_range(table->set->segments).newest, low = 0;

	pthread_mutex_lock(&table->set->lock);
	int r = extend(table, newest, err);
	if (r == 0 && off < table->before[0])
		r = err_set(err, -ESTALE, "this part of the table %s was given up", table->name);
	for (size_t high = table->known; r == 0 && high - low > 1;) {
		size_t middle = low + (high - low) / 2;
		if (table->before[middle] <= off)
			low = middle;
		else
			high = middle;
	}
	if (r == 0) {
		*before = table->before[low];
		*number = table->from + low;
	}
	pthread_mutex_unlock(&table->set->lock);
	return r;
}

int table_segment(struct table *table, uint64_t off, size_t *segment, struct err *err)
{
	uint64_t before;

	return segment_of(table, off, segment, &before, err);
}

/* Where in the run the byte is: the cursor may know better than the index. */
static struct filter_cursor place_in(const struct filter_run *run, const struct table_cursor *known, uint64_t before,
                                     size_t number, uint64_t at)
{
	const struct filter_cursor *last = &known->at;
	struct filter_cursor cursor = *last;

	if (known->valid && known->segment == number) {
		if (last->taken <= at && last->off >= run->from && last->off < run->to)
			return cursor;
		if (last->line_taken <= at && at < last->taken && last->line_off >= run->from &&
		    last->line_off < run->to) {
			cursor.off = last->line_off + (at - last->line_taken);
			cursor.taken = at;
			cursor.in_line = at > last->line_taken;
			return cursor;
		}
	}
	return (struct filter_cursor){.off = run->from, .taken = before + run->before, .line_taken = UINT64_MAX};
}

/* Reads on from the table's byte `at`, to the end of a run at most. 0: that byte is not shown. */
static int read_run(struct table *table, struct table_cursor *cursor, uint64_t at, struct filter_sink *sink,
                    struct err *err)
{
	struct segment *segment;
	struct filter_run run;
	uint64_t before;
	size_t number;
	int r = segment_of(table, at, &number, &before, err);

	if (r < 0 || (r = segments_hold(table->set->segments, number, &segment, err)) < 0)
		return r;
	if ((r = run_at(table->set->segments, segment, pairs_span(table), at - before, &run, err)) == 1) {
		*cursor = (struct table_cursor){true, number, place_in(&run, cursor, before, number, at)};
		sink->skip = at - cursor->at.taken;
		size_t had = sink->len;
		r = filter_read(pairs_span(table), &cursor->at, &run, sink, err);
		/* Else the same run would be read for ever. */
		if (r == 0 && sink->len == had)
			r = err_set(err, -EIO,
			            "a segment has less of table %s than its index says: `daystream check` finds where",
			            table->name);
		r = r < 0 ? r : 1;
	}
	segments_release(segment);
	return r;
}

long table_read(struct table *table, struct table_cursor *cursor, uint64_t off, char *buf, size_t len, struct err *err)
{
	return table_some(table, cursor, off, buf, len, len, err);
}

long table_some(struct table *table, struct table_cursor *cursor, uint64_t off, char *buf, size_t least, size_t most,
                struct err *err)
{
	struct filter_sink sink = {buf, 0, most, least, 0};
	int r = 1;

	while (sink.len < least && r == 1)
		r = read_run(table, cursor, off + sink.len, &sink, err);
	if (r < 0)
		cursor->valid = false;
	return r < 0 ? r : (long)sink.len;
}

int table_offset(struct table *table, const struct place *place, uint64_t *off, struct err *err)
{
	struct filter_run run;
	struct segment *segment;
	int r = table_start(table, place->segment, off, err);

	if (r < 0 || (r = segments_hold(table->set->segments, place->segment, &segment, err)) < 0)
		return r;
	if ((r = run_before(table->set->segments, segment, pairs_span(table), place->off, &run, err)) == 0) {
		*off += run.before;
		if (run.to > place->off)
			run.to = place->off;
		if (run.to > run.from) {
			/* What of the table stands between the start of that block and the place? */
			struct filter_cursor cursor = {.off = run.from};
			struct filter_sink sink = {NULL, 0, SIZE_MAX, SIZE_MAX, 0};
			r = filter_read(pairs_span(table), &cursor, &run, &sink, err);
			*off += cursor.taken;
		}
	}
	segments_release(segment);
	return r;
}
