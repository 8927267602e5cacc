/*
 * suspect.h - the keys at which a table's two sides were seen to differ, until it is known why.
 *
 * A table without a key has its whole rows as keys. In memory, so their number is bounded: beyond it they
 * are only counted.
 */
#ifndef MIRROR_SUSPECT_H
#define MIRROR_SUSPECT_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "hash.h"
#include "sides.h"
#include "value.h"

#define SUSPECT_MOST 100000
#define SUSPECT_BYTES_MOST (64u << 20)

enum suspect_verdict {
	SUSPECT_OPEN,
	SUSPECT_EQUAL, /* the mirror has it as the server: it was lag */
	SUSPECT_MISSING,
	SUSPECT_EXTRA,
	SUSPECT_DIFFERING,
	SUSPECT_VERDICTS,
};

struct suspect {
	UT_hash_handle hh;
	enum suspect_verdict verdict;
	enum suspect_verdict seen;     /* what the last look was like */
	unsigned times;                /* in a row */
	int64_t before, mirror, after; /* rows at the server, in the mirror, at the server again */
	char version[64];              /* of the server's row: another one after each change */
	bool moved, busy;              /* since "before" another version is there; somebody is at it */
	bool same;                     /* the mirror's row is the server's */
	char *row;                     /* the server's whole row, where it is kept */
	size_t row_len;
	char *columns; /* that differ; sqlite3_free */
	size_t key_len;
	char key[];
};

struct suspects {
	struct suspect *all;
	size_t count, bytes;
	/* Those not taken up, by what they seemed to be; SUSPECT_OPEN: all of them. */
	uint64_t beyond[SUSPECT_VERDICTS];
	char *room; /* for the key that is looked for */
	size_t room_size;
};

void suspects_clear(struct suspects *suspects);
void suspects_fini(struct suspects *suspects);

/* The suspect of the row (sides->source or sides->mirror); *found is NULL where there is none. -ENOMEM. */
int suspects_find(struct suspects *suspects, const struct sides *sides, const struct value *row, struct suspect **found,
                  struct err *err);

/* Finds or adds it. Nothing is added beyond the bounds: then *found is NULL, and it is counted as
 * what it `seems`. */
int suspects_add(struct suspects *suspects, const struct sides *sides, const struct value *row,
                 enum suspect_verdict seems, struct suspect **found, struct err *err);

/* A row's values as bytes that are equal where they are; into suspects->room. The length, or -ENOMEM. */
long suspects_encode(struct suspects *suspects, const struct sides *sides, const struct value *row, bool key_only,
                     struct err *err);

/* The next value of a suspect's key; `at` begins as NULL. False behind the last. */
bool suspect_next_value(const struct suspect *suspect, const char **at, struct value *value);

/* "id=5, name=x" for a person to read; to be freed with sqlite3_free. */
char *suspect_print(const struct suspect *suspect, const struct sides *sides);

#endif
