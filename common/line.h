/*
 * line.h - the line codec: one change of the stream as tab-separated pairs.
 *
 *     line    = pair *( TAB pair )             the '\n' behind it is not part of it
 *     pair    = name TAB value
 *     name    = *byte                          escaped
 *     value   = *byte | "\N"                   escaped; \N is NULL
 *     escapes = \\ \t \n \r \b \f \v           as in COPY's text format
 *
 * The pseudo-columns come first, in this order, each at most once; only
 * `_action` is always there, and what follows it belongs to the row:
 *
 *     _c _s _schema _table _xid _relid _key _action
 *
 *     _c	1507507200	_s	10	_table	zzz	_xid	88628916	_action	update	a	fox61	b	hen62
 *
 * No malloc, no I/O, no errno: this file links into the PostgreSQL backend
 * too. Nothing here reads past the length it is given, whatever the bytes.
 */
#ifndef COMMON_LINE_H
#define COMMON_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "position.h"

/* Borrowed bytes, still escaped. `at` is NULL where there are none at all,
 * which an empty value is not. */
struct span {
	const char *at;
	size_t len;
};

/* The pseudo-columns of one line; all spans point into it. */
struct line_head {
	bool same;        /* line_parse_next alone: but for stamp and pairs, it has the bytes of the line before */
	bool stamped;     /* _c and _s are there, */
	size_t stamp_len; /* with the tab behind them: so long */
	struct position position;
	struct span schema, table, xid, relid, key, action;
	struct span table_pairs; /* "[_schema\tS\t]_table\tT": the same bytes in each line of a table */
	struct span pairs;       /* all after the value of _action, to be read with line_next */
};

/* How many leading bytes of text[0..len) stand for themselves. */
size_t line_plain_len(const char *text, size_t len);

/* Copies to `out` what stands before the first byte of text[0..len) that is not printable ASCII, or is a backslash; returns
 * how many bytes. Those need no escape, and are UTF-8. */
size_t line_copy_plain(char *out, const char *text, size_t len);

/* Escapes text[0..len) to `out`, at most 2 * len bytes; returns the length. */
size_t line_escape(char *out, const char *text, size_t len);

/* Unescapes to `out` (at most `value.len` bytes; may be value.at itself) and
 * returns the length, or -1 where a backslash is followed by none of the
 * letters above. NULL (`\N`) is to be asked for first, with line_is_null. */
long line_unescape(char *out, struct span value);

bool line_is_null(struct span value);

/* The value that begins text[0..len): how long it is, and whether a backslash is in it. */
size_t line_value_len(const char *text, size_t len, bool *escaped);

/* Here, so that a known text's length is known, too: some are asked of each line. */
static inline bool span_is(struct span span, const char *text)
{
	size_t len = strlen(text);

	return span.at && span.len == len && memcmp(span.at, text, len) == 0;
}

/* Takes the next pair off `rest`. 1: there was one; 0: the end; -1: a name
 * without a value. */
int line_next(struct span *rest, struct span *name, struct span *value);

/* Splits the pseudo-columns off. False where `line` (without '\n') does not
 * follow the grammar: unordered or unknown ones, no `_action`, `_c` without
 * `_s`, numbers that are none. */
bool line_parse(const char *line, size_t len, struct line_head *head);

/* The pseudo-columns of the line before, but for its stamp: where the next line has the same bytes, they are not taken
 * apart again. Zeros: there was none. */
#define LINE_BEFORE_MOST 256
struct line_before {
	char text[LINE_BEFORE_MOST]; /* from behind the stamp up to the row's first name */
	size_t len;
	struct line_head head; /* of them */
};

/* As line_parse. */
bool line_parse_next(struct line_before *before, const char *line, size_t len, struct line_head *head);

/* As line_parse, of a line whose stamp is known: that part of `head` is set. */
bool line_parse_rest(const char *line, size_t len, struct line_head *head);

/* Whether a backslash may stand before it. */
bool line_is_escape(char letter);

/* The length of the character of UTF-8 at text[0], 0 where it is none: no surrogate, nothing overlong. */
size_t line_char_len(const char *text, size_t len);

/* How many leading bytes of text[0..len) are whole characters of UTF-8. */
size_t line_utf8_len(const char *text, size_t len);

#endif
