/*
 * part.h - one file of a snapshot, as readers get it: each byte is compared with its sum (sums.h), and what
 * differs is damage (damage.h), never handed on. A snapshot from before there were sums is read as it stands.
 *
 * Threads: any, for one that is open.
 */
#ifndef FS_PART_H
#define FS_PART_H

#include "damage.h"
#include "snapshots.h"

struct part;

/* `name` is "overlap" or "tables/<path name>". `damage` is borrowed. -ENOENT, -EBADMSG; *part is NULL then. */
int part_open(struct part **part, int store_dirfd, struct position position, const char *name, struct damage *damage,
              struct err *err);
void part_close(struct part *part);

uint64_t part_len(const struct part *part);

/* Returns the count, fewer only at its end, or -errno: -EBADMSG. */
long part_read(struct part *part, uint64_t off, char *buf, size_t len, struct err *err);

#endif
