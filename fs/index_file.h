/*
 * index_file.h - a sealed segment's index as a file: written at once, mapped, looked up in.
 *
 * It is derived: whoever finds it missing or wrong builds it again from the segment (index.h).
 *
 * Threads: none of its own; what is mapped never changes.
 */
#ifndef FS_INDEX_FILE_H
#define FS_INDEX_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chunks.h"
#include "err.h"
#include "line.h"

struct index_block {
	uint64_t off;          /* in the segment */
	struct position first; /* of the block's first line */
};

struct index_post {
	uint64_t before; /* the table's bytes in the segment before this block */
	uint64_t block;
};

/* A table's part of a segment, borrowed from the index. */
struct index_part {
	const struct index_post *posts; /* ascending */
	size_t post_count;
	uint64_t bytes;      /* shown */
	uint64_t last_epoch; /* of its last line that is shown */
};

struct index_file_table {
	struct span pairs; /* line.h: table_pairs */
	struct index_part part;
};

/* What is to be written; all of it borrowed. */
struct index_file_content {
	const struct index_block *blocks;
	size_t block_count;
	struct index_file_table *tables; /* in any order, another one afterwards */
	size_t table_count;
	const struct chunks *chunks; /* of all of the segment */
	uint64_t max_xid;
};

/* Writes `name` in `dirfd`: beside it, synced, then renamed. The folder is not synced. */
int index_file_write(const struct index_file_content *content, int dirfd, const char *name, struct err *err);

struct index_file;

/* Maps it. -ENOENT where there is none; -EBADMSG where it is not the index of
 * a segment of that length (0: of any), its checksum differs, or it cannot be one. What was
 * opened can be used without further checks. *file is NULL after an error. */
int index_file_open(struct index_file **file, int dirfd, const char *name, uint64_t segment_len, struct err *err);
void index_file_close(struct index_file *file);

/* As those of index.h; what they return is borrowed until index_file_close. */
const struct index_block *index_file_blocks(const struct index_file *file, size_t *count);
uint64_t index_file_max_xid(const struct index_file *file);
bool index_file_part(const struct index_file *file, struct span pairs, struct index_part *part);
int index_file_tables(const struct index_file *file, int (*each)(struct span pairs, void *ctx), void *ctx);

/* The sums of the segment's `*len` bytes: chunks_count of them. */
const uint32_t *index_file_sums(const struct index_file *file, uint64_t *len);

#endif
