#include "sentinel.h"

#include <stddef.h>

enum { QUERY_MS = 5000 };

void sentinel_open(struct sentinel *sentinel, const char *conninfo, int wakefd)
{
	/* The first is not known before PostgreSQL 14. Names it in pg_stat_replication. */
	static const char *const settings[] = {"SET idle_session_timeout = 0",
	                                       "SET application_name = 'daystream: waits for a shutdown'"};

	if (pg_connect(&sentinel->conn, conninfo, true, wakefd, NULL) < 0)
		return;
	for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
		PGresult *res;
		pg_exec(sentinel->conn, settings[i], wakefd, QUERY_MS, &res, NULL, NULL);
		PQclear(res);
	}
}

void sentinel_close(struct sentinel *sentinel)
{
	PQfinish(sentinel->conn);
	sentinel->conn = NULL;
}

int sentinel_fd(const struct sentinel *sentinel)
{
	return sentinel->conn ? PQsocket(sentinel->conn) : -1;
}

bool sentinel_ended(struct sentinel *sentinel)
{
	return sentinel->conn && (!PQconsumeInput(sentinel->conn) || PQstatus(sentinel->conn) == CONNECTION_BAD);
}
