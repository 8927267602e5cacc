/*
 * recover.h - makes the newest segment whole again after a crash, and sees what happened to the others.
 *
 *  - What stands behind the last whole, checksummed commit is the torn end of
 *    an append and is cut off; a segment without one is removed, unless it is
 *    the only one: that one was written whole before it got its name.
 *  - What was synced before (the mark in STORE/confirmed) must be there: where
 *    it is not, or where the mark is lost and good transactions follow a bad
 *    place, that is damage: nothing is changed, and file and offset are named.
 *  - What is kept is written again and synced before anyone sees it: after a
 *    failed sync the page cache may show bytes that are not on the disk
 *    (and a later sync would not say so), so only a new write proves them.
 */
#ifndef FS_RECOVER_H
#define FS_RECOVER_H

#include "segment.h"

/* `len` is the file's; `synced` the last commit known to be durable, zeros
 * where nothing is known; `only`: no segment stands before it. end->off is 0 where
 * the file was removed. *learnt is what the file holds then (segment_read); the caller frees it, also after an error. */
int recover_newest(int dirfd, int fd, struct position first, uint64_t len, struct position synced, bool only,
                   struct segment_end *end, struct learnt *learnt, struct err *err);

/* That a sealed segment ends as the one that starts at `next` needs it: cut off or overwritten ends
 * show, and segments that are missing. -EBADMSG, with what to do. */
int recover_sealed(int fd, struct position first, uint64_t len, struct position next, struct err *err);

/* That a segment is of the same stream as the one before it: of the same slot, or of a later generation. Each
 * opens with its origin. -EBADMSG: one of them is another store's. */
int recover_same(const struct origin *before, struct position first, const struct origin *origin, struct err *err);

#endif
