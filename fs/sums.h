/*
 * sums.h - STORE/snapshots/<epoch>.<seq>/sums: the sums (chunks.h) of the snapshot's files, by which each
 * read of them is checked. The manifest has the length and the checksum of this file; an older snapshot has none.
 *
 * It begins with a table of the files, which has a checksum; each file's sums have one, too. So opening
 * a file of a snapshot reads what is said of that file, however large the others are.
 */
#ifndef FS_SUMS_H
#define FS_SUMS_H

#include <stdbool.h>

#include "chunks.h"
#include "position.h"

struct sums_part {
	const char *name; /* "overlap", "tables/<path name>" */
	const struct chunks *chunks;
};

/* Writes and syncs the file in the snapshot's folder; *bytes and *crc are its own. */
int sums_write(int dirfd, struct position position, const struct sums_part *parts, size_t count, uint64_t *bytes,
               uint32_t *crc, struct err *err);

/* One file's, in memory. */
struct sums {
	uint64_t len; /* of the file */
	uint32_t *sums;
};

/* From the open file `fd`. -EBADMSG where it is not the snapshot's, or a checksum differs; -ENOENT where it says nothing
 * of the file. */
int sums_open(struct sums *sums, int fd, struct position position, const char *name, struct err *err);
void sums_close(struct sums *sums);

/* As chunks.h wants them; `ctx` is a struct sums. */
long sums_of(void *ctx, uint64_t chunk, uint32_t *sums, size_t most, uint64_t *len, struct err *err);

#endif
