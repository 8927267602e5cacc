/*
 * report.h - what --verify prints: verify.h shows it.
 */
#ifndef MIRROR_REPORT_H
#define MIRROR_REPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "name.h"
#include "sides.h"
#include "suspect.h"

/* So many keys of a kind are printed of a table. */
#define REPORT_KEYS_MOST 1000

enum report_kind {
	REPORT_NOTHING,  /* the mirror no longer has it */
	REPORT_COMPARED, /* rows and suspects say it */
	REPORT_OTHER,    /* the definitions differ: `note` says in what */
	REPORT_EXTRA,    /* the server has no such table; `rows` of the mirror's */
	REPORT_MISSING,  /* the mirror has no such table; the server's has rows */
	REPORT_EMPTY,    /* nor has the mirror this one, but it has no rows */
	REPORT_ASIDE,    /* its name is another table's: not compared */
	REPORT_FAILED,   /* `note` says why */
};

struct report_table {
	enum report_kind kind;
	char name[NAME_PATH_MAX]; /* as a path name, so that it has no tab */
	uint64_t rows;
	char note[700];
	const char *inexact; /* since when, or NULL; borrowed */
};

/* Of all tables. */
struct report {
	FILE *out;
	uint64_t tables, rows, different;
};

void report_begin(struct report *report, FILE *out);

/* `suspects` and `sides` (which give keys their names) are for REPORT_COMPARED. */
void report_add(struct report *report, const struct report_table *table, const struct suspects *suspects,
                const struct sides *sides);

#endif
