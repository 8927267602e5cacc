#include "chunks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crc32c.h"

enum { BATCH = 64 };

uint64_t chunks_count(uint64_t len)
{
	return len / CHUNK_LEN + (len % CHUNK_LEN != 0);
}

static int grow(struct chunks *chunks, uint64_t count)
{
	size_t cap = chunks->cap ? chunks->cap : 16;

	if (count <= chunks->cap)
		return 0;
	while (cap < count)
		cap *= 2;
	uint32_t *more = realloc(chunks->sums, cap * sizeof *more);
	if (!more)
		return -ENOMEM;
	chunks->sums = more;
	chunks->cap = cap;
	return 0;
}

int chunks_add(struct chunks *chunks, const void *bytes, size_t len)
{
	const char *at = bytes;

	if (grow(chunks, chunks_count(chunks->len + len) - chunks->first) < 0)
		return -ENOMEM;
	while (len > 0) {
		size_t had = (size_t)(chunks->len % CHUNK_LEN), n = CHUNK_LEN - had < len ? CHUNK_LEN - had : len;
		uint32_t *sum = &chunks->sums[chunks->len / CHUNK_LEN - chunks->first];
		*sum = crc32c(had ? *sum : 0, at, n);
		chunks->len += n;
		at += n;
		len -= n;
	}
	return 0;
}

uint32_t chunks_open_sum(const struct chunks *chunks)
{
	return chunks->len % CHUNK_LEN ? chunks->sums[chunks->len / CHUNK_LEN - chunks->first] : 0;
}

int chunks_behind(struct chunks *chunks, uint64_t len, uint32_t sum)
{
	*chunks = (struct chunks){.len = len, .first = len / CHUNK_LEN};
	if (grow(chunks, 1) < 0)
		return -ENOMEM;
	chunks->sums[0] = sum;
	return 0;
}

int chunks_join(struct chunks *chunks, const struct chunks *more)
{
	uint64_t count = chunks_count(more->len) - more->first;

	if (grow(chunks, more->first + count - chunks->first) < 0)
		return -ENOMEM;
	if (count)
		memcpy(chunks->sums + (more->first - chunks->first), more->sums, count * sizeof *more->sums);
	chunks->len = more->len;
	return 0;
}

void chunks_fini(struct chunks *chunks)
{
	free(chunks->sums);
	*chunks = (struct chunks){0};
}

/* ---- reading ------------------------------------------------------------ */

/* A chunk of `len` bytes at `off`. */
static int read_chunk(int fd, uint64_t off, char *buf, size_t len, uint32_t sum, struct err *err)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(fd, buf + got, len - got, (off_t)(off + got));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, "reading at %llu", (unsigned long long)(off + got));
		if (n == 0)
			return err_set(err, -EBADMSG, "at %llu: it is shorter than it was",
			               (unsigned long long)(off + got));
		got += (size_t)n;
	}
	if (crc32c(0, buf, len) != sum)
		return err_set(err, -EBADMSG, "at %llu: the next %zu bytes are not those that were written",
		               (unsigned long long)off, len);
	return 0;
}

/* Of the chunk that starts at `start`, what was asked for of it. */
static long read_part(const struct chunks_file *file, uint64_t start, size_t chunk_len, uint32_t sum, uint64_t off,
                      char *buf, size_t len, struct err *err)
{
	char whole[CHUNK_LEN];
	size_t skip = (size_t)(off - start);
	int r;

	if (skip >= chunk_len)
		return 0;
	if (skip == 0 && len >= chunk_len)
		return (r = read_chunk(file->fd, start, buf, chunk_len, sum, err)) < 0 ? r : (long)chunk_len;
	if ((r = read_chunk(file->fd, start, whole, chunk_len, sum, err)) < 0)
		return r;
	size_t n = chunk_len - skip < len ? chunk_len - skip : len;
	memcpy(buf, whole + skip, n);
	return (long)n;
}

long chunks_read(const struct chunks_file *file, uint64_t off, char *buf, size_t len, struct err *err)
{
	uint32_t sums[BATCH];
	size_t got = 0;

	while (got < len) {
		uint64_t first = (off + got) / CHUNK_LEN, end = 0;
		long count = file->known(file->ctx, first, sums, BATCH, &end, err), n = 1;
		if (count < 0)
			return count;
		size_t before = got;
		for (long i = 0; i < count && got < len && n > 0; i++) {
			uint64_t start = (first + (uint64_t)i) * CHUNK_LEN;
			size_t chunk_len = end - start < CHUNK_LEN ? (size_t)(end - start) : CHUNK_LEN;
			n = read_part(file, start, chunk_len, sums[i], off + got, buf + got, len - got, err);
			if (n < 0)
				return n;
			got += (size_t)n;
		}
		if (got == before)
			break;
	}
	return (long)got;
}
