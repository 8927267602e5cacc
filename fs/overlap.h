/*
 * overlap.h - the transactions of the stream that a snapshot does not have, written to a file
 * while the snapshot is being copied: `overlap` of docs/FORMAT.md.
 *
 * Whole transactions, as they are stored, of one generation, up to the one that marks the
 * snapshot's position, which is the last. Left out are those that the snapshot sees, and the lines
 * that open a segment (`origin`, definitions without `_xid`); so the `crc` of a commit line is one over
 * the bytes that stand here since the commit line before. Positions are those of the stream.
 *
 * An invisible transaction may stand in the stream before the snapshot was taken (a commit
 * that waits for a synchronous standby). So it begins at the first segment that holds a transaction
 * of `xmin` or later; all before are visible. What retention had given up before overlap_open
 * cannot be looked at: where a transaction was still invisible after that (it is one of those the
 * snapshot lists as running), nothing tells.
 *
 * What is durable and when, retention and damage: tail.h. One thread.
 */
#ifndef FS_OVERLAP_H
#define FS_OVERLAP_H

#include <stdint.h>

#include "chunks.h"
#include "err.h"
#include "lacking.h"
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
	uint32_t crc;                /* CRC-32C of all of them */
	const struct chunks *chunks; /* and of them in pieces; borrowed until overlap_close */
};

/* Finds where to begin in the store at `store_dirfd`, and opens all segments from there on.
 * `visible`, `lacking`, which knows the tables that it sees, and `out_fd`, which it writes to from
 * where the descriptor stands, are borrowed until overlap_close; store_dirfd for the call. Errors as tail_open; *overlap is NULL then. */
int overlap_open(struct overlap **overlap, int store_dirfd, uint64_t generation, const struct visible *visible,
                 struct lacking *lacking, int out_fd, struct err *err);

/* Takes all that has become durable since the last call. `marker_xid`: the transaction that marks
 * the position; 0: not known yet, so it must not have committed. 1: it was taken, all is written
 * (not synced) and *end is filled; 0: not yet. -ESTALE where a new generation has begun,
 * or retention was faster; -EAGAIN as lacking_line; -EBADMSG names the damaged segment and the place; -ENOSPC and -EDQUOT
 * name the file. After 1 and after an error only overlap_close is left. */
int overlap_step(struct overlap *overlap, uint64_t marker_xid, struct overlap_end *end, struct err *err);

void overlap_close(struct overlap *overlap);

#endif
