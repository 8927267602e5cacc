/*
 * index.h - the block index of a segment: where a position stands in it, and
 * which of its blocks hold lines of a table.
 *
 * A block is a run of whole lines of at least 64 KiB (the last may be
 * shorter). Per block stands its offset and first position; per table and
 * block that holds lines of it, the table's bytes in the segment before it.
 * So any offset of a table's file is found by two binary searches and a scan of
 * one block. And the largest `_xid` of its lines, so that who looks for transactions from
 * one on can pass over the segment; and the sums of its bytes, by which each read is checked (chunks.h).
 *
 * The newest segment's index grows in memory (index_add, index_show); a sealed
 * segment's is a file beside it, checksummed and mapped (index_file.h). It is derived: whoever
 * finds it missing or wrong builds it again from the segment.
 *
 * Threads: none of its own; the store's lock guards a growing index, a mapped
 * one never changes.
 */
#ifndef FS_INDEX_H
#define FS_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "index_file.h"
#include "line.h"

enum { INDEX_BLOCK_LEN = 64 << 10 };

struct index;

struct index *index_new(void);
void index_free(struct index *index);

/* Takes one more line, which starts at `off` and has `len` bytes with its
 * '\n'. It does not count for readers before index_show. -ENOMEM. */
int index_add(struct index *index, uint64_t off, const char *line, size_t len, const struct line_head *head);

/* The same in two: the line, for which its stamp and the pseudo-columns behind it do (`head` NULL: it is a row of the table that
 * the line before was of, in the same transaction); and the bytes, of any number of lines at once. */
int index_line(struct index *index, uint64_t off, size_t len, struct position position, const struct line_head *head);
int index_bytes(struct index *index, const char *bytes, size_t len);

/* Where an index ends, for one of the lines behind that alone, which is joined to it later: so these can be added by
 * another thread, without a lock. */
struct index_end {
	uint64_t blocks, block_off; /* their count; where the last one starts */
	uint64_t len;               /* bytes that are in it */
	uint32_t sum;               /* of those that are no whole chunk yet */
};
struct index_end index_end(const struct index *index);
struct index *index_new_behind(struct index_end end);

/* Adds what is in `more`, which begins where `index` ends. -ENOMEM: `index` cannot be used any more. */
int index_join(struct index *index, const struct index *more);

/* The `schema` and `drop` lines that were added since this was asked before: an array of *count, which the
 * caller frees. NULL where there is none, as in a mapped index. */
struct index_defined {
	uint64_t off;
	size_t len; /* with '\n' */
};
struct index_defined *index_take_defined(struct index *index, size_t *count);

/* Lets readers see all that was added. */
void index_show(struct index *index);

/* All blocks, ascending by offset and by position. */
const struct index_block *index_blocks(const struct index *index, size_t *count);

/* The part of the table whose lines have `pairs` (line.h: table_pairs).
 * False where the segment has none. */
bool index_part(const struct index *index, struct span pairs, struct index_part *part);

/* The largest `_xid` of all lines that were added, shown or not; 0 where none has one. */
uint64_t index_max_xid(const struct index *index);

/* The sums of the segment's bytes, also of those that were added and not yet shown: as chunks.h wants them. */
long index_sums(const struct index *index, uint64_t chunk, uint32_t *sums, size_t most, uint64_t *len);

/* Calls `each` with every table's pairs; stops where it returns non-zero and
 * returns that. */
int index_tables(const struct index *index, int (*each)(struct span pairs, void *ctx), void *ctx);

/* Writes the index of a segment of `segment_len` bytes to `name` in `dirfd`:
 * beside it, synced, then renamed. The folder is not synced: an index that a crash takes
 * back is built again. */
int index_save(const struct index *index, int dirfd, const char *name, uint64_t segment_len, struct err *err);

/* Maps it. -ENOENT where there is none; -EBADMSG where it is not the index of
 * a segment of that length, its checksum differs, or it cannot be one. What was
 * loaded can be used without further checks. */
int index_load(struct index **index, int dirfd, const char *name, uint64_t segment_len, struct err *err);

#endif
