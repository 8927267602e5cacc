/*
 * server.h - what --verify asks the live server: a table's definition, a place in its log.
 *
 * Locks nothing but the one table that is read, in ACCESS SHARE mode, and for as long only.
 */
#ifndef MIRROR_SERVER_H
#define MIRROR_SERVER_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "schema.h"

struct server {
	PGconn *conn;
	int wakefd;
	void (*warn)(const char *sentence); /* that a table is locked */
	char *system;                       /* its system identifier */
	bool other_bytes;                   /* its encoding sorts otherwise than UTF-8 */
};

/* Connects, with the settings that shape values pinned. Errors as pg.h. */
int server_open(struct server *server, const char *conninfo, int wakefd, void (*warn)(const char *sentence),
                struct err *err);
void server_close(struct server *server);

/* Commits a transactional message. Whoever has applied a transaction that ends beyond *lsn has applied all
 * that was visible to anybody before this call. Waits for no standby. */
int server_mark(struct server *server, uint64_t *lsn, struct err *err);

/* A statement with a result. */
int server_ask(struct server *server, const char *sql, PGresult **result, struct err *err);

/* A table as it is defined in the snapshot of the transaction that server_table_begin opens. */
struct server_table {
	char *from;       /* ONLY "schema"."table" */
	PGresult *answer; /* a row for each column: number, name, type, identity */
};

/* Opens a REPEATABLE READ READ ONLY transaction in which the table of that OID is locked (ACCESS SHARE)
 * before the snapshot is taken. 1: `table` is filled; 0: there is no such table, and no transaction.
 * server_table_end is to be called in any case. A table that is locked is waited for, for about a minute. */
int server_table_begin(struct server *server, uint32_t relid, struct server_table *table, struct err *err);
void server_table_end(struct server *server, struct server_table *table);

/* In what the mirror's definition is another one than the server's: a sentence in `difference`. False: in
 * nothing that matters to a row. */
bool server_table_differs(const struct server_table *table, const struct schema *schema, struct err *difference);

#endif
