/*
 * server.h - the questions and commands that `daystream` has for a server.
 */
#ifndef FS_SERVER_H
#define FS_SERVER_H

#include "pg.h"
#include "record.h"

/* Calls `say` with one sentence for each thing that keeps a slot from being
 * created or followed, with the statement that mends it. `need_slot`: one must be
 * free. Returns how many there are, or -errno. */
int server_problems(PGconn *conn, bool need_slot, void (*say)(const char *sentence), struct err *err);

/* Calls `say` for each table of `tables` (config.h; "" for all) whose updates or
 * deletes cannot be placed, and for each that does not exist. */
int server_weak_tables(PGconn *conn, const char *tables, void (*say)(const char *sentence), struct err *err);

/* Calls `say` where the role may not read some of those tables, which snapshots copy. */
int server_closed_tables(PGconn *conn, const char *tables, void (*say)(const char *sentence), struct err *err);

/* What a store's `origin` line needs, with the transaction that saved the schema. */
struct server_origin {
	uint64_t xid, second;
	char time[64]; /* as a commit line has it */
};

/* Saves every table's schema to daystream.tables and daystream.columns. */
int server_save_schema(PGconn *conn, const char *slot, struct server_origin *saved, struct err *err);

/* Removes what was saved for a slot that is dropped, as far as that can be done. */
void server_forget_schema(PGconn *conn, const char *slot);

/* System identifier, timeline, database and end of WAL, by a replication connection. */
int server_identify(PGconn *replication, struct origin *origin, uint64_t *end_lsn, struct err *err);

struct server_slot {
	bool exists, active;
	char plugin[64];
	char wal_status[32], safe_wal_size[32]; /* the latter "" where there is no limit, or the slot is lost */
	uint64_t confirmed_lsn, server_lsn;
	uint64_t restart_lsn; /* the server keeps its WAL from here on; 0: it does not */
};

/* WAL that the server keeps for the slot; and what of it a store that is as far as `lsn` does not have. */
uint64_t server_retained(const struct server_slot *slot);
uint64_t server_lag(const struct server_slot *slot, uint64_t lsn);

/* `wakefd` as pg_exec's. */
int server_slot(PGconn *conn, const char *name, int wakefd, struct server_slot *slot, struct err *err);

/* Waits for the transactions that are open, as PostgreSQL does. -EINTR when `wakefd` is readable: the server is told to leave
 * it, which may come too late. */
int server_create_slot(PGconn *replication, const char *name, int wakefd, uint64_t *consistent_lsn, struct err *err);
int server_slot_exists(const char *name, struct err *err); /* the sentence for it; -EEXIST */
int server_drop_slot(PGconn *conn, const char *name, struct err *err);

#endif
