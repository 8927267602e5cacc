/*
 * seek.h - where an LSN is in the stream: a binary search over its seconds, then a scan of one.
 *
 * LSNs increase down the stream, but for where a new generation begins; where there is one, all of
 * the stream is read instead.
 */
#ifndef FS_SEEK_H
#define FS_SEEK_H

#include "stream.h"

/* Sets *after to the last commit line before the first transaction that ends behind `lsn`: 1; 0 where the stream's
 * first transaction does. -ESTALE where that was given up, or may have been. */
int seek_lsn(struct stream *stream, uint64_t lsn, struct position *after, struct err *err);

#endif
