#include "index.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(elt) ((elt)->pairs = NULL)
#include <uthash.h>

/* A table of a growing index. */
struct index_table {
	char *pairs;
	size_t pairs_len;
	struct index_post *posts;
	size_t post_count, post_cap;
	uint64_t bytes, last_epoch; /* with all that was added */
	struct index_part shown;    /* `posts` is taken at the time of asking */
	struct index_table *next_changed;
	bool changed;
	UT_hash_handle hh;
};

struct index {
	struct index_file *file; /* mapped; or, growing, all below */
	struct index_block *blocks;
	size_t block_count, block_cap;
	uint64_t blocks_before, block_off; /* of the index that it goes on from; where the last block starts */
	uint64_t max_xid;
	char xid[20]; /* the one that was looked at last */
	size_t xid_len;
	struct chunks chunks;
	struct index_defined *defined; /* not taken yet */
	size_t defined_count, defined_cap;
	struct index_table *tables;  /* uthash, by pairs */
	struct index_table *latest;  /* of the line before: runs are common */
	struct index_table *changed; /* since index_show */
};

struct index *index_new(void)
{
	return calloc(1, sizeof(struct index));
}

struct index *index_new_behind(struct index_end end)
{
	struct index *index = index_new();

	if (!index)
		return NULL;
	index->blocks_before = end.blocks;
	index->block_off = end.block_off;
	if (chunks_behind(&index->chunks, end.len, end.sum) < 0) {
		free(index);
		return NULL;
	}
	return index;
}

struct index_end index_end(const struct index *index)
{
	return (struct index_end){index->blocks_before + index->block_count, index->block_off, index->chunks.len,
	                          chunks_open_sum(&index->chunks)};
}

void index_free(struct index *index)
{
	struct index_table *table, *next;

	if (!index)
		return;
	HASH_ITER(hh, index->tables, table, next)
	{
		HASH_DEL(index->tables, table);
		free(table->pairs);
		free(table->posts);
		free(table);
	}
	index_file_close(index->file);
	free(index->blocks);
	free(index->defined);
	chunks_fini(&index->chunks);
	free(index);
}

/* Makes room for one more element; doubles. */
static bool reserve(void **array, size_t count, size_t *cap, size_t size)
{
	if (count < *cap)
		return true;
	size_t more = *cap ? *cap * 2 : 16;
	void *grown = realloc(*array, more * size);
	if (!grown)
		return false;
	*array = grown;
	*cap = more;
	return true;
}

static struct index_table *find_table(struct index *index, struct span pairs)
{
	struct index_table *table = index->latest;

	if (table && table->pairs_len == pairs.len && memcmp(table->pairs, pairs.at, pairs.len) == 0)
		return table;
	HASH_FIND(hh, index->tables, pairs.at, pairs.len, table);
	return table;
}

static struct index_table *add_table(struct index *index, struct span pairs)
{
	struct index_table *table = calloc(1, sizeof *table);
	char *copy = malloc(pairs.len);

	if (!table || !copy) {
		free(table);
		free(copy);
		return NULL;
	}
	memcpy(copy, pairs.at, pairs.len);
	table->pairs = copy;
	table->pairs_len = pairs.len;
	HASH_ADD_KEYPTR(hh, index->tables, table->pairs, table->pairs_len, table);
	if (!table->pairs) {
		free(table);
		free(copy);
		return NULL;
	}
	return table;
}

/* Most lines have the one of the line before. */
static void note_xid(struct index *index, struct span text)
{
	uint64_t xid;

	if (!text.at || (text.len == index->xid_len && memcmp(text.at, index->xid, text.len) == 0))
		return;
	if (position_parse_number(text.at, text.len, &xid) != text.len)
		return;
	memcpy(index->xid, text.at, text.len);
	index->xid_len = text.len;
	if (xid > index->max_xid)
		index->max_xid = xid;
}

static int note_defined(struct index *index, uint64_t off, size_t len)
{
	if (!reserve((void **)&index->defined, index->defined_count, &index->defined_cap, sizeof *index->defined))
		return -ENOMEM;
	index->defined[index->defined_count++] = (struct index_defined){off, len};
	return 0;
}

static int add_block(struct index *index, uint64_t off, struct position first)
{
	if (!reserve((void **)&index->blocks, index->block_count, &index->block_cap, sizeof *index->blocks))
		return -ENOMEM;
	index->blocks[index->block_count++] = (struct index_block){off, first};
	index->block_off = off;
	return 0;
}

static int add_post(struct index_table *table, struct index_post post)
{
	if (!reserve((void **)&table->posts, table->post_count, &table->post_cap, sizeof *table->posts))
		return -ENOMEM;
	table->posts[table->post_count++] = post;
	return 0;
}

static bool is_in_block(const struct index_table *table, uint64_t block)
{
	return table->post_count > 0 && table->posts[table->post_count - 1].block == block;
}

static void note_changed(struct index *index, struct index_table *table)
{
	if (table->changed)
		return;
	table->changed = true;
	table->next_changed = index->changed;
	index->changed = table;
}

static struct index_table *get_table(struct index *index, struct span pairs)
{
	struct index_table *table = find_table(index, pairs);

	return table ? table : add_table(index, pairs);
}

/* The table of a line; NULL: it has none, or *r is -ENOMEM. */
static struct index_table *note_head(struct index *index, uint64_t off, size_t len, const struct line_head *head,
                                     int *r)
{
	if (!head)
		return index->latest;
	note_xid(index, head->xid);
	if (!head->table_pairs.at)
		return NULL;
	if ((span_is(head->action, "schema") || span_is(head->action, "drop")) && note_defined(index, off, len) < 0)
		*r = -ENOMEM;
	else if (!(index->latest = get_table(index, head->table_pairs)))
		*r = -ENOMEM;
	return *r < 0 ? NULL : index->latest;
}

int index_line(struct index *index, uint64_t off, size_t len, struct position position, const struct line_head *head)
{
	uint64_t blocks = index->blocks_before + index->block_count;
	int r = 0;

	if ((blocks == 0 || off - index->block_off >= INDEX_BLOCK_LEN) && add_block(index, off, position) < 0)
		return -ENOMEM;

	struct index_table *table = note_head(index, off, len, head, &r);
	if (!table)
		return r;
	uint64_t block = index->blocks_before + index->block_count - 1;
	if (!is_in_block(table, block) && add_post(table, (struct index_post){table->bytes, block}) < 0)
		return -ENOMEM;
	table->bytes += len;
	table->last_epoch = position.epoch;
	note_changed(index, table);
	return 0;
}

int index_bytes(struct index *index, const char *bytes, size_t len)
{
	return chunks_add(&index->chunks, bytes, len);
}

int index_add(struct index *index, uint64_t off, const char *line, size_t len, const struct line_head *head)
{
	return index_bytes(index, line, len) < 0 ? -ENOMEM : index_line(index, off, len, head->position, head);
}

/* ---- joining ------------------------------------------------------------ */

static int join_table(struct index *index, const struct index_table *more)
{
	struct index_table *table = get_table(index, (struct span){more->pairs, more->pairs_len});

	if (!table)
		return -ENOMEM;
	for (size_t i = 0; i < more->post_count; i++) {
		struct index_post post = {table->bytes + more->posts[i].before, more->posts[i].block};
		if (!is_in_block(table, post.block) && add_post(table, post) < 0)
			return -ENOMEM;
	}
	table->bytes += more->bytes;
	table->last_epoch = more->last_epoch;
	note_changed(index, table);
	return 0;
}

int index_join(struct index *index, const struct index *more)
{
	if (chunks_join(&index->chunks, &more->chunks) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < more->block_count; i++)
		if (add_block(index, more->blocks[i].off, more->blocks[i].first) < 0)
			return -ENOMEM;
	for (size_t i = 0; i < more->defined_count; i++)
		if (note_defined(index, more->defined[i].off, more->defined[i].len) < 0)
			return -ENOMEM;
	for (const struct index_table *table = more->tables; table; table = table->hh.next)
		if (join_table(index, table) < 0)
			return -ENOMEM;
	if (more->max_xid > index->max_xid)
		index->max_xid = more->max_xid;
	return 0;
}

struct index_defined *index_take_defined(struct index *index, size_t *count)
{
	struct index_defined *defined = index->defined;

	*count = index->defined_count;
	index->defined = NULL;
	index->defined_count = index->defined_cap = 0;
	return defined;
}

void index_show(struct index *index)
{
	for (struct index_table *table = index->changed; table; table = table->next_changed) {
		table->shown.bytes = table->bytes;
		table->shown.last_epoch = table->last_epoch;
		table->shown.post_count = table->post_count;
		table->changed = false;
	}
	index->changed = NULL;
}

const struct index_block *index_blocks(const struct index *index, size_t *count)
{
	if (index->file)
		return index_file_blocks(index->file, count);
	*count = index->block_count;
	return index->blocks;
}

uint64_t index_max_xid(const struct index *index)
{
	return index->file ? index_file_max_xid(index->file) : index->max_xid;
}

long index_sums(const struct index *index, uint64_t chunk, uint32_t *sums, size_t most, uint64_t *len)
{
	const uint32_t *all = index->chunks.sums;

	*len = index->chunks.len;
	if (index->file)
		all = index_file_sums(index->file, len);
	uint64_t count = chunks_count(*len);
	size_t n = chunk >= count ? 0 : count - chunk < most ? (size_t)(count - chunk) : most;
	if (n)
		memcpy(sums, all + chunk, n * sizeof *sums);
	return (long)n;
}

bool index_part(const struct index *index, struct span pairs, struct index_part *part)
{
	if (index->file)
		return index_file_part(index->file, pairs, part);

	struct index_table *table;
	HASH_FIND(hh, index->tables, pairs.at, pairs.len, table);
	if (!table || table->shown.bytes == 0)
		return false;
	*part = table->shown;
	part->posts = table->posts;
	return true;
}

int index_tables(const struct index *index, int (*each)(struct span pairs, void *ctx), void *ctx)
{
	int r = 0;

	if (index->file)
		return index_file_tables(index->file, each, ctx);
	for (struct index_table *table = index->tables; table && r == 0; table = table->hh.next)
		if (table->shown.bytes > 0)
			r = each((struct span){table->pairs, table->pairs_len}, ctx);
	return r;
}

int index_save(const struct index *index, int dirfd, const char *name, uint64_t segment_len, struct err *err)
{
	size_t n = 0;

	if (index->chunks.len != segment_len)
		return err_set(err, -EINVAL, "the index %s is not of all of its segment", name);
	struct index_file_table *tables = malloc((HASH_COUNT(index->tables) + 1) * sizeof *tables);
	if (!tables)
		return err_set(err, -ENOMEM, "out of memory for the index %s", name);
	for (struct index_table *table = index->tables; table; table = table->hh.next)
		tables[n++] =
		    (struct index_file_table){{table->pairs, table->pairs_len},
		                              {table->posts, table->post_count, table->bytes, table->last_epoch}};
	struct index_file_content content = {.blocks = index->blocks,
	                                     .block_count = index->block_count,
	                                     .tables = tables,
	                                     .table_count = n,
	                                     .chunks = &index->chunks,
	                                     .max_xid = index->max_xid};
	int r = index_file_write(&content, dirfd, name, err);
	free(tables);
	return r;
}

int index_load(struct index **out, int dirfd, const char *name, uint64_t segment_len, struct err *err)
{
	struct index *index = index_new();
	int r = index ? index_file_open(&index->file, dirfd, name, segment_len, err)
	              : err_set(err, -ENOMEM, "out of memory for the index %s", name);

	if (r < 0) {
		index_free(index);
		index = NULL;
	}
	*out = index;
	return r;
}
