/*
 * sentinel.h - notices that the server wants to stop.
 *
 * A server that is told to stop keeps its walsenders until each has sent all WAL, and says nothing of it to those that
 * it still has to send to: it would wait for a slow disk of ours, or until a large transaction is through. But it ends
 * at once a walsender that streams nothing. So one is held beside the one that streams, and when it ends, so does,
 * soon, the other; what was not sent by then comes when the server is back. (An ordinary connection would not do:
 * `pg_ctl stop -m smart` waits for those.)
 *
 * It is one more of max_wal_senders. Where it cannot be had, the stream does without.
 */
#ifndef FS_SENTINEL_H
#define FS_SENTINEL_H

#include <stdbool.h>

#include "pg.h"

struct sentinel {
	PGconn *conn; /* NULL: there is none */
};

/* Waits as pg_connect does. */
void sentinel_open(struct sentinel *sentinel, const char *conninfo, int wakefd);
void sentinel_close(struct sentinel *sentinel);

/* Readable when there is news; -1 where there is none. */
int sentinel_fd(const struct sentinel *sentinel);

/* True when the server has ended it. Does not wait. */
bool sentinel_ended(struct sentinel *sentinel);

#endif
