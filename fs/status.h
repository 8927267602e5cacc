/*
 * status.h - the text of /status: "name<TAB>value" lines.
 */
#ifndef FS_STATUS_H
#define FS_STATUS_H

#include "config.h"
#include "ingest.h"
#include "keeper.h"

/* Writes it with a NUL, at most `size` bytes; returns its length. */
size_t status_print(char *text, size_t size, struct store *store, const struct config *config,
                    const struct ingest_status *ingest, const struct keeper_status *keeper);
enum { STATUS_MAX = 8192 };

#endif
