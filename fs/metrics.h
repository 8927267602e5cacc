/*
 * metrics.h - the text of /metrics: what /status says, in Prometheus' text format (version 0.0.4), by its
 * rules for names: base units, counters end in _total.
 */
#ifndef FS_METRICS_H
#define FS_METRICS_H

#include "status.h"

/* The text, to be freed, and its length; NULL: out of memory. */
char *metrics_print(size_t *len, struct store *store, const struct config *config, const struct standing *standing);

#endif
