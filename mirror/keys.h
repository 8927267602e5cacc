/*
 * keys.h - SQL that finds some suspects' rows at the server.
 */
#ifndef MIRROR_KEYS_H
#define MIRROR_KEYS_H

#include "err.h"
#include "sides.h"
#include "suspect.h"

/* How many one query asks for. */
#define KEYS_BATCH 500

/* "WHERE ..." for open suspects from *next on, at most KEYS_BATCH of them, to be freed with sqlite3_free; *next is
 * then the first that it leaves out, or NULL. It may find more than those, and only if `by_text`, it cannot fail for
 * a key that the server's type does not have; but then it uses no index. NULL where there is none to ask for,
 * -ENOMEM in *code. */
char *keys_where(const struct sides *sides, struct suspect **next, bool by_text, int *code);

#endif
