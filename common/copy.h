/*
 * copy.h - tables of a running PostgreSQL as lines of the stream, all as one snapshot sees them.
 *
 *     copy_open ─▶ copy_worker_open ─▶ copy_rows ... ─▶ copy_mark ─▶ copy_close
 *       │              (one for each thread)              │
 *       │ REPEATABLE READ, exported                       │ a transaction of its own, whose commit stands
 *       ▼                                                 ▼ in the stream behind all that the copy has seen
 *     what the copy has: visible.h                      ... so the stream up to there, without what is visible,
 *                                                       and all behind it, is what the copy lacks
 *
 * Nothing of the slot is used. No lock but ACCESS SHARE is taken, on one table at a time and for a part of it
 * (a range of blocks), so a table's definition can be changed meanwhile; a change that an older
 * snapshot would not see rightly (TRUNCATE, a rewrite, other columns, another label, other attributes of a
 * composite type) is noticed: -ESTALE, and the copy has to be taken anew. Who has locked a table is waited for, which is said.
 */
#ifndef COMMON_COPY_H
#define COMMON_COPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "lacking.h"
#include "published.h"
#include "record.h"
#include "visible.h"

struct copy;
struct copy_worker;

/* Connects and takes the snapshot. `tables`: path names joined by commas; NULL or "" for all that the plugin
 * sends where it is given no list. `warn` gets a sentence, from any thread, where a lock on a table is long in coming. `wakefd`
 * (or -1) breaks off all waits with -EINTR. Errors as pg.h;
 * -ENOENT names a table that does not exist (where `must_exist`; else it is passed over), -EACCES one that
 * may not be read. */
int copy_open(struct copy **copy, const char *conninfo, const char *tables, bool must_exist,
              void (*warn)(const char *sentence), int wakefd, struct err *err);
void copy_close(struct copy *copy);

const struct visible *copy_visible(const struct copy *copy);

/* It knows all tables that the snapshot sees; for whoever reads the stream. Borrowed until copy_close. */
struct lacking *copy_lacking(struct copy *copy);

/* system, timeline and database are set. */
const struct origin *copy_origin(const struct copy *copy);

/* By name; borrowed until copy_close. */
const struct published_table *copy_tables(const struct copy *copy, size_t *count);

/* As published_existing, in the snapshot; before copy_mark. */
int copy_existing(struct copy *copy, char **relids, struct err *err);

/* No transaction that is in the stream and not visible committed before this second (Unix time), as long as the
 * server's clock does not jump back; 0: that is not known, since the role may not see it (pg_read_all_stats), the
 * server does not keep it (track_activities), or replication brings commits with times of their own. */
uint64_t copy_since(const struct copy *copy);

/* A connection that reads in the snapshot; one thread each. Close it before the copy. */
int copy_worker_open(struct copy_worker **worker, struct copy *copy, struct err *err);
void copy_worker_close(struct copy_worker *worker);

/* Gives table `i`'s rows as `insert` lines (without stamp and _xid), one or more whole lines with
 * their '\n' at a time, to `sink`, whose error ends it. -ESTALE: see above. */
int copy_rows(struct copy_worker *worker, size_t i,
              int (*sink)(void *ctx, const char *lines, size_t len, uint64_t rows, struct err *err), void *ctx,
              struct err *err);

/* Gives the snapshot up (no row can be read any more) and commits a marker: a transactional message `prefix`
 * "daystream", `content` as given. Waits for no standby. *xid is its transaction's, *lsn not below where its commit
 * record ends. */
int copy_mark(struct copy *copy, const char *content, uint64_t *xid, uint64_t *lsn, struct err *err);

#endif
