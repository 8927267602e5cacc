/*
 * alter.h - a changed definition -> the SQLite table that is there.
 *
 * Columns are told by their number, so a rename is never a drop and an add.
 * Renames (of table and columns) and new columns are done in place; a dropped
 * column, another storage class or another key makes a new table that takes
 * the rows, and what people added (addition.h). Views follow a rename where
 * SQLite understands them; others stay as they are.
 *
 * A change of type that PostgreSQL does without rewriting the table, but
 * which prints differently, is done here (reprint.h). After all others with another
 * text the stream brings the rows anew.
 *
 * All of it happens in the caller's SQLite transaction, which has to be
 * rolled back after an error; no statement of the table may be under way.
 */
#ifndef MIRROR_ALTER_H
#define MIRROR_ALTER_H

#include <sqlite3.h>
#include <stdbool.h>

#include "addition.h"
#include "err.h"
#include "schema.h"

struct alter_effect {
	bool emptied; /* the rows could not stay: PostgreSQL has rewritten the table (a new key over a new
	               * column), and the stream's next line for it has to be a truncate */
	bool inexact; /* values print otherwise, and only the server knows how */
};

/* Brings the table of `old` to what `new` says, fills new->name and writes it down.
 * `warn` gets a sentence for what could not be kept. */
int alter_table(sqlite3 *sqlite, const struct schema *old, struct schema *new, struct alter_effect *effect,
                addition_warn *warn, struct err *err);

/* Another table has the name in PostgreSQL now: this one was dropped or renamed. Its rows
 * are kept under "<name>#<relid>"; if it was renamed, its own next definition says how. */
int alter_displace(sqlite3 *sqlite, struct schema *schema, addition_warn *warn, struct err *err);

/* `holder` has the name that `schema` has without a number: it leaves it to that one. */
int alter_exchange_names(sqlite3 *sqlite, struct schema *schema, struct schema *holder, addition_warn *warn,
                         struct err *err);

/* Somebody may have dropped the table, or changed it: then it is again what `schema` says. A column that lacks comes
 * without its values; where a column or the key is another, a new table takes the rows (none, where they do not fit its
 * key), and what people added. 1: it was so; 0: nothing was to be done. */
int alter_mend(sqlite3 *sqlite, const struct schema *schema, addition_warn *warn, struct err *err);

/* Makes `old` pass for an older definition of the table that `new` speaks of, which has its name in
 * another database: columns are the same where their names are. */
void alter_adopt(struct schema *old, const struct schema *new);

#endif
