/*
 * ahead.h - what the reader of an open file is about to ask for, read while it looks at what it
 * has got: who reads on from where he was, a second time, gets the next from here.
 *
 * For files that the kernel does not read ahead in. Their bytes never change, so what was read before is as good as
 * what is read now; what comes behind its end is always read anew.
 *
 * Threads: any. Who holds one (ahead_lock) is alone with it: it is held from before a reply until what comes next is
 * read, so that the next request, and the release, wait for that.
 */
#ifndef FS_AHEAD_H
#define FS_AHEAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "file.h"

enum {
	AHEAD_LEN = 1 << 20, /* what is read ahead; the kernel asks for no more at once */
	AHEAD_MOST = 8,      /* files that it is done for at the same time: bounds the memory */
};

struct ahead {
	pthread_mutex_t lock;
	atomic_uint *used; /* of AHEAD_MOST; shared */
	char *buf;         /* AHEAD_LEN; NULL: nobody reads on */
	size_t from, len;  /* buf[from..from + len) is the file's from `off` on */
	uint64_t off;
	uint64_t next;    /* behind what was asked for last */
	unsigned onwards; /* how many reads went on there, one after the other */
};

void ahead_init(struct ahead *ahead, atomic_uint *used);
void ahead_fini(struct ahead *ahead); /* waits for who holds it */

void ahead_lock(struct ahead *ahead);
void ahead_unlock(struct ahead *ahead);

/* As file_read, while it is held: the bytes are in `own`, or in a buffer that is good until ahead_go or
 * ahead_unlock. */
long ahead_read(struct ahead *ahead, struct file *file, uint64_t off, char *own, size_t len, const char **bytes,
                struct err *err);

/* After the reply: reads ahead, where that is due. What fails shows when it is asked for. */
void ahead_go(struct ahead *ahead, struct file *file);

#endif
