#include "lock.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "name.h"
#include "pg.h"

enum { PATIENCE_MS = 5000 }; /* so long it is waited for without a word */

static void say_locked(const struct lock *lock)
{
	char text[NAME_PATH_MAX + 200];

	snprintf(text, sizeof text,
	         "table \"%s\" is locked: waiting for whoever did that (see pg_locks; without a pid, it is a prepared "
	         "transaction, see pg_prepared_xacts)",
	         lock->name);
	lock->warn(text);
}

static int try_lock(PGconn *conn, const struct lock *lock, int patience_ms, int wakefd, char sqlstate[6],
                    struct err *err)
{
	char *sql;
	PGresult *res;

	if (asprintf(&sql,
	             "%s; SET LOCAL lock_timeout = %d; LOCK TABLE %s IN ACCESS SHARE MODE; SET LOCAL lock_timeout = %d",
	             lock->begin, patience_ms, lock->from, lock->most_ms) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	int r = pg_exec(conn, sql, wakefd, 0, &res, sqlstate, err);
	if (r == -EINTR)
		pg_cancel(conn);
	PQclear(res);
	free(sql);
	return r;
}

int lock_table(PGconn *conn, const struct lock *lock, int wakefd, char sqlstate[6], struct err *err)
{
	PGresult *res;
	int r, patience_ms = PATIENCE_MS;

	*sqlstate = 0;
	while ((r = try_lock(conn, lock, patience_ms, wakefd, sqlstate, err)) < 0 && strcmp(sqlstate, "55P03") == 0) {
		if (patience_ms == PATIENCE_MS)
			say_locked(lock);
		if (patience_ms <= INT_MAX / 2)
			patience_ms *= 2;
		if (lock->most_ms && patience_ms > lock->most_ms)
			break;
		r = pg_exec(conn, "ROLLBACK", wakefd, 0, &res, NULL, err);
		PQclear(res);
		if (r < 0)
			break;
	}
	return r;
}
