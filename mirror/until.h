/*
 * until.h - where a mirror ends, though the stream goes on: `--until T` (moment.h).
 *
 * The mirror's last commit is then the last one that still belongs to T; what comes behind it shows that, or
 * the place itself where T is one, or for an LSN the mount's /status. That a time is over nothing else
 * shows: a transaction that was committed before may still be on its way.
 *
 * Errors: -ERANGE where T lies before what there is; else as follow.h.
 */
#ifndef MIRROR_UNTIL_H
#define MIRROR_UNTIL_H

#include <stdbool.h>

#include "database.h"
#include "err.h"
#include "line.h"
#include "moment.h"
#include "position.h"

struct until {
	struct moment moment;
	const char *text; /* as a person gave it; borrowed */
};

/* Whether a transaction belongs to it, as far as one of its lines can tell: false is final, true only of its
 * commit line. */
bool until_has(const struct until *until, const struct line_head *head);

/* Whether no transaction behind the database's last one can belong to it. */
bool until_met(const struct until *until, const struct database *database);

/* The same, where all that the mount showed was applied. */
bool until_shown(const struct until *until, const struct database *database, const char *mount);

/* -ERANGE where the database is beyond it. */
int until_check(const struct until *until, const struct database *database, struct err *err);

/* Where no snapshot is old enough: 0, when the stream itself will do, since it is retained from where a generation
 * began, and that is not after T. `oldest` is the commit that the oldest snapshot is of; {0, 0}: there is none. */
int until_beginning(const struct until *until, const char *mount, struct position oldest, struct err *err);

#endif
