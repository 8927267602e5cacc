/*
 * copies.h - the open files of snapshots: a file takes one descriptor, however often it is open. So it takes
 * as many tables as there may be descriptors, not readers, to use them up; and before that is reached, the
 * next one is refused: what the store needs itself is left.
 *
 * Threads: any.
 */
#ifndef FS_COPIES_H
#define FS_COPIES_H

#include "err.h"

struct copies;
struct copies *copies_new(void); /* NULL: out of memory */
void copies_free(struct copies *copies);

struct copy {
	int fd; /* shared: to be read by place */
};

/* Takes `fd` over, also where it fails. -ENFILE, -ENOMEM. */
int copies_open(struct copies *copies, int fd, struct copy **copy, struct err *err);
void copies_close(struct copies *copies, struct copy *copy);

#endif
