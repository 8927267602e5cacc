#include "bytes.h"

#include <errno.h>
#include <string.h>

#include "chunks.h"

struct reading {
	struct segment *segment;
	int failed; /* there are no sums; all is said about that */
};

static long sums_of(void *ctx, uint64_t chunk, uint32_t *sums, size_t most, uint64_t *len, struct err *err)
{
	struct reading *reading = ctx;
	struct segment *segment = reading->segment;
	const struct index *index;

	if ((reading->failed = segments_lock_index(segment->of, segment, &index, err)) < 0)
		return reading->failed;
	long n = index_sums(index, chunk, sums, most, len);
	segments_unlock(segment->of);
	return n;
}

long bytes_read(struct segment *segment, uint64_t off, char *buf, size_t len, struct err *err)
{
	struct reading reading = {segment, 0};
	const struct chunks_file file = {segment->fd, sums_of, &reading};
	char name[SEGMENT_NAME_MAX + 16] = "segments/";
	struct err why;
	long n = chunks_read(&file, off, buf, len, &why);

	if (n >= 0)
		return n;
	if (reading.failed)
		return err_set(err, reading.failed, "%s", why.text);
	segment_name(name + strlen(name), segment->first);
	/* What the disk does not give, and what it gives wrong, are the same to who has to mend it. */
	if (n == -EIO || n == -EBADMSG) {
		damage_note(segment->of->damage, name, &why);
		n = -EBADMSG;
	}
	return err_set(err, (int)n, "%s: %s", name, why.text);
}

int bytes_compare(struct segment *segment, int fd, uint64_t len, struct err *err)
{
	struct reading reading = {segment, 0};
	const struct chunks_file file = {fd, sums_of, &reading};
	char buf[CHUNK_LEN];
	long n = 1;

	for (uint64_t off = 0; n > 0 && off < len; off += (uint64_t)n)
		n = chunks_read(&file, off, buf, len - off < sizeof buf ? (size_t)(len - off) : sizeof buf, err);
	return n < 0 ? (int)n : 0;
}

static long read_scanned(void *ctx, uint64_t off, char *buf, size_t len, struct err *err)
{
	return bytes_read(ctx, off, buf, len, err);
}

int bytes_scan(struct scan *scan, struct segment *segment, uint64_t off, uint64_t end, struct err *err)
{
	return scan_init_read(scan, read_scanned, segment, off, end, err);
}
