/*
 * overlap.h - the transactions of the stream that a snapshot does not have, written to a file
 * while the snapshot is being copied: `overlap` of docs/FORMAT.md.
 *
 * Whole transactions, as they are stored, of one generation, up to the one that marks the
 * snapshot's position; that one is the last. What the snapshot sees is left out, as are the
 * lines that open a segment (`origin`, definitions without `_xid`); so the `crc` of a commit
 * line is one over the bytes that stand in the output since the commit line before. Positions
 * are those of the stream.
 *
 * An invisible transaction may stand in the stream before the snapshot was taken (a commit that
 * waits for a synchronous standby). So it begins at the first segment that holds a transaction
 * of `xmin` or later; all before are visible.
 *
 * Only what STORE/confirmed tells to be durable is taken. The store may grow, start new segments
 * and give up old ones meanwhile; a segment once opened, or not yet looked at but needed and
 * given up, is no silent gap: the latter is -ESTALE. What cannot be told: whether something
 * invisible stood in segments that were given up before overlap_open. It would be a
 * transaction that was still not visible when retention had given up its lines.
 *
 * Memory: a buffer, and the longest line. One thread; any process that may read the store.
 */
#ifndef FS_OVERLAP_H
#define FS_OVERLAP_H

#include <stdint.h>

#include "err.h"
#include "position.h"
#include "record.h"
#include "visible.h"

struct overlap;

/* Behind the marker, and what was written. */
struct overlap_end {
	struct position position; /* directly behind its commit line: the same second, seq + 1 */
	uint64_t lsn;             /* of that commit line */
	struct origin origin;     /* in force there */
	uint64_t bytes;
	uint32_t crc; /* CRC-32C of all of them */
};

/* Finds where to begin in the store at `store_dirfd`, whose generation in force has to be
 * `generation`, and opens all segments from there on. `visible` and `out_fd`, where it writes from
 * the descriptor's offset on, are borrowed until overlap_close; store_dirfd only for the call. -ESTALE: another
 * generation, or retention was at the same segments; -EBADMSG: damage. *overlap is NULL after an error. */
int overlap_open(struct overlap **overlap, int store_dirfd, uint64_t generation, const struct visible *visible,
                 int out_fd, struct err *err);

/* Takes what has become durable since the last call. `marker_xid`: the transaction that marks the
 * position, 0: not known yet; then nothing of it may be in the store yet. 1: it has been taken,
 * all is written (not synced), and *end is filled; 0: not yet. -ESTALE where a new generation has begun or retention
 * gave up what was not opened yet; -EBADMSG names the damaged segment and the place; -ENOSPC and -EDQUOT name the file.
 * After an error only overlap_close is left. */
int overlap_step(struct overlap *overlap, uint64_t marker_xid, struct overlap_end *end, struct err *err);

/* Written so far: what it costs on the disk. */
uint64_t overlap_bytes(const struct overlap *overlap);

void overlap_close(struct overlap *overlap);

#endif
