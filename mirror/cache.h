/*
 * cache.h - SQLite's page cache, and how it gives back what it has.
 */
#ifndef MIRROR_CACHE_H
#define MIRROR_CACHE_H

#include <sqlite3.h>
#include <stdint.h>

#include "err.h"

int64_t cache_bytes(sqlite3 *sqlite);

/* Between two statements, in a transaction, too: pages that it has changed go to the WAL first. -EIO, -ENOSPC. */
int cache_give_back(sqlite3 *sqlite, struct err *err);

#endif
