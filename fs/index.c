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
	uint64_t max_xid;
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

static uint64_t xid_of(const struct line_head *head)
{
	uint64_t xid;

	return head->xid.at && position_parse_number(head->xid.at, head->xid.len, &xid) == head->xid.len ? xid : 0;
}

int index_add(struct index *index, uint64_t off, const char *line, size_t len, const struct line_head *head)
{
	if (chunks_add(&index->chunks, line, len) < 0)
		return -ENOMEM;
	if (index->block_count == 0 || off - index->blocks[index->block_count - 1].off >= INDEX_BLOCK_LEN) {
		if (!reserve((void **)&index->blocks, index->block_count, &index->block_cap, sizeof *index->blocks))
			return -ENOMEM;
		index->blocks[index->block_count++] = (struct index_block){off, head->position};
	}
	uint64_t xid = xid_of(head);
	if (xid > index->max_xid)
		index->max_xid = xid;
	if (!head->table_pairs.at)
		return 0;
	if (span_is(head->action, "schema") || span_is(head->action, "drop")) {
		if (!reserve((void **)&index->defined, index->defined_count, &index->defined_cap,
		             sizeof *index->defined))
			return -ENOMEM;
		index->defined[index->defined_count++] = (struct index_defined){off, len};
	}

	struct index_table *table = find_table(index, head->table_pairs);
	if (!table && !(table = add_table(index, head->table_pairs)))
		return -ENOMEM;
	index->latest = table;

	uint64_t block = index->block_count - 1;
	if (table->post_count == 0 || table->posts[table->post_count - 1].block != block) {
		if (!reserve((void **)&table->posts, table->post_count, &table->post_cap, sizeof *table->posts))
			return -ENOMEM;
		table->posts[table->post_count++] = (struct index_post){table->bytes, block};
	}
	table->bytes += len;
	table->last_epoch = head->position.epoch;
	if (!table->changed) {
		table->changed = true;
		table->next_changed = index->changed;
		index->changed = table;
	}
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
