/*
 * load.h - all rows of the source, as at one commit, into a mirror: from a snapshot of the mount here,
 * from the server itself in direct.h. In both cases
 *
 *     apply_refill ─▶ each table's definition and rows ─▶ apply_refilled ─▶ the lines of the stream that
 *     the copy has not, up to the marker of its position ─▶ what follows in the stream
 *
 * and apply_commit is left to the caller: all of it is one SQLite transaction. After an error the
 * mirror has to be rolled back, or thrown away.
 *
 * Errors: those of snapshot.h and follow.h. -ENOTCONN: the mount is away;
 * -ESTALE and -EBADMSG: to be begun anew, the latter not for ever; -EINTR: a signal came.
 */
#ifndef MIRROR_LOAD_H
#define MIRROR_LOAD_H

#include "apply.h"
#include "err.h"
#include "follow.h"
#include "lacking.h"
#include "progress.h"
#include "snapshot.h"
#include "visible.h"

struct load {
	struct apply *apply;
	struct progress *progress;
	uint64_t rows, bytes; /* not told yet */

	/* What the rest of the stream is read up to, and without what. */
	const struct visible *visible; /* NULL: nothing is passed over */
	struct lacking *lacking;       /* where there is `visible` */
	uint64_t generation;           /* only its lines count; 0: all of them */
	bool passing;                  /* those of another one */
	uint64_t marker_xid, marker_lsn;
	struct position marker; /* of the marker's commit line, where it is known */
	bool marked;            /* it came */
};

/* A line of a copy: a definition, or a row. `ctx` is the struct load. */
int load_line(void *ctx, const struct follow_line *line, struct err *err);
int load_text(struct load *load, const char *text, size_t len, struct err *err);

/* Tells the progress what was loaded since. */
void load_tell(struct load *load);

/* Applies what the copy lacks, up to the marker; `grows`: which may still have to come. */
int load_rest(struct load *load, struct follow *follow, bool grows, struct err *err);

/* `tables`: a normalized list, or NULL for all. */
int load_snapshot(struct apply *apply, const struct snapshot *snapshot, const char *tables, struct err *err);

#endif
