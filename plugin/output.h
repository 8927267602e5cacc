/*
 * output.h - lines gathered into messages.
 *
 * The walsender flushes its socket for each message, so many lines in one
 * message go twice as fast. A message never ends with '\n': lines in it are
 * separated by one, and the end of the message stands for the last line's
 * (pg_recvlogical adds it).
 *
 * A transaction's last message holds its `commit` line and is written when
 * that is: no message holds lines of two transactions.
 */
#ifndef DELTAFLOOD_OUTPUT_H
#define DELTAFLOOD_OUTPUT_H

#include "lib/stringinfo.h"
#include "replication/logical.h"

struct output {
	LogicalDecodingContext *ctx;
	MemoryContext context;
	int batch_bytes;
	StringInfoData lines; /* not written yet */
	int quiet;            /* changes since the server heard of us */
};

/* `context` holds the buffer. */
void output_init(struct output *output, LogicalDecodingContext *ctx, MemoryContext context, int batch_bytes);

/* Begins a line and returns what to append it to; then output_end. The line
 * has no '\n', and nothing else begins one until it ends. */
StringInfo output_begin(struct output *output);

/* Ends it; writes the message where it is full. */
void output_end(struct output *output);

/* Writes what there is. */
void output_flush(struct output *output);

/* Counts a change, printed or not. Now and then it lets the server answer
 * keepalives, which else waits for a write and is cut off by wal_sender_timeout. */
void output_tick(struct output *output);

/* The transaction is over; `skipped`: it had no lines. */
void output_progress(struct output *output, bool skipped);

#endif
