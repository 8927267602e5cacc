/*
 * position.h - where a line stands in the stream, and an LSN where its
 * transaction ends in the server's WAL.
 *
 * A position is the second in which the transaction committed (`_c`, Unix
 * time) and the line's number within that second (`_s`, from 0). Positions
 * are unique and strictly increase down the stream.
 */
#ifndef COMMON_POSITION_H
#define COMMON_POSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct position {
	uint64_t epoch; /* Unix time, seconds */
	uint64_t seq;
};

/* Room for "<epoch>.<seq>" and its NUL. */
#define POSITION_TEXT_MAX 42

/* <0, 0, >0 like memcmp. */
int position_cmp(struct position a, struct position b);

/* Whether a line at `next` can stand directly behind one at `last`: numbers
 * within a second have no gaps. */
bool position_follows(struct position last, struct position next);

/* Reads a decimal number without sign, spaces or leading zeros: the only
 * spelling of it, so that a file name and its number are one to one.
 * Returns the bytes read, 0 where there is none or it exceeds 64 bits. */
size_t position_parse_number(const char *text, size_t len, uint64_t *number);

/* "<epoch>.<seq>", the whole of text[0..len). */
bool position_parse(const char *text, size_t len, struct position *pos);

/* Writes "<epoch>.<seq>"; `text` has POSITION_TEXT_MAX bytes. Returns text. */
char *position_print(char *text, struct position pos);

/* A log sequence number as PostgreSQL prints it: "16/B374D848". */
#define LSN_TEXT_MAX 18
bool lsn_parse(const char *text, size_t len, uint64_t *lsn);
char *lsn_print(char *text, uint64_t lsn);

#endif
