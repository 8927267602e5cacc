/*
 * moment.h - a moment of the stream, as people name it: `--since T`, `--until T`.
 *
 *     1507507200.10                 a position
 *     16/B374D848                   an LSN: two hexadecimal numbers, whatever else could be meant
 *     2026-11-21 10:00              a time, in the forms of wall.h, all of which PostgreSQL takes for a timestamptz.
 *     2026-11-21T10:00:00.5+01:00   Without a zone it is local time, as TZ says. A zone is an offset, Z, UTC,
 *     21 Nov 2026 10:00 PM          GMT or a name (Europe/Berlin); other abbreviations mean several things, and
 *     yesterday 18:00  now  epoch   are refused, as is all that would have to be guessed at
 *
 * `since` begins at the first line of a transaction or of a second, `until` ends behind a commit: whatever
 * they name, transactions are whole or absent.
 *
 *              since: the first line that is shown            until: the transactions that are shown
 *     position at or after it                                 whose commit line is at or before it
 *     LSN      of transactions that end behind it             that end at or before it
 *     time     of its second (rounded down)                   whose commit line's second was over by then,
 *                                                             that is before the time, rounded up
 *
 * A time is compared with the second of the line, which says when it was committed by the server's clock,
 * but never less than the line before.
 */
#ifndef COMMON_MOMENT_H
#define COMMON_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "position.h"

struct moment {
	enum { MOMENT_NONE, MOMENT_POSITION, MOMENT_LSN, MOMENT_TIME } kind;
	struct position position; /* of a time: {its second, 0}; one before 1970 is {0, 0} */
	bool fraction;            /* of a time: it is later than that second's start */
	uint64_t lsn;
};

/* Reads one. -EINVAL where it is none, or one that would have to be guessed at. Single-threaded (zone.h). */
int moment_parse(struct moment *moment, const char *text, struct err *err);

/* `since`: sets *first to the position that lines are shown from, at or after it. False for an LSN, which says
 * nothing of positions: the first transaction that moment_before has not has to be looked for. MOMENT_NONE: {0, 0}. */
bool moment_first(const struct moment *since, struct position *first);

/* `since`, an LSN: whether a transaction that ends at `lsn` stands before it. */
bool moment_before(const struct moment *since, uint64_t lsn);

/* `until`: whether the transaction still belongs to it whose commit line stands at `commit` and tells `lsn`.
 * MOMENT_NONE has all. Down the stream, where it once is false it stays so; but LSNs begin anew, where
 * a new generation does: there, who reads on has to stop at the first false. */
bool moment_has(const struct moment *until, struct position commit, uint64_t lsn);

#endif
