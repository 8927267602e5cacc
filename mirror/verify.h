/*
 * verify.h - compares a mirror with its live server, table by table, row by row.
 *
 *     each table:  one pass over both sides (compare.h) ─▶ suspects ─▶ looked at again (recheck.h) ─▶ a line
 *
 * Nothing is locked but, in ACCESS SHARE mode, the table that is being read; the mirror goes on meanwhile.
 * One line a table to `out`, tab-separated, below a heading; each key found different stands on a line of its own
 * behind it, which begins with a tab:
 *
 *     table	result	rows	missing	extra	differing	note
 *     zzz	DIFFERENT	99	1	0	1
 *     	missing	a=fox61
 *     	differing	a=fox49	b
 */
#ifndef MIRROR_VERIFY_H
#define MIRROR_VERIFY_H

#include <stdio.h>

#include "err.h"

struct verify_options {
	const char *conninfo, *path;
	const char *tables; /* compare these only: a normalized list (filter.h) or NULL */
	int wait_ms;        /* for a mirror that makes no step */
};

/* 1: all is equal; 0: it is not; negative where it could not be found out. */
int verify_run(const struct verify_options *options, FILE *out, struct err *err);

#endif
