/*
 * bytes.h - the bytes of a segment as readers get them: each is compared with its sum in the segment's
 * index (chunks.h), and what differs is damage (damage.h), never handed on.
 *
 * All that serves readers reads segments through here; what checks the commits' sums itself need not.
 * Threads: any, while the segment is held.
 */
#ifndef FS_BYTES_H
#define FS_BYTES_H

#include "scan.h"
#include "segments.h"

/* Copies bytes from `off` on, which are added (durable and shown, or about to be); fewer only at the end of
 * these. Returns the count; -EBADMSG where they are damaged, or -errno. */
long bytes_read(struct segment *segment, uint64_t off, char *buf, size_t len, struct err *err);

/* Whether the file has the same `len` bytes, all of which are shown: -EBADMSG where it differs. Notes no damage. */
int bytes_compare(struct segment *segment, int fd, uint64_t len, struct err *err);

/* As scan_init: it borrows the segment, which has to be held at each call of scan_next. */
int bytes_scan(struct scan *scan, struct segment *segment, uint64_t off, uint64_t end, struct err *err);

#endif
