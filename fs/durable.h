/*
 * durable.h - commits that were appended -> synced -> shown, by a thread of its own.
 *
 * One sync serves all commits that are at hand when it starts. What it has done
 * is told as an LSN, which is all that may be confirmed to the source.
 */
#ifndef FS_DURABLE_H
#define FS_DURABLE_H

#include <pthread.h>

#include "store.h"

struct durable {
	struct store *store;
	pthread_mutex_t lock; /* all but marked_ms; the appending thread reads `choosing`, which is its own, without */
	pthread_cond_t wake;
	struct store_end appended; /* the last commit that the kernel has */
	int fd;                    /* of its segment; borrowed */
	struct index *more;        /* what the index has to learn of it; owned */
	struct store_end synced;
	uint64_t written, started; /* of `fd`, of what no commit covers yet; what the disk was told to write of it */
	bool starting;             /* it is being told */
	uint64_t idle_wanted, lsn;
	uint32_t choice, choosing; /* confirmed.h's; that of a commit which is appended, */
	struct position chosen;    /* this one */
	uint32_t marked;           /* what STORE/confirmed says, synced */
	int refused;               /* by a full disk, when it was to be written last: a negative errno; 0: it was not */
	bool unsettle;             /* `choosing` is to be marked, though no commit follows */
	bool stop;
	int64_t marked_ms; /* when STORE/confirmed was written; the syncing thread's */
};

/* `end` is synced and shown; `fd` as durable_appended. The store is borrowed. */
void durable_init(struct durable *durable, struct store *store, const struct store_end *end);

/* Writes down what is synced (confirmed.h), so that from now on its loss is damage. A
 * full disk does no harm: the old mark still holds. */
int durable_mark(struct durable *durable, struct err *err);

/* Marks what has been synced since the last mark, and ends. */
void durable_fini(struct durable *durable);

/* The appending thread: the kernel has all up to `end`, which is in the file `fd`; that
 * stays open until durable_reached tells that it is synced. `more`, which it takes over, is the index of the lines
 * since the last time. */
int durable_appended(struct durable *durable, const struct store_end *end, int fd, struct index *more, struct err *err);
bool durable_reached(struct durable *durable, struct position last);

/* The appending thread: the kernel has `off` bytes of the file, of a transaction that goes on. The disk begins with those
 * of a large one before its commit comes, which then has little to wait for. Nothing is promised of them. */
void durable_written(struct durable *durable, uint64_t off, int fd);

/* The appending thread: whether commits are on their way to the disk. */
bool durable_busy(struct durable *durable);

/* The appending thread: the source needs nothing before `lsn` any more, and all it sent
 * up to there was told by durable_appended. */
void durable_idle(struct durable *durable, uint64_t lsn);

/* The appending thread: what choice of the source the commits are from, from this one on; what it was up to the last
 * that is synced. */
void durable_choose(struct durable *durable, struct position commit, uint32_t choice);
uint32_t durable_choice(struct durable *durable);

/* The appending thread, before the first commit of another choice: whether it is marked that none holds any more, so that
 * whatever a crash leaves of that commit, no list passes for the one that it is from. 1: it is; 0: the syncing thread is
 * about to; ask again; -ENOSPC, -EDQUOT: the disk was full, asked once more it tries again. */
int durable_unsettled(struct durable *durable, uint32_t choice, struct err *err);

/* Any thread: up to where everything is on disk and shown. */
uint64_t durable_lsn(struct durable *durable);

/* The syncing thread: waits for something to do, at most `timeout_ms` or until durable_stop,
 * and does it; what is synced is told at once (confirmed_tell), and written down for good a second later, also where
 * nothing follows. 1:
 * done; 0: there was nothing. After an error the process has to end: what
 * the disk holds is not known. */
int durable_sync(struct durable *durable, int timeout_ms, struct err *err);
void durable_stop(struct durable *durable);

#endif
