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

#include <endian.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct position {
	uint64_t epoch; /* Unix time, seconds */
	uint64_t seq;
};

/* Room for "<epoch>.<seq>" and its NUL. */
#define POSITION_TEXT_MAX 42

/* <0, 0, >0 like memcmp. */
int position_cmp(struct position a, struct position b);

/* True where `next` can be the line after `last`: the next number of its second, or number 0
 * of a later one. */
bool position_follows(struct position last, struct position next);

/* Reads a decimal number without sign, spaces or leading zeros: the only
 * spelling of it, so that a file name and its number are one to one.
 * Returns the bytes read, 0 where there is none or it exceeds 64 bits. */
size_t position_parse_number(const char *text, size_t len, uint64_t *number);

/* The number that begins text[0..8), of which all is read: how many digits it has there, leading zeros among them. Without a
 * loop, whose end would be another one each time. */
static inline size_t position_parse_eight(const char *text, uint64_t *number)
{
	const uint64_t ones = 0x0101010101010101;
	uint64_t digits;

	memcpy(&digits, text, sizeof digits);
	digits = le64toh(digits) ^ ones * '0';
	/* The highest bit of the first byte that is more than 9, and maybe of some behind it. */
	uint64_t others = ((digits + ones * (0x80 - 10)) | digits) & ones << 7;
	size_t count = others ? (size_t)__builtin_ctzll(others) / 8 : sizeof digits;
	/* The last digit highest, zeros before the first (in two halves, as none may be there); then two become one, three
	 * times. */
	digits = digits << 4 * (8 - count) << 4 * (8 - count);
	digits = (digits * 10 + (digits >> 8)) & 0x00ff00ff00ff00ff;
	digits = (digits * 100 + (digits >> 16)) & 0x0000ffff0000ffff;
	*number = (digits * 10000 + (digits >> 32)) & 0xffffffff;
	return count;
}

/* The same of text[0..16). */
static inline size_t position_parse_sixteen(const char *text, uint64_t *number)
{
	static const uint64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};
	size_t count = position_parse_eight(text, number), more;
	uint64_t low;

	if (count < 8)
		return count;
	more = position_parse_eight(text + 8, &low);
	*number = *number * powers[more] + low;
	return 8 + more;
}

/* "<epoch>.<seq>", the whole of text[0..len). */
bool position_parse(const char *text, size_t len, struct position *pos);

/* Writes "<epoch>.<seq>"; `text` has POSITION_TEXT_MAX bytes. Returns text. */
char *position_print(char *text, struct position pos);

/* A log sequence number as PostgreSQL prints it: "16/B374D848". */
#define LSN_TEXT_MAX 18
bool lsn_parse(const char *text, size_t len, uint64_t *lsn);
/* The one that text[0..len) begins with: its length, or 0. */
size_t lsn_parse_next(const char *text, size_t len, uint64_t *lsn);
char *lsn_print(char *text, uint64_t lsn);

#endif
