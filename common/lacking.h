/*
 * lacking.h - whether what a copy lacks of the stream stands there under the names and definitions that the copy has.
 *
 * What a copy's snapshot does not see may stand in the stream before what it sees: a commit that waits for a synchronous
 * standby is there long before it is visible. Such a transaction keeps its locks until then, so nobody changes its tables.
 * But nothing locks a schema's name, an enum's label or the attributes of a composite type. Where one of these was changed behind
 * it, by a transaction that the copy sees, its rows stand in the stream as they were before, and the copy has what came after:
 *
 *     insert old.t (not seen) ─▶ ALTER SCHEMA old RENAME TO new (seen): the copy has new.t, and maybe another table old.t
 *
 * It is told by names and relids alone, so it does not matter how far back the stream is read, nor which tables are copied.
 */
#ifndef COMMON_LACKING_H
#define COMMON_LACKING_H

#include <stdbool.h>

#include "err.h"
#include "line.h"
#include "name.h"

/* Zeros: no table is known. Free with lacking_fini. */
struct lacking {
	struct lacking_known *known;
	char changed[NAME_PATH_MAX]; /* the table that was changed; "": none, as far as is known */
};

/* A table that the copy's snapshot sees, copied or not, by what begins its lines (name_pairs). -ENOMEM. */
int lacking_know(struct lacking *lacking, struct span pairs, struct err *err);

/* Each line of the stream, in order, from the first on that the copy may lack: whether it does. 1: the two do not go
 * together, and the line need not be taken; its transaction's commit line, before which it might be damaged, gives -EAGAIN and
 * says of which table. A copy that sees all that stands there would. */
int lacking_line(struct lacking *lacking, bool lacks, const struct line_head *head, struct err *err);

void lacking_fini(struct lacking *lacking);

#endif
