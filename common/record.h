/*
 * record.h - what the lines that speak of no table say: `commit` and `origin`.
 * The strings are borrowed from the line.
 */
#ifndef COMMON_RECORD_H
#define COMMON_RECORD_H

#include <stdbool.h>
#include <stdint.h>

#include "line.h"

/* ... _action commit lsn 16/B374D848 time 2017-10-09 00:00:00.5+00 crc f1d2de6a */
struct commit {
	uint64_t lsn; /* end of the commit record */
	struct span time;
	bool has_crc; /* stored, not fresh from the plugin */
	uint32_t crc;
	const char *crc_at; /* where the pair starts: the checksum covers all before it */
};

/* _action origin system 7123... timeline 1 database app slot daystream generation 1 */
struct origin {
	uint64_t system; /* the server's system identifier */
	uint32_t timeline;
	uint64_t generation; /* from 1 */
	char database[256];  /* raw, like the slot's name */
	char slot[256];
};

/* False where the line is none, lacks a pair or holds what cannot be read. */
bool commit_parse(const struct line_head *head, struct commit *commit);
bool origin_parse(const struct line_head *head, struct origin *origin);

/* The eight digits of `crc`, without a NUL. */
void crc_print(char text[8], uint32_t crc);

#endif
