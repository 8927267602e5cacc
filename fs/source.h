/*
 * source.h - what feeds a store: a stream of transactions from somewhere.
 *
 * Today a replication slot (slot.h); another store's mount or a distributed log
 * can stand here as well, so nothing of libpq shows.
 *
 * Positions in the source are LSNs: 64 bits that only grow. A source sends each
 * transaction that ends behind the LSN it was started at, whole, in commit
 * order, as plugin lines: `begin`, changes, `commit`.
 *
 * One thread has all of it. No function waits but `start`, which ends within its
 * connection timeout or when `wakefd` becomes readable.
 */
#ifndef FS_SOURCE_H
#define FS_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "record.h"

struct source;

enum source_kind {
	SOURCE_NOTHING, /* all that has come is taken */
	SOURCE_LINES,   /* data[0..len): whole lines, '\n' between them, none at the end */
	SOURCE_IDLE,    /* no transaction that is not sent yet ends before `lsn` */
};

struct source_event {
	enum source_kind kind;
	const char *data; /* borrowed until the next call */
	size_t len;
	uint64_t lsn;
	bool reply; /* the source wants to hear from us soon */
};

struct source_ops {
	/* Connects and starts at `resume_lsn`, or, unless `skips`, before it (`from_lsn`): then what ends up to there
	 * comes again. `origin` is what the store holds; its timeline is brought up to the source's. Checked before any line is
	 * taken: it is the same system and database, its history holds `resume_lsn`,
	 * nobody confirmed more than that, and it is not behind it.
	 * -EAGAIN: cannot be had now, try again; -EINTR: `wakefd` became readable; any
	 * other error is final, and `err` says the remedy. */
	int (*start)(struct source *, struct origin *origin, uint64_t resume_lsn, int wakefd, struct err *);

	/* Takes what came next. -EAGAIN: the connection is gone. Others are final. */
	int (*receive)(struct source *, struct source_event *, struct err *);

	/* Tells that all up to `lsn` is durable here, so that the source may forget
	 * it. Cheap; sends again when `lsn` has not changed, as a sign of life. */
	int (*confirm)(struct source *, uint64_t lsn, struct err *);

	/* What becomes readable when there is more to receive; -1 when stopped. */
	int (*fd)(const struct source *);

	/* The newest LSN of the source that is known, for the lag. */
	uint64_t (*end_lsn)(const struct source *);

	/* Ends the connection; start may follow. */
	void (*stop)(struct source *);
	void (*free)(struct source *);

	/* The tables that there are now, sent or not: their OIDs joined by blanks, to be freed. By a connection of
	 * its own, while it streams or not. Errors as `start`'s. */
	int (*existing)(struct source *, char **relids, int wakefd, struct err *);
};

struct source {
	const struct source_ops *ops;
	bool skips;         /* what ends up to `resume_lsn` is not to come again; for the next start */
	uint64_t from_lsn;  /* where start began; 0: where it was asked to */
	const char *tables; /* that are sent: path names joined by commas; NULL or "": all */
	uint32_t choice;    /* a sum of it */
};

#endif
