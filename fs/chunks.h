/*
 * chunks.h - checksums of a file's bytes, one for each 64 KiB: taken while it is written, compared
 * whenever some of it is read. So a reader gets what was written, or an error; and a line of a
 * gigabyte costs a small read no more than a short one.
 *
 * Threads: none of its own.
 */
#ifndef FS_CHUNKS_H
#define FS_CHUNKS_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

enum { CHUNK_LEN = 64 << 10 };

/* How many a file of that many bytes has; the last may be shorter. */
uint64_t chunks_count(uint64_t len);

/* Of a file that grows. */
struct chunks {
	uint32_t *sums; /* CRC-32C */
	size_t cap;
	uint64_t len;   /* bytes that are in the sums, with those of the chunks before */
	uint64_t first; /* the number of the first one here */
};

/* The bytes that follow. -ENOMEM. */
int chunks_add(struct chunks *chunks, const void *bytes, size_t len);
void chunks_fini(struct chunks *chunks);

/* The sums of a file's bytes from `len` on, to be joined to those before, whose last, unended chunk has the sum
 * chunks_open_sum. -ENOMEM. */
int chunks_behind(struct chunks *chunks, uint64_t len, uint32_t sum);
uint32_t chunks_open_sum(const struct chunks *chunks);
int chunks_join(struct chunks *chunks, const struct chunks *more);

/* A file with its sums. */
struct chunks_file {
	int fd;
	/* What is known of it: copies the sums from `chunk` on, `most` at most, as far as there are, and sets *len to the bytes that
	 * all sums cover, both as one moment has them. Returns their count, or -errno. */
	long (*known)(void *ctx, uint64_t chunk, uint32_t *sums, size_t most, uint64_t *len, struct err *err);
	void *ctx;
};

/* Copies bytes from `off` on, each of which was compared; fewer only at the end of what the sums cover. Returns
 * the count; -EBADMSG where a sum differs or the file is too short, with offset; else -errno. */
long chunks_read(const struct chunks_file *file, uint64_t off, char *buf, size_t len, struct err *err);

#endif
