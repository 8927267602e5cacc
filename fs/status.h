/*
 * status.h - the text of /status: "name<TAB>value" lines.
 */
#ifndef FS_STATUS_H
#define FS_STATUS_H

#include "config.h"
#include "ingest.h"
#include "keeper.h"

/* The text, to be freed, and its length; NULL: out of memory. */
char *status_print(size_t *len, struct store *store, const struct config *config, const struct ingest_status *ingest,
                   const struct keeper_status *keeper);

#endif
