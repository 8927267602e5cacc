/*
 * ingest.h - source -> store: receive, stamp, append, sync, show, confirm.
 *
 * Two threads: one receives and appends, and answers the source; the other
 * syncs and shows, so that a slow disk never keeps the source waiting for an
 * answer. What is confirmed to the source is on disk and shown.
 *
 *     connecting ─▶ streaming ─▶ connecting ...     the source went away: pauses of 0.2 s to 10 s
 *         │             ├──▶ waiting ─▶ connecting   the disk is full: disconnected until there is space
 *         └─▶ stopped ◀─┘                            what cannot mend itself
 */
#ifndef FS_INGEST_H
#define FS_INGEST_H

#include "source.h"
#include "writer.h"

struct ingest;

struct ingest_status {
	const char *state;    /* "connecting", "streaming", "waiting", "stopped" */
	uint64_t durable_lsn; /* on disk and shown */
	uint64_t source_lsn;  /* the newest of the source that is known */
	uint64_t
	    lag_seconds; /* since all that was known of the source was on disk, whoever was at work then; 0: it is */
	uint64_t transactions, lines; /* taken since the daemon started */
	char last_error[1024];        /* "" for none so far */
	uint64_t last_error_time;     /* Unix time; 0: none */
	char unplaced[1024];          /* unplaced.h; "" for none */
};

/* Starts both threads. The store, writer and source are borrowed until
 * ingest_stop; `ended(ctx)` is called by a thread of ours after a final error. */
int ingest_start(struct ingest **ingest, struct store *store, struct writer *writer, struct source *source,
                 void (*ended)(void *ctx), void *ctx, struct err *err);

void ingest_status(struct ingest *ingest, struct ingest_status *status);

/* Ends both threads, syncs what was appended, and frees. 0, or the final error. */
int ingest_stop(struct ingest *ingest, struct err *err);

#endif
