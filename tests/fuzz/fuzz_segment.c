/*
 * fuzz_segment.c - the newest segment after a crash: any bytes at all. What
 * recovery keeps is whole and stays so, what it cuts off was no good commit,
 * and a second recovery finds nothing more to do.
 *
 * No fuzzer guesses a checksum: where the first byte is odd, each commit
 * line's is put right first, so that good transactions stand among the rest.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32c.h"
#include "folder.h"
#include "property.h"
#include "recover.h"
#include "segment.h"

/* docs/FORMAT.md: all bytes since the last commit line, up to `crc`. */
static void right_checksums(char *text, size_t len)
{
	static const char pair[] = "\tcrc\t";
	size_t from = 0, start = 0;

	for (char *end; start < len && (end = memchr(text + start, '\n', len - start));
	     start = (size_t)(end + 1 - text)) {
		char *crc = end - 8 - (sizeof pair - 1);
		if (crc < text + start || memcmp(crc, pair, sizeof pair - 1) != 0)
			continue;
		char digits[9];
		size_t upto = (size_t)(crc + 1 - text);
		snprintf(digits, sizeof digits, "%08x", crc32c(0, text + from, upto - from));
		memcpy(end - 8, digits, 8);
		from = (size_t)(end + 1 - text);
	}
}

static struct position first_position(const char *text, size_t len)
{
	const char *end = memchr(text, '\n', len);
	struct line_head head;

	if (end && line_parse(text, (size_t)(end - text), &head) && head.stamped)
		return head.position;
	return (struct position){1507507200, 0};
}

static bool same_end(const struct segment_end *a, const struct segment_end *b)
{
	return a->off == b->off && a->lsn == b->lsn && position_cmp(a->last, b->last) == 0;
}

static void check_verified(int fd, struct position first, uint64_t len, struct segment_end *end)
{
	struct segment_end again;
	struct err err;
	const struct position nothing = {0, 0};
	int r = segment_verify(fd, first, len, nothing, end, &err);

	must(r == 0 || r == -EBADMSG);
	must(end->off <= len && (r < 0 || end->off == len));
	if (end->off == 0)
		return;
	must(position_cmp(first, end->last) < 0);
	must(segment_verify(fd, first, end->off, end->last, &again, &err) == 0);
	must(same_end(end, &again) && again.mark_off == end->off);
	must(segment_commit_follows(fd, end->off, end->off, NULL) == 0);
	/* Cut anywhere inside, it is whole up to an earlier commit. */
	must(segment_verify(fd, first, end->off - 1, nothing, &again, &err) == -EBADMSG);
	must(again.off < end->off);
}

/* What was learnt on the way is that of the whole part alone. */
static void check_learnt(int fd, struct position first, const struct segment_end *end, struct learnt *learnt)
{
	struct index *index = NULL;
	struct err err;

	must((learnt->index != NULL) == (end->off > 0));
	if (end->off > 0) {
		must(segment_build_index(fd, first, end->off, &index, &err) == 0);
		struct index_end is = index_end(index), has = index_end(learnt->index);
		must(is.blocks == has.blocks && is.block_off == has.block_off && is.len == has.len &&
		     is.sum == has.sum);
		index_free(index);
	}
	learnt_fini(learnt);
}

static int recover(int fd, struct position first, uint64_t len, struct position synced, struct segment_end *end)
{
	struct learnt learnt = {0};
	struct err err;
	int r = recover_newest(folder, fd, first, len, synced, false, end, &learnt, &err);

	if (r == 0)
		check_learnt(fd, first, end, &learnt);
	learnt_fini(&learnt);
	return r;
}

static void check_recovered(int fd, struct position first, uint64_t len)
{
	struct segment_end end, again;
	struct err err;
	struct stat st;
	const struct position nothing = {0, 0};
	int r = recover(fd, first, len, nothing, &end);

	must(r == 0 || r == -EBADMSG);
	must(fstat(fd, &st) == 0);
	if (r < 0) {
		must((uint64_t)st.st_size == len); /* damage: nothing is changed */
	} else if (end.off == 0) {
		must(st.st_nlink == 0);
	} else {
		must((uint64_t)st.st_size == end.off);
		must(segment_verify(fd, first, end.off, nothing, &again, &err) == 0 && same_end(&end, &again));
		must(recover(fd, first, end.off, end.last, &again) == 0 && same_end(&end, &again));
		must(recover(fd, first, end.off, (struct position){end.last.epoch + 1, 0}, &again) == -EBADMSG);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[SEGMENT_NAME_MAX];
	struct segment_end end;

	if (size < 1)
		return 0;
	if (folder < 0)
		folder_open();
	size_t len = size - 1;
	char *text = malloc(len ? len : 1);
	must(text);
	memcpy(text, data + 1, len);
	if (data[0] & 1)
		right_checksums(text, len);
	struct position first = first_position(text, len);

	int fd = openat(folder, segment_name(name, first), O_RDWR | O_CREAT | O_TRUNC, 0600);
	must(fd >= 0 && write(fd, text, len) == (ssize_t)len);
	check_verified(fd, first, len, &end);
	check_recovered(fd, first, len);
	close(fd);
	unlinkat(folder, name, 0);
	free(text);
	return 0;
}
