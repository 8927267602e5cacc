/*
 * text.h - text of the server's encoding onto a line: converted, escaped.
 *
 * Lines that leave by a walsender are UTF-8, whatever the server's encoding:
 * the walsender itself sends what it gets. Under the SQL functions text stays
 * as it is, since the server converts their result for the client.
 *
 * Escaping looks at ASCII bytes only, and no server encoding uses these
 * within a longer character: so it may come before or behind a conversion.
 *
 * The server sends no message of 1 GB or more: a line that would grow to it is an error.
 */
#ifndef DELTAFLOOD_TEXT_H
#define DELTAFLOOD_TEXT_H

#include "lib/stringinfo.h"

/* How text gets onto the lines of one session; all zero: as it is. */
struct text {
	bool to_utf8;
	int from; /* the server's encoding */
	Oid proc; /* converts it; none for UTF8 and SQL_ASCII, whose bytes can only be checked */
};

/* To be called inside a transaction, since it looks up the conversion. */
void text_init(struct text *text, bool to_utf8);

/* Appends bytes[0..len), escaped. Longer ones go in pieces, so that the
 * buffer grows with what is really there, not with the most it may be. */
void text_escape(StringInfo out, const char *bytes, Size len);

/* Appends bytes[0..len) as bytea is printed in hexadecimal, which needs no other buffer. */
void text_hex(StringInfo out, const char *bytes, Size len);

/* Whether bytes[0..len) are sure to find room behind `out`, however they get onto the line. */
bool text_fits(const struct text *text, StringInfo out, Size len);

/* Appends bytes[0..len), converted and escaped. False where that cannot be
 * written in UTF-8; `out` then holds a part of it. */
bool text_append(const struct text *text, StringInfo out, const char *bytes, Size len);

/* The error behind that false; `column` is NULL for a table's own name. */
void text_refuse(const struct text *text, const char *schema, const char *table, const char *column)
    pg_attribute_noreturn();

#endif
