/*
 * dump.h - the tables of a copy (copy.h) -> files, by some threads at once.
 *
 * Each file is the table's `schema` line and an `insert` line a row; written, synced, and summed up.
 */
#ifndef FS_DUMP_H
#define FS_DUMP_H

#include "chunks.h"
#include "copy.h"
#include "manifest.h"
#include "progress.h"

struct dump;

/* Starts `jobs` threads that write the files to the folder `dirfd`; all is borrowed until dump_stop.
 * `results` has an entry for each of copy_tables, in their order, whose name is set; the threads fill
 * the rest; and `chunks`, of as many, the sums. `wake(ctx)` is called by a thread of ours when the last one has ended, or one has
 * failed: maybe before this returns, but *dump is set. */
int dump_start(struct dump **dump, struct copy *copy, int dirfd, unsigned jobs, struct manifest_table *results,
               struct chunks *chunks, struct progress *progress, void (*wake)(void *ctx), void *ctx, struct err *err);

/* 1: all threads have ended well; 0: some are at work; else the error of the first that failed; the others
 * end soon. -ESTALE as copy_rows; -ENOSPC also where the disk is about to be full. */
int dump_done(struct dump *dump, struct err *err);

/* Waits for the threads, which end at once where the copy's wakefd is readable, and frees. NULL is fine. */
void dump_stop(struct dump *dump);

#endif
