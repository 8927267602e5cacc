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
 * Memory: that of a batch (batch.h). A large one has the room of SQLite's cache, too, of which little is needed where each page
 * is come to once.
 */
#ifndef MIRROR_COALESCE_H
#define MIRROR_COALESCE_H

#include <stddef.h>

#include "batch.h"
#include "err.h"
#include "line.h"
#include "position.h"
#include "relation.h"

/* Longer rows are not kept. */
#define COALESCE_ROW_BYTES ((size_t)64 << 10)

/* Zeros are an empty one. */
struct coalesce {
	struct batch batch;
	size_t lines, line_bytes; /* that are in it */
};

/* One row's change. 1: it is kept; 0: there is no room, or the row is too long: coalesce_flush first, then once more,
 * or relation.h's own way. Errors as relation.h has them, of what the line alone tells. */
int coalesce_add(struct coalesce *coalesce, struct relation *table, enum relation_change change, struct span pairs,
                 struct position position, struct err *err);

/* A row is about to be changed by itself. False: a large batch has the room of SQLite's cache, which that needs, and
 * coalesce_flush has to come first. */
bool coalesce_beside(struct coalesce *coalesce);

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
