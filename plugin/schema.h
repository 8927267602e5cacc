/*
 * schema.h - a table's definition, as its `schema` line says it.
 *
 * common/definition.h has the grammar, and the code that reads it.
 */
#ifndef DELTAFLOOD_SCHEMA_H
#define DELTAFLOOD_SCHEMA_H

#include "relation.h"

/* The replica identity: what an update or delete tells of the old row. */
struct schema_key {
	enum { SCHEMA_KEY_NONE, SCHEMA_KEY_FULL, SCHEMA_KEY_COLUMNS } kind;
	int count;
	AttrNumber columns[INDEX_MAX_KEYS]; /* in the index's order */
};

void schema_find_key(struct schema_key *key, Relation rel);

/* Appends the line from `_relid` on. The relation's columns are set. */
void schema_print(const struct text *text, StringInfo out, const struct relation *relation, Relation rel,
                  const struct schema_key *key);

#endif
