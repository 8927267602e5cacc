/*
 * inserts.h - rows as COPY's text format has them -> `insert` lines.
 *
 *     fox61\then62\n  ->  _table\tzzz\t_action\tinsert\ta\tfox61\tb\then62\n
 *
 * COPY's escapes and its \N are a line's own, so values are taken as they are; only booleans are 1 and 0
 * on a line. Lines gather in one buffer, which the caller takes and empties: no memory is asked for by row.
 */
#ifndef COMMON_INSERTS_H
#define COMMON_INSERTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "line.h"

/* What the lines of one table have in common. */
struct inserts_column {
	char *lead; /* "\tname\t", escaped */
	size_t lead_len;
	bool boolean;
};

struct inserts_format {
	char *head; /* "[_schema\tS\t]_table\tT\t_action\tinsert" */
	size_t head_len;
	struct inserts_column *columns;
	size_t count;
	size_t leads_len; /* of all columns */
};

/* Starts with no column; `pairs` is what names the table. -ENOMEM. Free with inserts_format_fini in any case. */
int inserts_format_init(struct inserts_format *format, struct span pairs, struct err *err);
void inserts_format_fini(struct inserts_format *format);

/* One more column, in the order of COPY; its raw name. -ENOMEM. */
int inserts_format_add(struct inserts_format *format, const char *name, bool boolean, struct err *err);

/* Zeros are an empty one. */
struct inserts {
	char *buf; /* buf[0..len): whole lines */
	size_t len, cap;
	uint64_t count; /* of the lines in it */
};

/* Adds one row of COPY's, without its '\n'. -ENOMEM; -EPROTO: not as many values as columns; -EILSEQ: no UTF-8. */
int inserts_add(struct inserts *inserts, const struct inserts_format *format, const char *copied, size_t len,
                struct err *err);

/* Forgets the lines. A buffer that one huge row made huge is given back. */
void inserts_empty(struct inserts *inserts);
void inserts_fini(struct inserts *inserts);

#endif
