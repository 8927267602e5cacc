/*
 * schema.h - a table's definition, as its `schema` line says it.
 *
 * common/definition.h has the grammar, and the code that reads it.
 */
#ifndef DELTAFLOOD_SCHEMA_H
#define DELTAFLOOD_SCHEMA_H

#include "access/tupdesc_details.h"

#include "key.h"
#include "options.h"
#include "text.h"
#include "value.h"

struct column {
	const char *name; /* as the server calls it */
	const char *lead; /* "\tname\t", as on a line */
	int lead_len;
	bool silent; /* dropped, or not stored: never printed */
	bool in_key; /* to be printed of an old row */
	bool may_be_external;
	struct value_type type;
};

/* Appends the line from `_relid` on. `columns` are all that the relation has, with dropped ones; `key` is its replica
 * identity. `missing`: of each column what the catalogs do not say any more, or NULL. */
void schema_print(const struct text *text, StringInfo out, Relation rel, const struct table_name *name,
                  struct column *columns, const struct key *key, const AttrMissing *missing);

#endif
