/*
 * ahead.h - what the reader of an open file is about to ask for, read while it looks at what it
 * has got: who reads on from where he was, a second time, gets the next from here.
 *
 * For files that the kernel does not read ahead in. Their bytes never change, so what was read before is as good as
 * what is read now; what comes behind its end is always read anew.
 *
 *     request ─▶ ahead_read ─▶ reply, from a part or from the caller's buffer ─▶ ahead_go: the next part is read
 *
 * There are two parts, the second one for who has read a whole one, while there are few of them: so one is read while
 * another thread replies from the other. One thread at a time reads ahead; who has replied meanwhile is free for the
 * next request. Where that has to wait for a part that comes slowly (a table few of the lines are of), it reads its second half.
 *
 * Threads: any. A use of it is what lies between an ahead_read and its ahead_go; ahead_fini waits for all of them.
 */
#ifndef FS_AHEAD_H
#define FS_AHEAD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "file.h"

enum {
	AHEAD_LEN = 1 << 20, /* of a part; the kernel asks for no more at once */
	AHEAD_MOST = 8,      /* parts of all files that may be there at the same time: bounds the memory */
};

/* Read from `off` on. */
struct ahead_part {
	char *buf; /* AHEAD_LEN; NULL: nothing */
	uint64_t off;
	size_t len;
	unsigned replies; /* which are made from it: it has to stay as it is */
	/* While it grows: */
	bool slow;             /* its last piece took long */
	bool helped;           /* who waits for it reads its rest; */
	size_t rest, rest_len; /* from here on, AHEAD_LEN: nothing of it; so much, once that one is ready */
};

struct ahead {
	pthread_mutex_t lock; /* all below */
	pthread_cond_t changed;
	atomic_uint *used; /* of AHEAD_MOST; shared */
	struct ahead_part parts[2];
	struct ahead_part *filling; /* grows just now */
	uint64_t awaited;           /* where it has to get to for who waits */
	uint64_t start, next;       /* where he began to read on; behind what was asked for last */
	unsigned onwards;           /* how many reads went on there, one after the other */
	unsigned uses;
	bool closing;
};

void ahead_init(struct ahead *ahead, atomic_uint *used);
void ahead_fini(struct ahead *ahead);

/* What was asked for. */
struct ahead_got {
	const char *bytes;        /* good until ahead_go */
	struct ahead_part *part;  /* they are in it; NULL: in the caller's own */
	struct recent_got recent; /* or, where this has any, in its pieces */
	bool more;                /* it is known that the file goes on behind them */
};

/* As file_read; the bytes are in `own`, in a part, or among the recent ones. An ahead_go has to follow, also after an error. */
long ahead_read(struct ahead *ahead, struct file *file, uint64_t off, char *own, size_t len, struct ahead_got *got,
                struct err *err);

/* After the reply: reads ahead, where that is due. What fails shows when it is asked for. */
void ahead_go(struct ahead *ahead, struct file *file, struct ahead_got *got);

#endif
