/*
 * session.h - the state of one session, and the lines that frame a transaction.
 *
 * A transaction's lines stand between a `begin` and a `commit` line; one
 * without any other line leaves nothing at all, since `begin` waits for the
 * first.
 */
#ifndef DELTAFLOOD_SESSION_H
#define DELTAFLOOD_SESSION_H

#include "replication/reorderbuffer.h"
#include "utils/datetime.h"

#include "options.h"
#include "output.h"
#include "relation.h"
#include "text.h"

struct session {
	struct options options;
	struct text text;
	struct output output;
	struct relation_cache relations;
	MemoryContext scratch; /* reset after each change */
	bool streams;          /* to a client, by START_REPLICATION */
	bool started;          /* `text` is set */

	/* The transaction at hand. */
	bool begun;   /* its `begin` was printed */
	char xid[40]; /* "_xid\tN\t", or nothing */
	int xid_len;
	char time[MAXDATELEN + 1];
	int time_len;

	int64 noted; /* the second of the last commit that the server was to take note of */
};

/* Before each line of a transaction. */
void session_ensure_begun(struct session *session, ReorderBufferTXN *txn);

/* The `commit` line, where there were others. */
void session_print_commit(struct session *session, ReorderBufferTXN *txn);

/* Whether it commits in another second than the one before, for which this said so. */
bool session_in_new_second(struct session *session, ReorderBufferTXN *txn);

/* A table's line up to its `_action`; ends with output_end. */
StringInfo session_begin_line(struct session *session, const struct relation *relation);

#endif
