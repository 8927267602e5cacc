/*
 * match.h - whether a mount shows the database that a mirror is of, and has the transaction at which the mirror stands.
 *
 * Threads: none of its own.
 */
#ifndef MIRROR_MATCH_H
#define MIRROR_MATCH_H

#include "database.h"
#include "err.h"
#include "follow.h"

/* Before a mirror is brought anew: whether the mount shows its database. One of another name is another one, unless the
 * stream has the transaction at which the mirror stands: then it was renamed. -EINVAL: it does not; -ENOTCONN and
 * -EBADMSG: that cannot be read. */
int match_database(const struct database *database, const struct follow_source *source, struct err *err);

/* Learns to which tables the mount's stream was narrowed. -EBADMSG where what it tells is none. */
int match_tables(struct database *database, const char *mount, struct err *err);

/* Whether the mirror can go on there from where it stands; learns the tables, too. -ESTALE: nothing but bringing it anew
 * helps; else as the two above, and as follow_recognize. */
int match_source(struct database *database, const struct follow_source *source, struct err *err);

#endif
