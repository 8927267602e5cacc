/*
 * fit.h - whether a server and its slot are those that a store can go on from.
 *
 * The store holds the history of one database up to some LSN. It goes on where the server has the same
 * history up to there and the slot needs nothing more than that:
 *
 *     confirmed_flush  <=  durable end of the store  <=  end of the server's WAL
 *
 * on the same system and database, and on the same timeline or one that left it behind the store's end.
 * What these cannot tell, a copy of the server's files that was put back and has gone on since, shows
 * in what comes again between the first two (resume.h).
 */
#ifndef FS_FIT_H
#define FS_FIT_H

#include "pg.h"
#include "record.h"

/* Said wherever the only way out is a new generation; the second, where `init` alone would find that the slot can go
 * on. */
extern const char fit_new_generation[], fit_drop_first[];

struct fit {
	uint64_t server_lsn, confirmed_lsn;
};

/* `conn`: a replication connection of the database. `origin`: what the store holds; its timeline is brought up to
 * the server's. -EAGAIN: not now (a standby, too, which may be promoted); -EINTR: `wakefd`; else final, with the
 * remedy. */
int fit_check(PGconn *conn, struct origin *origin, const char *slot, uint64_t durable_lsn, int wakefd, struct fit *fit,
              struct err *err);

/* That daystream.conf names the slot that feeds the store. -EINVAL: somebody changed it there; with the remedy. */
int fit_named(const char *named, const struct origin *origin, struct err *err);

/* What the server said when it refused to create a slot or to stream from one: -EAGAIN where it passes by itself,
 * else `r`, with the remedy where there is one for it. */
int fit_refusal(int r, const char *sqlstate, struct err *err);

#endif
