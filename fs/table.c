#include "table.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <uthash.h>

#include "name.h"
#include "scan.h"

struct table {
	struct table_set *set;
	char *name;
	char *pairs; /* line.h: table_pairs, what its lines have behind the stamp */
	size_t pairs_len;
	uint64_t *before; /* before[i]: its bytes in the segments before i */
	size_t known;     /* before[0..known) is filled; the newest segment's is the last */
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
	} *seen;
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
		uint64_t bytes = 0, epoch;
		if (i == table->cap) {
			size_t cap = table->cap ? table->cap * 2 : 64;
			uint64_t *more = realloc(table->before, cap * sizeof *more);
			if (!more)
				return err_set(err, -ENOMEM, "out of memory for the table %s", table->name);
			table->before = more;
			table->cap = cap;
		}
		int r = i ? part_of(table, i - 1, &bytes, &epoch, err) : 0;
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
	uint64_t before, bytes = 0;
	int r = before_segment(table, newest, &before, err);

	*last_epoch = 0;
	if (r < 0)
		return r;
	for (size_t i = newest + 1; i-- > 0 && *last_epoch == 0;) {
		uint64_t part = 0;
		if ((r = part_of(table, i, &part, last_epoch, err)) < 0)
			return r;
		if (i == newest)
			bytes = part;
	}
	*len = before + bytes;
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
	if (!(table = calloc(1, sizeof *table)) || !(table->name = strdup(name)) || !(table->pairs = malloc(pairs_len))) {
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

/* A run of adjacent blocks of a segment that hold lines of the table. */
struct run {
	int fd;
	uint64_t from, to;
	uint64_t before; /* the table's bytes in the segment before `from` */
};

static struct run run_from(const struct segment *segment, const struct index_block *blocks, size_t block_count,
                           const struct index_part *part, size_t post)
{
	struct run run = {segment->fd, blocks[part->posts[post].block].off, 0, part->posts[post].before};
	uint64_t block = part->posts[post].block;

	for (; post < part->post_count && part->posts[post].block == block; post++)
		block++;
	run.to = block < block_count && blocks[block].off < segment->len ? blocks[block].off : segment->len;
	return run;
}

/* The run that holds the table's byte `local` of segment i; 0 where that is
 * not shown. */
static int run_at(struct table *table, size_t i, uint64_t local, struct run *run, struct err *err)
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

/* Where the bytes go, and how many of the table's come before the wanted. */
struct sink {
	char *buf;
	size_t len, want;
	uint64_t skip;
};

static void emit(struct sink *sink, const char *bytes, size_t len, size_t *taken)
{
	size_t skipped = sink->skip < len ? (size_t)sink->skip : len;
	size_t n = len - skipped < sink->want - sink->len ? len - skipped : sink->want - sink->len;

	if (sink->buf)
		memcpy(sink->buf + sink->len, bytes + skipped, n);
	sink->skip -= skipped;
	sink->len += n;
	*taken = skipped + n;
}

/* How much of buf[0..len) has to be there to know whose line it is. */
static bool head_complete(const struct table *table, const char *buf, size_t len, bool *ours)
{
	const char *at = buf, *end = buf + len;

	*ours = false;
	for (int tabs = 0; tabs < 4; tabs++) { /* _c, its value, _s, its value */
		at = memchr(at, '\t', (size_t)(end - at));
		if (!at)
			return memchr(buf, '\n', len) != NULL;
		at++;
	}
	size_t have = (size_t)(end - at) < table->pairs_len ? (size_t)(end - at) : table->pairs_len;
	if (memcmp(at, table->pairs, have) != 0)
		return true;
	if ((size_t)(end - at) <= table->pairs_len)
		return false;
	*ours = at[table->pairs_len] == '\t';
	return true;
}

/* Reads one run from the cursor on until the sink is full or the run ends. */
static int read_run(struct table *table, struct table_cursor *cursor, const struct run *run, struct sink *sink,
                    struct err *err)
{
	enum { CHUNK = 256 << 10 };
	char *chunk = malloc(CHUNK);
	bool ours = cursor->in_line, within = cursor->in_line;
	int r = chunk ? 0 : err_set(err, -ENOMEM, "out of memory");

	while (r == 0 && cursor->off < run->to && sink->len < sink->want) {
		size_t len = run->to - cursor->off < CHUNK ? (size_t)(run->to - cursor->off) : CHUNK, at = 0;
		ssize_t n = pread(run->fd, chunk, len, (off_t)cursor->off);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			errno = n < 0 ? errno : EIO;
			r = err_errno(err, "reading a segment at %llu", (unsigned long long)cursor->off);
			break;
		}
		while (at < (size_t)n && sink->len < sink->want) {
			if (!within && !head_complete(table, chunk + at, (size_t)n - at, &ours)) {
				if (at == 0 && cursor->off + (uint64_t)n >= run->to)
					r = err_set(err, -EIO, "a segment ends within a line");
				break;
			}
			char *newline = memchr(chunk + at, '\n', (size_t)n - at);
			size_t piece = newline ? (size_t)(newline - (chunk + at)) + 1 : (size_t)n - at, taken = piece;
			if (ours) {
				emit(sink, chunk + at, piece, &taken);
				cursor->table_off += taken;
			}
			within = !newline || taken < piece;
			at += taken;
		}
		if (at == 0 && r == 0) /* a head is never that long */
			r = err_set(err, -EIO, "not a line of the format at %llu", (unsigned long long)cursor->off);
		cursor->off += at;
	}
	/* Within a line of another table nobody stops: it belongs to the run. */
	cursor->in_line = within;
	free(chunk);
	return r;
}

/* Places the cursor at the start of the run that holds the table's byte `off`. */
static int seek(struct table *table, struct table_cursor *cursor, uint64_t off, struct run *run, struct err *err)
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
	*cursor = (struct table_cursor){true, low, run->from, before + run->before, false};
	return 1;
}

long table_read(struct table *table, struct table_cursor *cursor, uint64_t off, char *buf, size_t len,
                struct err *err)
{
	struct sink sink = {buf, 0, len, 0};
	int r = 0;

	while (sink.len < len) {
		uint64_t at = off + sink.len;
		struct table_cursor next = *cursor;
		struct run run;
		if ((r = seek(table, &next, at, &run, err)) != 1)
			break;
		/* The cursor knows better where in that run the byte is. */
		if (cursor->valid && cursor->segment == next.segment && cursor->table_off == at &&
		    cursor->off >= run.from && cursor->off < run.to)
			next = *cursor;
		*cursor = next;
		sink.skip = at - cursor->table_off;
		if ((r = read_run(table, cursor, &run, &sink, err)) < 0)
			break;
	}
	if (r < 0)
		cursor->valid = false;
	return r < 0 ? r : (long)sink.len;
}

int table_offset(struct table *table, const struct place *place, uint64_t *off, struct err *err)
{
	const struct index *index;
	struct index_part part = {0};
	struct run run = {0};
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
		run = run_from(store_segment_locked(table->set->store, place->segment), blocks, block_count, &part, low);
	}
	store_unlock(table->set->store);
	*off += run.before;
	if (run.to <= run.from || place->off <= run.from)
		return 0;

	/* What of the table stands between the start of that block and the place? */
	struct table_cursor cursor = {true, place->segment, run.from, 0, false};
	struct sink sink = {NULL, 0, SIZE_MAX, 0};
	if (run.to > place->off)
		run.to = place->off;
	r = read_run(table, &cursor, &run, &sink, err);
	*off += cursor.table_off;
	return r;
}
