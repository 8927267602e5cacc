/*
 * filter.h - one table's lines out of a run of a segment's bytes (bytes.h).
 *
 * A line is the table's when `pairs` (line.h: table_pairs) and a tab stand behind
 * its stamp. Lines may be of any length: only their heads have to fit the buffer.
 */
#ifndef FS_FILTER_H
#define FS_FILTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "line.h"
#include "segments.h"

/* Adjacent blocks of a segment that hold lines of the table. */
struct filter_run {
	struct segment *segment; /* held by the caller */
	uint64_t from, to;
	uint64_t before; /* the table's bytes in the segment before `from` */
};

/* Where the reading is. */
struct filter_cursor {
	uint64_t off;   /* in the segment: of a line, or within one of the table's */
	uint64_t taken; /* the table's bytes up to there */
	bool in_line;
	/* Of the last line that was read, whole or in part: who reads backwards within a long one finds its place. */
	uint64_t line_off, line_taken;
};

/* Where the bytes go, and how many of the table's come before the wanted ones. */
struct filter_sink {
	char *buf; /* NULL: they are only counted */
	size_t len, want;
	size_t least; /* enough, where more would take part of a chunk only, which is compared as a whole */
	uint64_t skip;
};

/* Reads from the cursor on until the sink has enough, or the run ends. 0 or -errno. */
int filter_read(struct span pairs, struct filter_cursor *cursor, const struct filter_run *run, struct filter_sink *sink,
                struct err *err);

#endif
