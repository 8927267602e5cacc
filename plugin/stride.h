/*
 * stride.h - records that are decoded one after the other.
 *
 * Between any two records, the walsender asks its socket for answers, its signals, the clock and a lock: that takes as much
 * as the records themselves do, until a transaction commits. Where it is far behind the end of the log, it does so every
 * RECORDS_MAX records here: when it flushes behind a record (walsender.c: WalSndLoop), the next ones are read and decoded as
 * XLogSendLogical does it.
 *
 * The last one before the end of the log is always its own, so what it tells of its place (sentPtr) is late only while it is
 * behind, or waits for the rest of a very long record. It goes back to its loop as soon as anything was sent, or a transaction is no small
 * one: then a client's answer may have been taken, which may be that it has had enough. (It may be while a record
 * is waited for, too: then messages follow the server's own end of the stream, as those of one record do without this. libpq passes over them.)
 *
 * How: it takes note of its place (walsender_private.h) behind each record of its own, so only between two records that is
 * where the reader is, or in the midst of reading, which the reader's page_read callback tells (access/xlogreader.h).
 */
#ifndef DELTAFLOOD_STRIDE_H
#define DELTAFLOOD_STRIDE_H

#include "replication/logical.h"

/* For the life of the decoding context, which is a walsender's that streams. */
void stride_init(LogicalDecodingContext *ctx);

/* Goes on, where the walsender is between two records; else, nothing. Not while something is to be sent. */
void stride_go(void);

/* After the record at hand it is the walsender's turn. */
void stride_end(void);

/* Whether so many bytes behind the last record are known to be in the log: flushed, and no standby's. With 0 it is asked anew. */
bool stride_has_log(int bytes);

/* Whether a record is being read: who flushes then waits for more log (walsender.c: WalSndWaitForWal). */
bool stride_is_reading(void);

#endif
