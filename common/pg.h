/*
 * pg.h - libpq with ends: every wait has a time limit and answers a wake-up. (But where a connection string names several
 * hosts: of the later ones libpq looks the name up deaf to it.)
 */
#ifndef COMMON_PG_H
#define COMMON_PG_H

#include <libpq-fe.h>
#include <stdbool.h>

#include "err.h"

/* At a program's start, before there are threads: what libpq would take from the environment for people's eyes
 * (PGDATESTYLE, PGTZ, PGGEQO), and the server would prefer to the settings that are pinned, is forgotten. */
void pg_init(void);

/* Connects. `replication`: as a walsender of the database, with the settings
 * that the format rests on pinned. The user's own settings in `conninfo` hold
 * otherwise; connect_timeout is 10 s unless it says so. `wakefd` (or -1) breaks
 * off with -EINTR when readable. -EAGAIN where the server cannot be reached now;
 * where trying again cannot help, -EACCES (the login, or rights) or -EINVAL. */
int pg_connect(PGconn **conn, const char *conninfo, bool replication, int wakefd, struct err *err);

/* Runs a statement; *res is the result, to be cleared by the caller, or NULL
 * after an error. Any other status than tuples or command-ok is an error: `err`
 * has the server's sentence, and `sqlstate` (6 bytes, may be NULL) its code.
 * -EAGAIN where the connection is gone or it takes longer than `timeout_ms` (0: no limit); -EINTR where `wakefd` is readable. */
int pg_exec(PGconn *conn, const char *sql, int wakefd, int timeout_ms, PGresult **res, char *sqlstate, struct err *err);

/* Asks the server to break off what it does for `conn`, which says so where a statement's result is read. Takes two seconds
 * at most, by a child (where none can be made, as long as libpq does). False: it could not be asked. */
bool pg_cancel(PGconn *conn);

/* A value of a result, borrowed from it; "" for NULL, and where the server's answer has no such value. */
const char *pg_text(const PGresult *res, int row, int column);

/* `conninfo`, which led to `conn`, with the role that logged in, where that was taken from who asked: to be freed;
 * NULL: out of memory. */
char *pg_with_role(const char *conninfo, const PGconn *conn);

/* "host:port/dbname", to name the server without its secrets. */
void pg_where(const PGconn *conn, char *text, size_t size);

/* 1: fd is readable (`write`: writable); 0: time is over, or a signal came; -EINTR: wakefd (or
 * -1) is readable. */
int pg_wait(int fd, bool write, int wakefd, int timeout_ms);

#endif
