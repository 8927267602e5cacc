/*
 * database.h - the mirror's SQLite file: opened, locked, and the one row that
 * says which commit it stands at.
 *
 *     CREATE TABLE _daystream (id INTEGER PRIMARY KEY CHECK (id = 1),
 *         epoch INTEGER, seq INTEGER, lsn TEXT,          the last applied commit line; NULL before the first
 *         generation INTEGER, system TEXT, timeline INTEGER, database TEXT, slot TEXT,   of the newest origin line
 *         tables TEXT,                                   the --tables list; NULL for all
 *         stream_tables TEXT,                            those that the stream has; NULL: all, or not known
 *         format INTEGER,                                of these tables: 2
 *         exact INTEGER,                                 1: it began with all rows (a snapshot, --from), so that a
 *                                                        change of a row which it has not is an error
 *         table_file TEXT,                               the table whose file alone it follows; NULL: all of /live
 *         "numeric" TEXT)                                what becomes of it: text or real (docs/TYPES.md)
 *
 * Where table_file is set, epoch and seq are those of the last applied line, and lsn is NULL.
 *
 * The row is written in the SQLite transaction that holds the rows up to that
 * commit, so a mirror always equals its source at the commit it names. WAL
 * with synchronous=NORMAL is enough for that: a power failure may take the
 * last SQLite transactions back, whole ones with their position, and the
 * stream gives them again.
 *
 * One thread at a time uses a mirror; of its lock see dbfile.h.
 *
 * A file that is not empty and no mirror is refused, unchanged.
 */
#ifndef MIRROR_DATABASE_H
#define MIRROR_DATABASE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "position.h"
#include "record.h"
#include "value.h"
#include "wal.h"

#define DATABASE_FORMAT 2

struct database_want {
	const char *tables;             /* the --tables list, normalized, or NULL for all */
	const char *table_file;         /* the table whose file alone is followed, or NULL */
	const char *numeric;            /* "text" or "real"; NULL: as it was made, a new one "text" */
	bool build;                     /* anew, whatever stands there; see database_filled */
	int stop_fd;                    /* readable: give up waiting for another writer, */
	void (*warn)(const char *text); /* who is told when that takes long; NULL: nobody */
};

struct database {
	sqlite3 *sqlite;
	char *path;
	int lock_fd;
	struct wal wal;
	sqlite3_stmt *save;
	bool open_transaction;
	bool leftovers; /* of an interrupted building were thrown away */

	bool has_position; /* a commit was applied: position and lsn say which */
	struct position position;
	char lsn[LSN_TEXT_MAX];
	bool has_origin;
	struct origin origin;
	bool exact;
	bool table_file; /* it is a mirror of one table's file */
	enum numeric numeric;
	char *stream_tables; /* its caller's to set: the row of _daystream keeps it. NULL: all, or not known */
};

/* Takes the list over (NULL: all). */
void database_stream_tables(struct database *database, char *tables);

/* Opens or creates. What `want` says has to be what the mirror was made with. -EBUSY where another
 * process writes the mirror, -EEXIST where the file is none, -EINVAL where `want` differs, -EIO for
 * all that SQLite says. database_close is to be called in any case.
 *
 * With want->build nothing that is written lasts, and nothing can be rolled back before
 * database_filled; then it can, and what is written lasts from database_rename on. */
int database_open(struct database *database, const char *path, const struct database_want *want, struct err *err);
int database_filled(struct database *database, struct err *err);

/* Syncs it and gives it its final name; then only database_close is left. */
int database_rename(struct database *database, const char *to, struct err *err);
void database_close(struct database *database);

/* One SQLite transaction; commit writes the row of _daystream, rollback reads it again.
 * begin waits for another writer until stop_fd: then -EBUSY. */
int database_begin(struct database *database, struct err *err);
int database_commit(struct database *database, struct err *err);
int database_rollback(struct database *database, struct err *err);

/* Outside a transaction: gives back what the WAL need not hold. 0 also where readers keep it; -EIO, -ENOSPC. */
int database_make_room(struct database *database, struct err *err);

#endif
