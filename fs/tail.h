/*
 * tail.h - the stream's durable lines, read from the segment files beside the daemon.
 *
 * Lines come in order, each checked: grammar, position, `_xid`, and at a commit the checksum over
 * all stored bytes since the commit before. Nothing behind the mark of STORE/confirmed is
 * taken: what stands there is not known to be on disk, and may still change.
 *
 * The store may grow, start new segments and give up old ones meanwhile: what is open goes on,
 * and a segment that was given up before it was opened is an error, never a gap. One file of
 * each segment to be read is open.
 *
 * Memory: that of scan.h. One thread; any process that may read the store.
 */
#ifndef FS_TAIL_H
#define FS_TAIL_H

#include <stdint.h>

#include "err.h"
#include "line.h"
#include "record.h"

struct tail;

/* One line; borrowed until the next call. */
struct tail_line {
	const char *at; /* without '\n' */
	size_t len;
	struct line_head head;
	uint64_t xid;         /* 0: a line that opens a segment, of no transaction */
	struct commit commit; /* has_crc: it is a commit line, and its checksum is right */
};

/* Starts at the first segment of `generation`, which has to be the one in force, that holds a
 * transaction of `xmin` or later (or at the newest). Nothing is held of store_dirfd afterwards.
 * -ESTALE: another generation, or retention was at the same segments; -ENOENT: nothing is known
 * to be on disk; -EBADMSG: damage. *tail is NULL after an error. */
int tail_open(struct tail **tail, int store_dirfd, uint64_t generation, uint64_t xmin, struct err *err);

/* Looks how far the store is durable by now. -ESTALE where retention gave up what was not opened. */
int tail_look(struct tail *tail, struct err *err);

/* The next line: 1; 0 where all is taken that was durable at the last look, which is behind a commit
 * line. -ESTALE where another generation begins; -EBADMSG names the damaged segment and the place. */
int tail_next(struct tail *tail, struct tail_line *line, struct err *err);

/* What the last segment that was begun says of its origin. Borrowed. */
const struct origin *tail_origin(const struct tail *tail);

void tail_close(struct tail *tail);

#endif
