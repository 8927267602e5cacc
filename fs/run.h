/*
 * run.h - where a table's lines are within one segment: the runs of adjacent blocks that hold some,
 * from the segment's index.
 *
 * The segment is held by the caller, and the run good as long. Any thread.
 */
#ifndef FS_RUN_H
#define FS_RUN_H

#include "filter.h"
#include "segments.h"

/* The run that holds the table's byte `local` of the segment: 1; 0 where that is not shown. */
int run_at(struct segments *segments, struct segment *segment, struct span pairs, uint64_t local,
           struct filter_run *run, struct err *err);

/* The last run that begins at or before `off` of the segment; or the first; or an empty one where the
 * segment has no line of the table. */
int run_before(struct segments *segments, struct segment *segment, struct span pairs, uint64_t off,
               struct filter_run *run, struct err *err);

#endif
