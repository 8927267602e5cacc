/*
 * options.h - what START_REPLICATION or pg_logical_slot_get_changes may ask for.
 *
 *     include-xids    true     `_xid` on every line
 *     skip-nulls      false    leave NULL columns out
 *     only-local      false    pass over what came here by replication
 *     tables          all      path names (name.h), joined by commas
 *     null            \N       what stands for NULL, printed as it is
 *     convert-bool    true     1 and 0 for booleans, else t and f
 *     include-commit  true     `begin` and `commit` lines
 *     include-schema  true     `schema` lines
 *     batch-bytes     56000    lines gathered in one message; 0: one line each
 *
 * `skip-nulls=true include-commit=false include-schema=false` is the first format; what has neither
 * commits nor definitions has none of daystream's own messages.
 */
#ifndef DELTAFLOOD_OPTIONS_H
#define DELTAFLOOD_OPTIONS_H

#include "nodes/pg_list.h"
#include "utils/hsearch.h"

/* A table as the server calls it. Filled up with zeros: it serves as a hash key. */
struct table_name {
	NameData schema, table;
};

struct options {
	bool include_xids, skip_nulls, only_local, convert_bool, include_commit, include_schema;
	const char *null;
	int null_len;
	int batch_bytes;
	HTAB *tables; /* of struct table_name; NULL: all */
};

/* Reads a list of DefElem over the defaults; throws where it is not right.
 * What it keeps lives in `context`. */
void options_parse(struct options *options, List *given, MemoryContext context);

bool options_want(const struct options *options, const struct table_name *name);

#endif
