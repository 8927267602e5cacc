/*
 * queue.h - lines on their way from the thread that reads them to the one that applies them.
 *
 *     queue_room ─▶ block_add ... ─▶ queue_push          the reader; waits where all blocks are on their way
 *     queue_take ─▶ block_line ... ─▶ queue_take         who applies; gives the block before back
 *
 * A block is some hundred KB, and there are QUEUE_BLOCKS of them: that is all the memory, however long the stream. It comes
 * while a batch of mirror.c is written. Who has to wait does so for some of them at
 * once: on a busy machine each wait costs more than a block is worth. A line that is longer than a block is not copied,
 * but lent: it is alone in its block, and what it stands in must not change until the next queue_take (queue_drain
 * waits for that).
 *
 * One thread at each end.
 */
#ifndef MIRROR_QUEUE_H
#define MIRROR_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "follow.h"

#define QUEUE_BLOCKS 64
#define BLOCK_BYTES ((size_t)128 << 10)
#define BLOCK_LINES ((size_t)1024)

/* A line in its text. Of one that begins as the line before it in the block, only its pairs are there. */
struct block_line {
	struct position position;
	uint32_t at, len; /* in text */
	uint32_t stamp_len;
	bool same, stamped, commit, begins;
};

struct block {
	char *text;
	size_t used;
	struct block_line *lines;
	size_t count;
	struct follow_line lent_line;
	bool lent;
	bool last; /* the reader has stopped behind it: */
	int rc;    /* for that reason */
	struct err err;
};

struct queue {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct block blocks[QUEUE_BLOCKS];
	size_t pushed, taken, done; /* so many, ever; the one taken last is not done with */
	bool urgent;                /* no more comes before what was pushed is taken */
	bool closed;
};

/* -ENOMEM; queue_fini in any case, when only one thread is left. */
int queue_init(struct queue *queue, struct err *err);
void queue_fini(struct queue *queue);

/* The reader's: an empty block; NULL: it is to end. */
struct block *queue_room(struct queue *queue);
void queue_push(struct queue *queue);

/* Waits until all that was pushed is done with. False: it is to end. */
bool queue_drain(struct queue *queue);

/* False: there is no room for it, but in an empty block there always is. */
bool block_add(struct block *block, const struct follow_line *line);

/* Its line number i, as it was added, but that a `same` one has no text of its own: what is not its stamp or its pairs
 * is that of lines before. They are asked for one after the other, each in the same `line`. Borrowed as the block is. */
void block_line(const struct block *block, size_t i, struct follow_line *line);

/* The next block, borrowed until the next call; one has to be on its way, or to come. Where the program is to end
 * meanwhile, a call of `reader` that hangs is interrupted. */
struct block *queue_take(struct queue *queue, pthread_t reader);

/* The reader's waits end, now and later. */
void queue_close(struct queue *queue);

/* After queue_close: until that thread has ended. A call of it that hangs is interrupted. */
void queue_join(pthread_t reader);

#endif
