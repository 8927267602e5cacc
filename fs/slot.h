/*
 * slot.h - a source (source.h) that is a PostgreSQL replication slot with the
 * output plugin deltaflood.
 *
 * Protocol: PostgreSQL documentation, "Streaming Replication Protocol" and
 * "Logical Streaming Replication Protocol". What it rests on:
 *  - START_REPLICATION begins behind the LSN it is given, but the server moves an
 *    older one forward to what the slot has confirmed, and takes a later one
 *    silently: so both are checked before (fit.h). It begins where the slot stands,
 *    so that what the store holds beyond that comes again, and is compared (resume.h); but where that is of other tables.
 *  - The LSN in a message's header is 0 within a transaction: only the commit
 *    line's counts.
 *  - A keepalive's LSN is idle WAL only between transactions.
 */
#ifndef FS_SLOT_H
#define FS_SLOT_H

#include "source.h"

/* All strings are borrowed. `tables`: the plugin's option, "" for all. NULL where
 * out of memory. */
struct source *slot_source(const char *conninfo, const char *slot, const char *tables);

#endif
