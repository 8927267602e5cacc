/*
 * names.h - which tables have retained lines.
 *
 * Any thread.
 */
#ifndef FS_NAMES_H
#define FS_NAMES_H

#include "store.h"

/* Calls `each` with the path name of every table with retained lines, in no order, each once; stops
 * where it returns non-zero and returns that. */
int names_list(struct store *store, int (*each)(const char *name, void *ctx), void *ctx, struct err *err);

#endif
