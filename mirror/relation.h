/*
 * relation.h - one table of the mirror: a line's row changes -> SQLite.
 *
 * The pairs handed in are those of line_head.pairs and are borrowed for the
 * call only. Each call runs inside the caller's SQLite transaction; after an
 * error that has to be rolled back.
 *
 * A row that a change speaks of may be missing where the mirror began in the
 * middle of the table's life: then a delete does nothing, and an update that
 * brings the whole row adds it. One that leaves columns out is an error: the
 * row cannot be made up. Where the mirror is known to have all rows (`exact`),
 * a missing one always is an error.
 *
 * Errors: -EBADMSG where a line does not fit the table's definition, -ENOENT
 * where a row cannot be found (or nothing tells which one is meant), with nothing
 * changed; -EEXIST where a key is taken; -ENOTSUP where the table is not as it was made (statement.h);
 * what else SQLite says is -EIO, -EBUSY or -ENOSPC; -ENOMEM.
 */
#ifndef MIRROR_RELATION_H
#define MIRROR_RELATION_H

#include <sqlite3.h>
#include <stdbool.h>

#include "err.h"
#include "line.h"
#include "schema.h"
#include "statement.h"
#include "supply.h"
#include "value.h"

struct relation_row {
	struct value *values; /* one for each column */
	unsigned present;
};

struct relation {
	sqlite3 *sqlite;
	struct schema schema;
	struct statement_cache statements;
	struct relation_row row, old;
	struct value_room room;
	bool partial;      /* it came with another name than it had: older rows are missing */
	bool emptied;      /* alter_table said so: only a truncate may come next */
	bool exact;        /* all rows are here */
	bool says_all;     /* the last insert or update that coalesce.h read was a whole row */
	bool seen;         /* since registry_refill */
	uint32_t number;   /* within a batch, batch.h's */
	unsigned surveyed; /* by survey.h: when, and what it found */
	bool coalesces, in_order;
};

/* Takes `schema`, whose table exists, over (it is empty afterwards). NULL: no memory; then
 * `schema` is as before. */
struct relation *relation_open(sqlite3 *sqlite, struct schema *schema);
void relation_close(struct relation *table);

/* As relation_open for a table that has been altered to `schema`. -ENOMEM. */
int relation_redefine(struct relation *table, struct schema *schema, struct err *err);

int relation_insert(struct relation *table, struct span row, struct err *err);

/* The key is that of the row. */
int relation_update(struct relation *table, struct span row, struct err *err);

/* The row that was `old` (at least its key) becomes `row`. */
int relation_replace(struct relation *table, struct span old, struct span row, struct err *err);

int relation_delete(struct relation *table, struct span old, struct err *err);
int relation_truncate(struct relation *table, struct err *err);

/* The same in two steps, for coalesce.h. A line is read and checked: an insert says the whole row, all say the key. `row`
 * is table->row, or table->old of a delete. */
enum relation_change { RELATION_INSERT, RELATION_UPDATE, RELATION_DELETE };
int relation_read(struct relation *table, enum relation_change change, struct span pairs, struct relation_row **row,
                  struct err *err);

/* table->row is inserted; replaces the columns that it says, where a row that is not there may be added (then it is
 * whole) or is an error; table->old is deleted, where it must be there or need not. */
int relation_make_insert(struct relation *table, struct err *err);
int relation_make_update(struct relation *table, bool add, struct err *err);
int relation_make_delete(struct relation *table, bool must, struct err *err);

/* Many whole rows (their `values` may be table->row's) are inserted, or take the place of what is there. An error is of
 * the row that was given last. */
int relation_make_all(struct relation *table, struct supply *supply, struct err *err);

/* -ENOENT with the sentence: `what` (an update, say) speaks of a row that is not there. */
int relation_missing(const struct relation *table, const char *what, const struct relation_row *row, struct err *err);

/* A change at `position` was passed over; the table's first such one is written down. 1 where this was
 * it, else 0. */
int relation_mark(struct relation *table, struct position position, struct err *err);

/* All its rows are gone, or came anew: it is exact again, where the mirror is. */
int relation_unmark(struct relation *table, bool exact, struct err *err);

#endif
