/*
 * status.h - the text of /status: "name<TAB>value" lines.
 */
#ifndef FS_STATUS_H
#define FS_STATUS_H

#include "config.h"
#include "ingest.h"

/* Writes it with a NUL, at most `size` bytes; returns its length. */
size_t status_print(char *text, size_t size, struct store *store, const struct ingest_status *ingest,
                    const struct config *config);
enum { STATUS_MAX = 8192 };

#endif
