#include "index_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32c.h"
#include "regular.h"

/* The file: this header, then blocks, tables by their pairs in byte order,
 * posts, the segment's sums (chunks.h), and the pairs' bytes; in the byte order of the machine, which
 * `magic` tells (an index from elsewhere is built again). */
struct header {
	uint64_t magic;
	uint32_t crc; /* of all that follows this field */
	uint32_t unused;
	uint64_t segment_len;
	uint64_t block_count, table_count, post_count, pairs_len;
	uint64_t max_xid;
};
static const uint64_t index_magic = 0x3330784449530a44; /* "D\nSIDx03" */

struct record {
	uint64_t pairs_off, pairs_len; /* in the pairs' bytes */
	uint64_t post_first, post_count;
	uint64_t bytes, last_epoch;
};

struct index_file {
	void *map;
	size_t map_len;
	const struct header *header;
	const struct index_block *blocks;
	const struct record *tables;
	const struct index_post *posts;
	const uint32_t *sums;
	const char *pairs;
};

static uint32_t checksum(const void *file, size_t len)
{
	size_t covered = offsetof(struct header, unused);

	return crc32c(0, (const char *)file + covered, len - covered);
}

static int compare_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
	int order = memcmp(a, b, a_len < b_len ? a_len : b_len);

	return order ? order : (a_len > b_len) - (a_len < b_len);
}

/* ---- writing ------------------------------------------------------------ */

static int by_pairs(const void *a, const void *b)
{
	const struct index_file_table *x = a, *y = b;

	return compare_bytes(x->pairs.at, x->pairs.len, y->pairs.at, y->pairs.len);
}

/* The whole file in memory: its size is 1/1000 of its segment's. */
static char *encode(const struct index_file_content *content, size_t *len)
{
	const struct chunks *chunks = content->chunks;
	struct header header = {.magic = index_magic,
	                        .segment_len = chunks->len,
	                        .block_count = content->block_count,
	                        .table_count = content->table_count,
	                        .max_xid = content->max_xid};
	size_t sums_len = chunks_count(chunks->len) * sizeof *chunks->sums;

	for (size_t i = 0; i < content->table_count; i++) {
		header.post_count += content->tables[i].part.post_count;
		header.pairs_len += content->tables[i].pairs.len;
	}
	*len = sizeof header + header.block_count * sizeof(struct index_block) +
	       header.table_count * sizeof(struct record) + header.post_count * sizeof(struct index_post) + sums_len +
	       header.pairs_len;
	char *out = calloc(1, *len);
	if (!out)
		return NULL;

	char *blocks = out + sizeof header;
	char *tables = blocks + header.block_count * sizeof(struct index_block);
	char *posts = tables + header.table_count * sizeof(struct record);
	char *sums = posts + header.post_count * sizeof(struct index_post);
	char *pairs = sums + sums_len;
	uint64_t post_at = 0, pairs_at = 0;
	if (header.block_count)
		memcpy(blocks, content->blocks, header.block_count * sizeof(struct index_block));
	if (sums_len)
		memcpy(sums, chunks->sums, sums_len);
	for (size_t i = 0; i < content->table_count; i++) {
		const struct index_file_table *table = &content->tables[i];
		const struct index_part *part = &table->part;
		struct record record = {pairs_at,         table->pairs.len, post_at,
		                        part->post_count, part->bytes,      part->last_epoch};
		memcpy(tables + i * sizeof record, &record, sizeof record);
		memcpy(posts + post_at * sizeof(struct index_post), part->posts,
		       part->post_count * sizeof(struct index_post));
		memcpy(pairs + pairs_at, table->pairs.at, table->pairs.len);
		post_at += part->post_count;
		pairs_at += table->pairs.len;
	}
	memcpy(out, &header, sizeof header);
	header.crc = checksum(out, *len);
	memcpy(out, &header, sizeof header);
	return out;
}

int index_file_write(const struct index_file_content *content, int dirfd, const char *name, struct err *err)
{
	char temporary[128];
	size_t len;
	int r = 0;

	if (content->table_count)
		qsort(content->tables, content->table_count, sizeof *content->tables, by_pairs);
	char *bytes = encode(content, &len);
	if (!bytes)
		return err_set(err, -ENOMEM, "out of memory for the index %s", name);
	snprintf(temporary, sizeof temporary, "%s.new", name);
	unlinkat(dirfd, temporary, 0);
	int fd = openat(dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0) {
		r = err_errno(err, "creating %s", temporary);
		goto out;
	}
	if (regular_write(fd, bytes, len) < 0 || fdatasync(fd) < 0)
		r = err_errno(err, "writing %s", temporary);
	else if (renameat(dirfd, temporary, dirfd, name) < 0)
		r = err_errno(err, "renaming %s", temporary);
	if (r < 0)
		unlinkat(dirfd, temporary, 0);
	close(fd);
out:
	free(bytes);
	return r;
}

/* ---- mapping ------------------------------------------------------------ */

/* True where the counts of the header fill `len` exactly. */
static bool fits(const struct header *header, size_t len)
{
	const struct {
		uint64_t count, size;
	} parts[] = {{header->block_count, sizeof(struct index_block)},
	             {header->table_count, sizeof(struct record)},
	             {header->post_count, sizeof(struct index_post)},
	             {chunks_count(header->segment_len), sizeof(uint32_t)},
	             {header->pairs_len, 1}};
	uint64_t sum = sizeof *header, bytes;

	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
		if (__builtin_mul_overflow(parts[i].count, parts[i].size, &bytes) ||
		    __builtin_add_overflow(sum, bytes, &sum))
			return false;
	return sum == len;
}

/* True where the table's posts ascend through the blocks and its bytes. */
static bool sound_posts(const struct index_file *file, const struct record *table)
{
	const struct index_post *posts = file->posts + table->post_first;

	for (uint64_t i = 0; i < table->post_count; i++)
		if (posts[i].block >= file->header->block_count || posts[i].before >= table->bytes ||
		    (i == 0 && posts[i].before != 0) ||
		    (i > 0 && (posts[i].block <= posts[i - 1].block || posts[i].before <= posts[i - 1].before)))
			return false;
	return table->post_count > 0;
}

/* True where all that look-ups rest on is so: a right checksum only tells that
 * the file is as somebody wrote it. */
static bool sound(const struct index_file *file)
{
	const struct header *header = file->header;
	const struct index_block *blocks = file->blocks;
	uint64_t posts = 0, pairs = 0;

	for (uint64_t i = 0; i < header->block_count; i++)
		if (blocks[i].off >= header->segment_len ||
		    (i > 0 &&
		     (blocks[i].off <= blocks[i - 1].off || position_cmp(blocks[i].first, blocks[i - 1].first) <= 0)))
			return false;
	for (uint64_t i = 0; i < header->table_count; i++) {
		const struct record *table = &file->tables[i], *last = i ? table - 1 : NULL;
		if (table->pairs_off != pairs || table->pairs_len > header->pairs_len - pairs ||
		    table->post_first != posts || table->post_count > header->post_count - posts ||
		    table->bytes > header->segment_len || !sound_posts(file, table))
			return false;
		if (last && compare_bytes(file->pairs + last->pairs_off, last->pairs_len, file->pairs + pairs,
		                          table->pairs_len) >= 0)
			return false;
		pairs += table->pairs_len;
		posts += table->post_count;
	}
	return pairs == header->pairs_len && posts == header->post_count;
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

int index_file_open(struct index_file **out, int dirfd, const char *name, uint64_t segment_len, struct err *err)
{
	struct index_file *file = calloc(1, sizeof *file);
	struct stat st;
	int r = 0;
	int fd = file ? regular_open(dirfd, "segments/", name, O_RDONLY, err)
	              : err_set(err, -ENOMEM, "out of memory for the index %s", name);

	if (fd < 0) {
		r = fd;
		goto out;
	}
	if (fstat(fd, &st) < 0 || (size_t)st.st_size < sizeof(struct header)) {
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
	const struct header *header = map;
	file->map = map;
	file->map_len = len;
	file->header = header;
	if (header->magic != index_magic || !fits(header, len) || (segment_len && header->segment_len != segment_len) ||
	    checksum(map, len) != header->crc) {
		r = err_set(err, -EBADMSG, "%s: checksum or length differs", name);
		goto out;
	}
	file->blocks = (const struct index_block *)(header + 1);
	file->tables = (const struct record *)(file->blocks + header->block_count);
	file->posts = (const struct index_post *)(file->tables + header->table_count);
	file->sums = (const uint32_t *)(file->posts + header->post_count);
	file->pairs = (const char *)(file->sums + chunks_count(header->segment_len));
	if (!sound(file))
		r = err_set(err, -EBADMSG, "%s: its checksum is right, its content is not", name);
out:
	if (fd >= 0)
		close(fd);
	if (r < 0) {
		index_file_close(file);
		file = NULL;
	}
	*out = file;
	return r;
}

void index_file_close(struct index_file *file)
{
	if (!file)
		return;
	if (file->map)
		munmap(file->map, file->map_len);
	free(file);
}

/* ---- looking up --------------------------------------------------------- */

const struct index_block *index_file_blocks(const struct index_file *file, size_t *count)
{
	*count = file->header->block_count;
	return file->blocks;
}

uint64_t index_file_max_xid(const struct index_file *file)
{
	return file->header->max_xid;
}

const uint32_t *index_file_sums(const struct index_file *file, uint64_t *len)
{
	*len = file->header->segment_len;
	return file->sums;
}

bool index_file_part(const struct index_file *file, struct span pairs, struct index_part *part)
{
	size_t low = 0, high = file->header->table_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct record *table = &file->tables[middle];
		int order = compare_bytes(pairs.at, pairs.len, file->pairs + table->pairs_off, table->pairs_len);
		if (order == 0) {
			*part = (struct index_part){file->posts + table->post_first, table->post_count, table->bytes,
			                            table->last_epoch};
			return true;
		}
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return false;
}

int index_file_tables(const struct index_file *file, int (*each)(struct span pairs, void *ctx), void *ctx)
{
	int r = 0;

	for (size_t i = 0; i < file->header->table_count && r == 0; i++) {
		const struct record *table = &file->tables[i];
		r = each((struct span){file->pairs + table->pairs_off, table->pairs_len}, ctx);
	}
	return r;
}
