/*
 * part.h - one file of a snapshot, as readers get it: each byte is compared with its sum (sums.h), and what
 * differs is damage (damage.h), never handed on. A snapshot from before there were sums is read as it stands.
 *
 * A file takes one descriptor, however often it is open. So it takes as many tables as there may be
 * descriptors, not readers, to use them up; and before that is reached, the next one is refused: what the
 * store needs itself is left.
 *
 * Threads: any.
 */
#ifndef FS_PART_H
#define FS_PART_H

#include "damage.h"
#include "snapshots.h"

/* Those that are open. The store's folder and `damage` are borrowed. */
struct part_set;
struct part_set *part_set_new(int store_dirfd, struct damage *damage); /* NULL: out of memory */
void part_set_free(struct part_set *set);

struct part;

/* `name` is "overlap" or "tables/<path name>". -ENOENT, -EBADMSG, -ENFILE; *part is NULL then. */
int part_open(struct part **part, struct part_set *set, struct position position, const char *name, struct err *err);
void part_close(struct part *part);

uint64_t part_len(const struct part *part);

/* Returns the count, fewer only at its end, or -errno: -EBADMSG. */
long part_read(struct part *part, uint64_t off, char *buf, size_t len, struct err *err);

#endif
