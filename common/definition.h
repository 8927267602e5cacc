/*
 * definition.h - what a `schema` line says of its table.
 *
 *     _schema S _table T _xid N _relid OID _key LIST _action schema *( column TAB facts )
 *
 *     LIST  = column *( "," column )    the replica identity's columns in its order, spelt as
 *                                       in name.h (a column called * as %2A)
 *           | "*"                       REPLICA IDENTITY FULL: the whole row, which may stand twice
 *           | "\N"                      none: updates and deletes cannot be placed
 *     facts = pairs, written as a line is and then escaped as one value:
 *       number   the column's number (pg_attribute.attnum): a renamed column keeps it
 *       type     as format_type prints it
 *       base     the base type, where type is a domain
 *       labels   of an enum: OID=label, joined by commas, each label spelt as in name.h
 *       parts    of a type that has others in it: their labels, and "type:number" of each attribute
 *       notnull  1, where the column may not be NULL
 *       pk       its place in the primary key, from 1
 *       missing  the value of rows written before ADD COLUMN ... DEFAULT (attmissingval)
 *
 * in column order, dropped columns left out. Unknown facts are to be passed
 * over: later versions may add some.
 *
 *     _table	zzz	_xid	745	_relid	16384	_key	a	_action	schema	a	number\t1\ttype\ttext\tnotnull\t1\tpk\t1	b	number\t2\ttype\ttext
 */
#ifndef COMMON_DEFINITION_H
#define COMMON_DEFINITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "line.h"

enum identity {
	IDENTITY_KEY,  /* columns with key > 0 tell rows apart */
	IDENTITY_FULL, /* the whole old row; pk may help */
	IDENTITY_NONE,
};

struct column {
	const char *name;    /* raw */
	const char *type;    /* as format_type prints it */
	const char *base;    /* the type below a domain, else the same as type */
	const char *labels;  /* an enum's, as they stand in the line; NULL where it is none */
	const char *parts;   /* of what its values are made otherwise; NULL where there is none */
	const char *missing; /* NULL where there is none */
	unsigned number;     /* attnum, from 1 */
	unsigned key;        /* place in the replica identity, from 1; 0 when not in it */
	unsigned pk;         /* place in the primary key, from 1; 0 when not in it */
	bool not_null;
};

struct definition {
	const char *schema, *table; /* raw */
	uint32_t relid;
	enum identity identity;
	struct column *columns; /* in column order */
	unsigned column_count;
	unsigned key_count; /* columns in the identity */
	char *text;         /* what all strings above point into */
};

/* Reads a `schema` line, whose head line_parse has split. The definition owns
 * its memory, not the line's; free it with definition_fini, also after an
 * error. -EBADMSG where the line does not follow the grammar, -ENOMEM. */
int definition_parse(struct definition *def, const struct line_head *head, struct err *err);

void definition_fini(struct definition *def);

#endif
