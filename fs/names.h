/*
 * names.h - which tables have retained lines, and how a table's path name (name.h) stands on its lines.
 *
 * Any thread.
 */
#ifndef FS_NAMES_H
#define FS_NAMES_H

#include "name.h"
#include "store.h"

/* Room for what names_pairs writes. */
enum { NAMES_PAIRS_MAX = 4 * NAME_RAW_MAX + 32 };

/* "[_schema\tS\t]_table\tT" (line.h: table_pairs) of a path name. Returns its length; 0 where it is none. */
size_t names_pairs(const char *name, char *pairs);

/* Calls `each` with the path name of every table with retained lines, in no order, each once; stops
 * where it returns non-zero and returns that. */
int names_list(struct store *store, int (*each)(const char *name, void *ctx), void *ctx, struct err *err);

#endif
