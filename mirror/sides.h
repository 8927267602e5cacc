/*
 * sides.h - the rows of one table from its two sides, the server and the mirror, in the same order and as the
 * same values.
 *
 * The order is SQLite's own (value_order): NULL, numbers, text by the bytes of its UTF-8, blobs. So the server
 * is asked for COLLATE "C" of what a type prints, whatever order the type itself has. Rows with a key are
 * ordered by it; without one by all columns, where -0 stands before 0.
 *
 * The server's text goes through value_read, as the stream's lines do: values are what SQLite would hold.
 * One row of each side is in memory at a time.
 */
#ifndef MIRROR_SIDES_H
#define MIRROR_SIDES_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "reading.h"
#include "rows.h"
#include "schema.h"
#include "server.h"
#include "value.h"

struct sides {
	const struct schema *schema;
	struct server *server;
	struct reading *reading;
	bool keyed;
	unsigned count; /* of columns */

	/* The current rows: a value for each column, borrowed until that side goes on. */
	struct value *source, *mirror;
	struct span *lead; /* what stands before the source's columns */
	unsigned lead_count;
	uint64_t bytes; /* read from the server */

	struct rows rows;
	struct value_room room;
	sqlite3_stmt *stmt;
};

/* All is borrowed. sides_fini is to be called in any case. -ENOMEM, -EIO. */
int sides_init(struct sides *sides, struct server *server, struct reading *reading, const struct schema *schema,
               struct err *err);
void sides_fini(struct sides *sides);

/* "SELECT <lead>, <columns> FROM <from> AS t <rest>" at the server. `lead`: `lead_count` expressions, at most
 * SIDES_LEAD_MAX. Only one query at a time. */
#define SIDES_LEAD_MAX 4
int sides_source_open(struct sides *sides, const char *lead, unsigned lead_count, const char *from, const char *rest,
                      struct err *err);
/* 1: the next row is in `source`; 0: there is none. */
int sides_source_next(struct sides *sides, struct err *err);
void sides_source_close(struct sides *sides);

/* "SELECT <columns> FROM <table> <rest>" in the mirror, whose parameters the caller binds to `stmt`. */
int sides_mirror_open(struct sides *sides, const char *rest, struct err *err);
int sides_mirror_next(struct sides *sides, struct err *err);
void sides_mirror_close(struct sides *sides);

/* ORDER BY ..., for either; to be freed with sqlite3_free. The source's fits an empty `lead`. */
char *sides_source_order(const struct sides *sides);
char *sides_mirror_order(const struct sides *sides);

/* SQL: what the column prints at the server, in the order of bytes. */
void sides_append_text(sqlite3_str *sql, const struct sides *sides, unsigned column);

/* Whether the column takes part in the order. */
bool sides_orders(const struct sides *sides, unsigned column);

/* Below, at or above 0: the source's row stands before, at or behind the mirror's. */
int sides_order(const struct sides *sides);

/* Whether both rows are the same in each bit. Appends the names of the columns in which they are not
 * to `names` (may be NULL), joined by ", ". */
bool sides_same(const struct sides *sides, sqlite3_str *names);

#endif
