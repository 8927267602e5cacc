/*
 * fuzz_index.c - any bytes for an index whose checksum is right: it is refused,
 * or all that is asked of it stays within it.
 *
 * The first byte is not the index's. Where it is odd, magic and checksum are put
 * right first, as no fuzzer guesses them; the segment's length is what the
 * header says.
 */
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "crc32c.h"
#include "folder.h"
#include "index.h"
#include "property.h"

enum { CRC_AT = 8, COVERED_FROM = 12, SEGMENT_LEN_AT = 16 };

/* Of an index as it is written today. */
static uint64_t magic_of_today(void)
{
	struct index *index = index_new();
	struct err err;
	uint64_t magic = 0;

	must(index);
	index_show(index);
	must(index_save(index, folder, "today", 0, &err) == 0);
	index_free(index);
	int fd = openat(folder, "today", O_RDONLY);
	must(fd >= 0 && read(fd, &magic, sizeof magic) == sizeof magic);
	close(fd);
	unlinkat(folder, "today", 0);
	return magic;
}

static void put_right(uint8_t *bytes, size_t len)
{
	static uint64_t magic;

	if (!magic)
		magic = magic_of_today();
	if (len < SEGMENT_LEN_AT)
		return;
	memcpy(bytes, &magic, sizeof magic);
	uint32_t crc = crc32c(0, bytes + COVERED_FROM, len - COVERED_FROM);
	memcpy(bytes + CRC_AT, &crc, sizeof crc);
}

/* A sanitizer tells of what is read beyond the file. */
struct walk {
	const struct index *index;
	const struct index_block *blocks;
	size_t block_count, tables;
	struct span last;
};

static int each_table(struct span pairs, void *ctx)
{
	struct walk *walk = ctx;
	struct index_part part;

	must(index_part(walk->index, pairs, &part)); /* the order allows to find it */
	must(part.post_count > 0 && part.posts[0].before == 0 && part.bytes > 0);
	for (size_t i = 0; i < part.post_count; i++) {
		must(part.posts[i].block < walk->block_count && part.posts[i].before < part.bytes);
		must(i == 0 || part.posts[i].block > part.posts[i - 1].block);
		must(i == 0 || part.posts[i].before > part.posts[i - 1].before);
	}
	walk->tables++;
	walk->last = pairs;
	return 0;
}

static void look_around(const struct index *index, uint64_t segment_len)
{
	static const char *const strangers[] = {"", "_table\ta", "_table\tzzz", "~"};
	struct walk walk = {.index = index};
	struct index_part part;

	walk.blocks = index_blocks(index, &walk.block_count);
	for (size_t i = 0; i < walk.block_count; i++) {
		must(walk.blocks[i].off < segment_len);
		must(i == 0 || walk.blocks[i].off > walk.blocks[i - 1].off);
		must(i == 0 || position_cmp(walk.blocks[i].first, walk.blocks[i - 1].first) > 0);
	}
	must(index_tables(index, each_table, &walk) == 0);
	for (size_t i = 0; i < sizeof strangers / sizeof *strangers; i++)
		index_part(index, (struct span){strangers[i], strlen(strangers[i])}, &part);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct index *index;
	struct err err = {""};
	uint64_t segment_len = 0;

	if (size < 1)
		return 0;
	if (folder < 0)
		folder_open();
	size_t len = size - 1;
	uint8_t *bytes = malloc(len ? len : 1);
	must(bytes);
	memcpy(bytes, data + 1, len);
	if (data[0] & 1)
		put_right(bytes, len);
	if (len >= SEGMENT_LEN_AT + sizeof segment_len)
		memcpy(&segment_len, bytes + SEGMENT_LEN_AT, sizeof segment_len);

	int fd = openat(folder, "index", O_RDWR | O_CREAT | O_TRUNC, 0600);
	must(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
	close(fd);
	int r = index_load(&index, folder, "index", segment_len, &err);
	must(r == 0 || (r == -EBADMSG && *err.text && !index));
	if (r == 0) {
		look_around(index, segment_len);
		index_free(index);
		must(index_load(&index, folder, "index", segment_len + 1, &err) == -EBADMSG);
	}
	must(index_load(&index, folder, "none", segment_len, &err) == -ENOENT);
	unlinkat(folder, "index", 0);
	free(bytes);
	return 0;
}
