/*
 * stride.h - records that are decoded one after the other.
 *
 * Between any two records, the walsender asks its socket for answers, its signals, the clock and a lock: that takes as much
 * as the records themselves do, until a transaction commits. Where it is far behind the end of the log, it does so every
 * RECORDS_MAX records here: when it flushes behind a record (walsender.c: WalSndLoop), the next ones are read and decoded as
 * XLogSendLogical does it.
 *
 * The last ones before the end of the log are always its own, so what it tells of its place (sentPtr) is late only while it is
 * behind. It goes back to its loop as soon as anything was sent, since only then a client's answer may have been taken.
 *
 * How: the reader's page_read callback (access/xlogreader.h) tells that a record is being read, and the place in
 * walsender_private.h that one is being decoded.
 */
#ifndef DELTAFLOOD_STRIDE_H
#define DELTAFLOOD_STRIDE_H

#include "replication/logical.h"

/* For the life of the decoding context, which is a walsender's that streams. */
void stride_init(LogicalDecodingContext *ctx);

/* Goes on, where the walsender is between two records with nothing to be sent; else, nothing. */
void stride_go(void);

/* After the record at hand it is the walsender's turn. */
void stride_end(void);

/* Whether so many bytes behind the last record are in the log: flushed, and no standby's. */
bool stride_has_log(int bytes);

/* The decoding context goes. */
void stride_fini(void);

#endif
