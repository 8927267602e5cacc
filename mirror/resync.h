/*
 * resync.h - a mirror that is there comes anew.
 *
 * All of it: in one transaction, up to where the stream ends, so that readers see the old copy until the new one
 * is whole, never an older one, and an interrupted one leaves the old. Some tables: built beside in <db>.resync by a
 * thread of its own while the mirror goes on; when both stand at the same commit, the rows are exchanged in one
 * transaction.
 *
 * In both, indexes, views, triggers and columns that people added stay where their columns do.
 */
#ifndef MIRROR_RESYNC_H
#define MIRROR_RESYNC_H

#include "err.h"
#include "mirror.h"

/* -EINTR after a signal. */
int resync_all(struct mirror *mirror, struct err *err);

/* The tables of wish->resync_tables. -EINTR after a signal; -ENOENT names a table that is nowhere. */
int resync_tables(struct mirror *mirror, struct err *err);

#endif
