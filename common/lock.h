/*
 * lock.h - a transaction that begins with a lock on a table, ACCESS SHARE. Who has locked it against that is waited for, which is said.
 *
 * The lock is asked for again and again, since a server that waits for one does not see that we are gone, where we cannot tell it.
 * Who asks again stands behind all others: so each wait is twice as long as the one before.
 */
#ifndef COMMON_LOCK_H
#define COMMON_LOCK_H

#include <libpq-fe.h>

#include "err.h"

struct lock {
	const char *begin; /* statements, joined by ';', in front of LOCK TABLE */
	const char *from;  /* the table: ONLY and its name */
	const char *name;  /* for people */
	int most_ms;       /* about so long it is waited for, and for any lock behind it; 0: as long as it takes */
	void (*warn)(const char *sentence);
};

/* As pg_exec. After an error the connection may be in a transaction still. */
int lock_table(PGconn *conn, const struct lock *lock, int wakefd, char sqlstate[6], struct err *err);

#endif
