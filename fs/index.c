#include "index.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(elt) ((elt)->pairs = NULL)
#include <uthash.h>

#include "crc32c.h"
#include "regular.h"

/* The file: this header, then blocks, tables by their pairs in byte order,
 * posts, the segment's sums (chunks.h), and the pairs' bytes; in the byte order of the machine, which
 * `magic` tells (an index from elsewhere is built again). */
struct index_file {
	uint64_t magic;
	uint32_t crc; /* of all that follows this field */
	uint32_t unused;
	uint64_t segment_len;
	uint64_t block_count, table_count, post_count, pairs_len;
	uint64_t max_xid;
};
static const uint64_t index_magic = 0x3330784449530a44; /* "D\nSIDx03" */

struct index_file_table {
	uint64_t pairs_off, pairs_len; /* in the pairs' bytes */
	uint64_t post_first, post_count;
	uint64_t bytes, last_epoch;
};

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
	struct index_block *blocks;
	size_t block_count, block_cap;
	uint64_t max_xid;
	struct chunks chunks; /* mapped: only its `sums` and `len` */
	/* growing */
	struct index_table *tables;  /* uthash, by pairs */
	struct index_table *latest;  /* of the line before: runs are common */
	struct index_table *changed; /* since index_show */
	/* mapped */
	void *map;
	size_t map_len;
	const struct index_file *file;
	const struct index_file_table *file_tables;
	const struct index_post *file_posts;
	const char *file_pairs;
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
	if (index->map) {
		munmap(index->map, index->map_len);
	} else {
		free(index->blocks);
		chunks_fini(&index->chunks);
	}
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
	*count = index->block_count;
	return index->blocks;
}

uint64_t index_max_xid(const struct index *index)
{
	return index->max_xid;
}

long index_sums(const struct index *index, uint64_t chunk, uint32_t *sums, size_t most, uint64_t *len)
{
	uint64_t count = chunks_count(index->chunks.len);
	size_t n = chunk >= count ? 0 : count - chunk < most ? (size_t)(count - chunk) : most;

	if (n)
		memcpy(sums, index->chunks.sums + chunk, n * sizeof *sums);
	*len = index->chunks.len;
	return (long)n;
}

static int compare_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order ? order : (a_len > b_len) - (a_len < b_len);
}

static bool mapped_part(const struct index *index, struct span pairs, struct index_part *part)
{
	size_t low = 0, high = index->file->table_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct index_file_table *table = &index->file_tables[middle];
		int order = compare_bytes(pairs.at, pairs.len, index->file_pairs + table->pairs_off, table->pairs_len);
		if (order == 0) {
			*part = (struct index_part){index->file_posts + table->post_first, table->post_count,
			                            table->bytes, table->last_epoch};
			return true;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

bool index_part(const struct index *index, struct span pairs, struct index_part *part)
{
	if (index->map)
		return mapped_part(index, pairs, part);

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

	if (index->map) {
		for (size_t i = 0; i < index->file->table_count && r == 0; i++) {
			const struct index_file_table *table = &index->file_tables[i];
			r = each((struct span){index->file_pairs + table->pairs_off, table->pairs_len}, ctx);
		}
		return r;
	}
	for (struct index_table *table = index->tables; table && r == 0; table = table->hh.next)
		if (table->shown.bytes > 0)
			r = each((struct span){table->pairs, table->pairs_len}, ctx);
	return r;
}

static int by_pairs(const void *a, const void *b)
{
	const struct index_table *x = *(struct index_table *const *)a, *y = *(struct index_table *const *)b;

	return compare_bytes(x->pairs, x->pairs_len, y->pairs, y->pairs_len);
}

/* The whole file in memory: its size is 1/1000 of its segment's. */
static char *encode(const struct index *index, uint64_t segment_len, size_t *len)
{
	struct index_file header = {.magic = index_magic,
	                            .segment_len = segment_len,
	                            .block_count = index->block_count,
	                            .max_xid = index->max_xid};
	size_t n = HASH_COUNT(index->tables), sums_len = chunks_count(segment_len) * sizeof *index->chunks.sums;
	struct index_table **sorted = malloc((n + 1) * sizeof *sorted);
	char *out = NULL;

	if (!sorted)
		return NULL;
	for (struct index_table *table = index->tables; table; table = table->hh.next) {
		sorted[header.table_count++] = table;
		header.post_count += table->post_count;
		header.pairs_len += table->pairs_len;
	}
	qsort(sorted, n, sizeof *sorted, by_pairs);

	*len = sizeof header + header.block_count * sizeof(struct index_block) +
	       header.table_count * sizeof(struct index_file_table) + header.post_count * sizeof(struct index_post) +
	       sums_len + header.pairs_len;
	if (!(out = calloc(1, *len)))
		goto out;

	char *blocks = out + sizeof header;
	char *tables = blocks + header.block_count * sizeof(struct index_block);
	char *posts = tables + header.table_count * sizeof(struct index_file_table);
	char *sums = posts + header.post_count * sizeof(struct index_post);
	char *pairs = sums + sums_len;
	uint64_t post_at = 0, pairs_at = 0;
	if (index->block_count)
		memcpy(blocks, index->blocks, header.block_count * sizeof(struct index_block));
	if (sums_len)
		memcpy(sums, index->chunks.sums, sums_len);
	for (size_t i = 0; i < n; i++) {
		const struct index_table *table = sorted[i];
		struct index_file_table record = {pairs_at,          table->pairs_len, post_at,
		                                  table->post_count, table->bytes,     table->last_epoch};
		memcpy(tables + i * sizeof record, &record, sizeof record);
		memcpy(posts + post_at * sizeof(struct index_post), table->posts,
		       table->post_count * sizeof(struct index_post));
		memcpy(pairs + pairs_at, table->pairs, table->pairs_len);
		post_at += table->post_count;
		pairs_at += table->pairs_len;
	}
	memcpy(out, &header, sizeof header);
	size_t covered = offsetof(struct index_file, unused);
	header.crc = crc32c(0, out + covered, *len - covered);
	memcpy(out, &header, sizeof header);
out:
	free(sorted);
	return out;
}

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

int index_save(const struct index *index, int dirfd, const char *name, uint64_t segment_len, struct err *err)
{
	char temporary[128];
	size_t len;
	int r = 0;

	if (index->chunks.len != segment_len)
		return err_set(err, -EINVAL, "the index %s is not of all of its segment", name);
	char *bytes = encode(index, segment_len, &len);
	if (!bytes)
		return err_set(err, -ENOMEM, "out of memory for the index %s", name);
	snprintf(temporary, sizeof temporary, "%s.new", name);
	unlinkat(dirfd, temporary, 0);
	int fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		r = err_errno(err, "creating %s", temporary);
		goto out;
	}
	if ((r = write_all(fd, bytes, len)) < 0 || (fdatasync(fd) < 0 && (r = -errno))) {
		errno = -r;
		r = err_errno(err, "writing %s", temporary);
	} else if (renameat(dirfd, temporary, dirfd, name) < 0) {
		r = err_errno(err, "renaming %s", temporary);
	}
	if (r < 0)
		unlinkat(dirfd, temporary, 0);
	close(fd);
out:
	free(bytes);
	return r;
}

/* True where the counts of the header fill `len` exactly. */
static bool fits(const struct index_file *file, size_t len)
{
	const struct {
		uint64_t count, size;
	} parts[] = {{file->block_count, sizeof(struct index_block)},
	             {file->table_count, sizeof(struct index_file_table)},
	             {file->post_count, sizeof(struct index_post)},
	             {chunks_count(file->segment_len), sizeof(uint32_t)},
	             {file->pairs_len, 1}};
	uint64_t sum = sizeof *file, bytes;

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (__builtin_mul_overflow(parts[i].count, parts[i].size, &bytes) ||
		    __builtin_add_overflow(sum, bytes, &sum))
			return false;
	return sum == len;
}

/* True where the table's posts ascend through the blocks and its bytes. */
static bool sound_posts(const struct index *index, const struct index_file_table *table)
{
	const struct index_post *posts = index->file_posts + table->post_first;

	for (uint64_t i = 0; i < table->post_count; i++)
		if (posts[i].block >= index->block_count || posts[i].before >= table->bytes ||
		    (i == 0 && posts[i].before != 0) ||
		    (i > 0 && (posts[i].block <= posts[i - 1].block || posts[i].before <= posts[i - 1].before)))
			return false;
	return table->post_count > 0;
}

/* True where all that look-ups rest on is so: a right checksum only tells that
 * the file is as somebody wrote it. */
static bool sound(const struct index *index)
{
	const struct index_file *file = index->file;
	const struct index_block *blocks = index->blocks;
	uint64_t posts = 0, pairs = 0;

	for (uint64_t i = 0; i < file->block_count; i++)
		if (blocks[i].off >= file->segment_len ||
		    (i > 0 &&
		     (blocks[i].off <= blocks[i - 1].off || position_cmp(blocks[i].first, blocks[i - 1].first) <= 0)))
			return false;
	for (uint64_t i = 0; i < file->table_count; i++) {
		const struct index_file_table *table = &index->file_tables[i], *last = i ? table - 1 : NULL;
		if (table->pairs_off != pairs || table->pairs_len > file->pairs_len - pairs ||
		    table->post_first != posts || table->post_count > file->post_count - posts ||
		    table->bytes > file->segment_len || !sound_posts(index, table))
			return false;
		if (last && compare_bytes(index->file_pairs + last->pairs_off, last->pairs_len,
		                          index->file_pairs + pairs, table->pairs_len) >= 0)
			return false;
		pairs += table->pairs_len;
		posts += table->post_count;
	}
	return pairs == file->pairs_len && posts == file->post_count;
}

/* A place that the disk does not give is an error here; in mapped memory it would be a signal. */
static int read_through(int fd, const char *name, struct err *err)
{
	char buf[64 << 10];
	ssize_t n;

	while ((n = read(fd, buf, sizeof buf)) > 0 || (n < 0 && errno == EINTR))
		;
	return n < 0 ? err_errno(err, "reading %s", name) : 0;
}

int index_load(struct index **out, int dirfd, const char *name, uint64_t segment_len, struct err *err)
{
	struct index *index = index_new();
	struct stat st;
	int r = 0;
	int fd = index ? regular_open(dirfd, "segments/", name, O_RDONLY, err)
	               : err_set(err, -ENOMEM, "out of memory for the index %s", name);

	if (fd < 0) {
		r = fd;
		goto out;
	}
	if (fstat(fd, &st) < 0 || (size_t)st.st_size < sizeof(struct index_file)) {
		r = err_set(err, -EBADMSG, "%s: not an index", name);
		goto out;
	}
	size_t len = (size_t)st.st_size;
	if ((r = read_through(fd, name, err)) < 0)
		goto out;
	void *map = mmap(NULL, len, PROT_READ, MAP_PRIVATE, fd, 0);
	if (map == MAP_FAILED) {
		r = err_errno(err, "mapping %s", name);
		goto out;
	}
	index->map = map;
	index->map_len = len;
	index->file = map;
	size_t covered = offsetof(struct index_file, unused);
	if (index->file->magic != index_magic || !fits(index->file, len) || index->file->segment_len != segment_len ||
	    crc32c(0, (char *)map + covered, len - covered) != index->file->crc) {
		r = err_set(err, -EBADMSG, "%s: checksum or length differs", name);
		goto out;
	}
	index->blocks = (struct index_block *)((char *)map + sizeof *index->file);
	index->block_count = index->file->block_count;
	index->max_xid = index->file->max_xid;
	index->file_tables = (const struct index_file_table *)(index->blocks + index->block_count);
	index->file_posts = (const struct index_post *)(index->file_tables + index->file->table_count);
	index->chunks.sums = (uint32_t *)(uintptr_t)(index->file_posts + index->file->post_count);
	index->chunks.len = segment_len;
	index->file_pairs = (const char *)(index->chunks.sums + chunks_count(segment_len));
	if (!sound(index))
		r = err_set(err, -EBADMSG, "%s: its checksum is right, its content is not", name);
out:
	if (fd >= 0)
		close(fd);
	if (r < 0) {
		index_free(index);
		index = NULL;
	}
	*out = index;
	return r;
}
