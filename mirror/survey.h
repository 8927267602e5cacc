/*
 * survey.h - the tables of which only the last state of each row matters, so that coalesce.h may have them.
 *
 * That is not so where something looks at the steps on the way, or at their order:
 *
 *     a trigger (people may add some), of whatever table
 *     a unique index that people added: rows that exchange their values do so in a certain order
 *     a key with a real in it: to SQLite, 0 and -0 are one key
 *     a table that people made WITHOUT ROWID: whether a row was there is not told (supply.h)
 *
 * nor where a key does not tell the rows apart, or a table is not exact and passes changes over.
 */
#ifndef MIRROR_SURVEY_H
#define MIRROR_SURVEY_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "relation.h"

/* All of one thread. Begins with survey_init; survey_fini before the connection is closed. */
struct survey {
	sqlite3 *sqlite;
	sqlite3_stmt *version, *triggers, *unique, *indexes;
	int64_t seen;    /* SQLite's schema_version */
	unsigned number; /* of the survey in force; 0: none yet */
	bool has_triggers;
};

void survey_init(struct survey *survey, sqlite3 *sqlite);
void survey_fini(struct survey *survey);

/* In a transaction that was begun just now, or after a definition was changed in it: a new one where the file's
 * schema is another than it was. */
int survey_look(struct survey *survey, struct err *err);

/* 1: it is one of these tables; 0: it is none. Of one, table->in_order tells whether the order of its keys is that of the file,
 * and nothing else has to be written for its rows. */
int survey_table(struct survey *survey, struct relation *table, struct err *err);

#endif
