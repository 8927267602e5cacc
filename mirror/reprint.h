/*
 * reprint.h - values that print otherwise after a change of definition that has
 * rewritten no row.
 *
 * PostgreSQL sends nothing of them, so what the mirror holds is changed here:
 * timestamp <-> timestamptz (the server does without a rewrite under UTC only), cidr -> inet,
 * integer <-> oid, and an enum's renamed labels.
 *
 * A transaction that began before a label was added or renamed has its lines behind an older definition, which lacks the
 * one and has the other by its older name, until the newer one comes again, at its end at the latest. So rows of a label that
 * a definition lacks have to be told from others until then: where another label has its name, they have a long one of ours.
 */
#ifndef MIRROR_REPRINT_H
#define MIRROR_REPRINT_H

#include <sqlite3.h>
#include <stdbool.h>

#include "addition.h"
#include "err.h"
#include "schema.h"

/* The table is called new->name already, its columns as in `new`. `inexact` is set, and `warn` told, where only the
 * server knows how values print now: a label within an array, a composite that got an attribute. Of a column of another type
 * the stream says that itself. */
int reprint_columns(sqlite3 *sqlite, const struct schema *old, struct schema *new, bool *inexact, addition_warn *warn,
                    struct err *err);

#endif
