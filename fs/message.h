/*
 * message.h - what a walsender sends in CopyData, taken apart (PostgreSQL documentation, "Streaming Replication
 * Protocol"). Pure.
 *
 *     'w'  LSN of the data, LSN of the server's end, time: 8 bytes each; data
 *     'k'  LSN of the server's end, time: 8 bytes each; 1 byte, not 0 where a reply is wanted
 */
#ifndef FS_MESSAGE_H
#define FS_MESSAGE_H

#include "source.h"

/* The message as an event, which borrows it. *end_lsn, the newest of the server's that is known, grows. -EPROTO. */
int message_parse(const char *message, size_t len, struct source_event *event, uint64_t *end_lsn, struct err *err);

#endif
