#include "sums.h"

#include <errno.h>
#include <fcntl.h>
#include <isa-l/crc64.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32c.h"
#include "regular.h"

/* The file: this header, the entries by ascending `name`, the sums. */
struct header {
	uint64_t magic;
	uint32_t crc; /* of all that follows this field, up to the sums */
	uint32_t unused;
	uint64_t epoch, seq; /* the snapshot's position */
	uint64_t count, sum_count;
};
static const uint64_t sums_magic = 0x3130736d75530a44; /* "D\nSums01" */

struct entry {
	uint64_t name; /* CRC-64 */
	uint64_t len, first;
	uint32_t crc; /* of its sums */
	uint32_t unused;
};

static uint64_t name_sum(const char *name)
{
	return crc64_ecma_refl(0, (const unsigned char *)name, strlen(name));
}

static uint32_t head_crc(const void *head, size_t count)
{
	size_t covered = offsetof(struct header, unused);

	return crc32c(0, (const char *)head + covered, sizeof(struct header) + count * sizeof(struct entry) - covered);
}

/* ---- writing ------------------------------------------------------------ */

static int by_name(const void *a, const void *b)
{
	uint64_t x = ((const struct entry *)a)->name, y = ((const struct entry *)b)->name;

	return x < y ? -1 : x > y;
}

static void fill(char *out, struct position position, const struct sums_part *parts, size_t count)
{
	struct header header = {.magic = sums_magic, .epoch = position.epoch, .seq = position.seq, .count = count};
	struct entry *entries = (struct entry *)(void *)(out + sizeof header);
	uint32_t *sums = (uint32_t *)(void *)(entries + count);

	for (size_t i = 0; i < count; i++) {
		const struct chunks *chunks = parts[i].chunks;
		size_t bytes = chunks_count(chunks->len) * sizeof *sums;
		entries[i] = (struct entry){.name = name_sum(parts[i].name),
		                            .len = chunks->len,
		                            .first = header.sum_count,
		                            .crc = crc32c(0, chunks->sums, bytes)};
		if (bytes)
			memcpy(sums + header.sum_count, chunks->sums, bytes);
		header.sum_count += chunks_count(chunks->len);
	}
	qsort(entries, count, sizeof *entries, by_name);
	memcpy(out, &header, sizeof header);
	header.crc = head_crc(out, count);
	memcpy(out, &header, sizeof header);
}

int sums_write(int dirfd, struct position position, const struct sums_part *parts, size_t count, uint64_t *bytes,
               uint32_t *crc, struct err *err)
{
	size_t len = sizeof(struct header) + count * sizeof(struct entry);
	int r = 0;

	for (size_t i = 0; i < count; i++)
		len += chunks_count(parts[i].chunks->len) * sizeof(uint32_t);
	char *out = calloc(1, len);
	if (!out)
		return err_set(err, -ENOMEM, "out of memory for the snapshot's sums");
	fill(out, position, parts, count);
	*bytes = len;
	*crc = crc32c(0, out, len);
	int fd = openat(dirfd, "sums", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || regular_write(fd, out, len) < 0 || fsync(fd) < 0)
		r = err_errno(err, "writing the snapshot's file sums");
	if (fd >= 0)
		close(fd);
	free(out);
	return r;
}

/* ---- reading ------------------------------------------------------------ */

static int read_at(int fd, uint64_t off, void *buf, size_t len, struct err *err)
{
	ssize_t n;

	do
		n = pread(fd, buf, len, (off_t)off);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno(err, "reading it");
	return (size_t)n == len ? 0 : err_set(err, -EBADMSG, "it is too short");
}

/* The header with all entries, to be freed. */
static int read_head(int fd, struct position position, struct header **head, struct err *err)
{
	struct header header;
	struct stat st;
	int r = fstat(fd, &st) < 0 ? err_errno(err, "looking at it") : read_at(fd, 0, &header, sizeof header, err);

	*head = NULL;
	if (r < 0)
		return r;
	if (header.magic != sums_magic || header.epoch != position.epoch || header.seq != position.seq)
		return err_set(err, -EBADMSG, "it is not this snapshot's, or of a newer version");
	uint64_t room = ((uint64_t)st.st_size - sizeof header) / sizeof(uint32_t);
	const size_t each = sizeof(struct entry) / sizeof(uint32_t);
	if (header.count > room / each || header.sum_count != room - header.count * each)
		return err_set(err, -EBADMSG, "its length differs");
	size_t len = sizeof header + header.count * sizeof(struct entry);
	if (!(*head = malloc(len)))
		return err_set(err, -ENOMEM, "out of memory for the snapshot's sums");
	if ((r = read_at(fd, 0, *head, len, err)) == 0 && head_crc(*head, header.count) != header.crc)
		r = err_set(err, -EBADMSG, "its checksum differs");
	return r;
}

static int read_sums(int fd, const struct header *head, const struct entry *entry, struct sums *sums, struct err *err)
{
	uint64_t count = chunks_count(entry->len);
	uint64_t off = sizeof *head + head->count * sizeof *entry + entry->first * sizeof *sums->sums;

	if (entry->first > head->sum_count || count > head->sum_count - entry->first)
		return err_set(err, -EBADMSG, "its checksum differs");
	if (!(sums->sums = malloc((count + 1) * sizeof *sums->sums)))
		return err_set(err, -ENOMEM, "out of memory for the snapshot's sums");
	sums->len = entry->len;
	int r = read_at(fd, off, sums->sums, count * sizeof *sums->sums, err);
	if (r == 0 && crc32c(0, sums->sums, count * sizeof *sums->sums) != entry->crc)
		r = err_set(err, -EBADMSG, "its checksum differs");
	return r;
}

int sums_open(struct sums *sums, int fd, struct position position, const char *name, struct err *err)
{
	const struct entry wanted = {.name = name_sum(name)}, *entry = NULL;
	struct header *head;
	int r = read_head(fd, position, &head, err);

	*sums = (struct sums){0};
	if (r == 0 && !(entry = bsearch(&wanted, head + 1, head->count, sizeof wanted, by_name)))
		r = err_set(err, -ENOENT, "it says nothing of %s", name);
	if (r == 0)
		r = read_sums(fd, head, entry, sums, err);
	free(head);
	if (r < 0)
		sums_close(sums);
	return r;
}

void sums_close(struct sums *sums)
{
	free(sums->sums);
	*sums = (struct sums){0};
}

long sums_of(void *ctx, uint64_t chunk, uint32_t *out, size_t most, uint64_t *len, struct err *err)
{
	const struct sums *sums = ctx;
	uint64_t count = chunks_count(sums->len);
	size_t n = chunk >= count ? 0 : count - chunk < most ? (size_t)(count - chunk) : most;

	(void)err;
	if (n)
		memcpy(out, sums->sums + chunk, n * sizeof *out);
	*len = sums->len;
	return (long)n;
}
