/*
 * cork.h - small messages that leave together.
 *
 * The walsender flushes its socket behind each message: for a transaction of one row a system call there, and one more of
 * who receives it. Here, while there is more log to read at once, messages wait in the server's own buffer for the next
 * ones. All that it sends, keepalives too, goes through that buffer, so nothing overtakes a message that waits.
 *
 * The walsender flushes whenever it has read a record, and before it waits for one (walsender.c: WalSndLoop,
 * WalSndWaitForWal); each time it is decided anew. So none waits while the walsender does, nor longer than for
 * a millisecond and what the walsender does until its next flush; before a transaction of more than a few changes they leave.
 *
 * A local socket gets more room than it has by itself, for some more of a large transaction's messages: the walsender then goes on
 * while its client is busy, instead of being put to sleep and woken again.
 *
 * How: PqCommMethods (libpq/libpq.h), which the server itself exchanges in pqmq.c.
 */
#ifndef DELTAFLOOD_CORK_H
#define DELTAFLOOD_CORK_H

#include "replication/logical.h"

/* From now on, until the decoding context goes, after an error too. In a walsender that streams. */
void cork_install(LogicalDecodingContext *ctx);

/* Just before a message of so many bytes is written. */
void cork_expect(int bytes);

/* What waits leaves now, and behind the record at hand the walsender looks what its client says. */
void cork_release(void);

#endif
