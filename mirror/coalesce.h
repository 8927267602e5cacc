/*
 * coalesce.h - within a batch, the last state of each key, and the keys in their order.
 *
 *     coalesce_add ... coalesce_add     what the lines say is read, checked and kept
 *     coalesce_flush                    each key's lines become one change, or two; SQLite gets them key by key
 *
 * What comes of it is what the same lines come to one by one, errors included:
 *
 *     the lines of a key                        SQLite gets
 *     insert, then updates                      the insert of what they come to
 *     updates                                   one update of all columns that they say
 *     ..., delete                               the delete
 *     ..., delete, insert, then updates         the delete, and the insert of what they come to: what people
 *                                               wrote into columns of theirs goes with the old row
 *
 * Of keys that follow each other, one statement takes all whose whole row is written: that is less work for SQLite
 * (supply.h).
 *
 * That a change speaks of a row that is not there is found out as relation.h has it: from the lines, or when the
 * change is made.
 *
 * Only for tables whose rows a key tells apart, and where nothing looks at the steps in between: whether one
 * is so, survey.h tells. What is not added has to be preceded by coalesce_flush.
 *
 * Memory: COALESCE_BYTES and 56 bytes for each of COALESCE_ROWS, once so much has come.
 */
#ifndef MIRROR_COALESCE_H
#define MIRROR_COALESCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "line.h"
#include "position.h"
#include "relation.h"

#define COALESCE_BYTES ((size_t)16 << 20)
#define COALESCE_ROWS ((size_t)1 << 17)
/* Longer rows are not kept. */
#define COALESCE_ROW_BYTES ((size_t)64 << 10)

struct coalesce_record;
struct coalesce_item;

/* Zeros are an empty one. */
struct coalesce {
	struct coalesce_record *records;
	struct coalesce_item *items, *spare; /* of each record, to be sorted */
	size_t count, cap;
	char *bytes; /* what the rows say */
	size_t used, size;
	struct relation **tables; /* each once, by the number in its items */
	size_t table_count, table_cap;
};

/* One row's change. 1: it is kept; 0: there is no room, or the row is too long: coalesce_flush first, then once more,
 * or relation.h's own way. Errors as relation.h has them, of what the line alone tells. */
int coalesce_add(struct coalesce *coalesce, struct relation *table, enum relation_change change, struct span pairs,
                 struct position position, struct err *err);

/* Where a change that failed stands. */
struct coalesce_failed {
	struct relation *table;
	struct position position; /* of the first line of its key */
};

/* All changes are made; afterwards it is empty. After an error the transaction has to be rolled back. */
int coalesce_flush(struct coalesce *coalesce, struct coalesce_failed *failed, struct err *err);

/* Forgets what was added. */
void coalesce_clear(struct coalesce *coalesce);
void coalesce_fini(struct coalesce *coalesce);

#endif
