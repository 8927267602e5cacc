/*
 * visible.h - which transactions a snapshot of the server sees.
 *
 *     snapshot = xmin ":" xmax ":" [ xid *( "," xid ) ]      as pg_current_snapshot() prints it: 64-bit
 *                                                            transaction ids, those listed still running
 *
 * A transaction is visible where its id is below xmin, or below xmax and not listed. That, and no comparison
 * of LSNs, tells whether a snapshot has what a transaction did: the stream has transactions in the order of
 * their commit records, which is not the order in which they become visible (a commit that waits for a
 * synchronous standby is in the stream long before anybody sees it).
 * https://www.postgresql.org/docs/15/functions-info.html#FUNCTIONS-PG-SNAPSHOT-PARTS
 */
#ifndef COMMON_VISIBLE_H
#define COMMON_VISIBLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct visible {
	char *text; /* as it was parsed */
	uint64_t xmin, xmax;
	uint64_t *running; /* ascending */
	size_t running_count;
};

/* -EBADMSG, -ENOMEM. To be freed with visible_fini, also after an error. */
int visible_parse(struct visible *visible, const char *text, struct err *err);
bool visible_has(const struct visible *visible, uint64_t xid);
void visible_fini(struct visible *visible);

#endif
