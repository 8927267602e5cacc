#include "queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "stop.h"

/* How often a wait looks whether the program is to end. */
#define LOOK_MS 100
/* For so many blocks, or for room for them, a wait is. */
#define AT_ONCE ((size_t)8)
/* How long a thread's end is waited for before its call is interrupted once more. */
#define END_MS 50

int queue_init(struct queue *queue, struct err *err)
{

	*queue = (struct queue){.lock = PTHREAD_MUTEX_INITIALIZER};
	clock_cond_init(&queue->changed);
	for (size_t i = 0; i < QUEUE_BLOCKS; i++) {
		struct block *block = &queue->blocks[i];
		block->text = malloc(BLOCK_BYTES);
		block->lines = malloc(BLOCK_LINES * sizeof *block->lines);
		if (!block->text || !block->lines)
			return err_set(err, -ENOMEM, "out of memory for lines that are read ahead");
	}
	return 0;
}

void queue_fini(struct queue *queue)
{
	for (size_t i = 0; i < QUEUE_BLOCKS; i++) {
		free(queue->blocks[i].text);
		free(queue->blocks[i].lines);
	}
	pthread_cond_destroy(&queue->changed);
	pthread_mutex_destroy(&queue->lock);
}

struct block *queue_room(struct queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	if (queue->pushed - queue->done == QUEUE_BLOCKS)
		while (!queue->closed && queue->pushed - queue->done > QUEUE_BLOCKS - AT_ONCE)
			pthread_cond_wait(&queue->changed, &queue->lock);
	struct block *block = queue->closed ? NULL : &queue->blocks[queue->pushed % QUEUE_BLOCKS];
	pthread_mutex_unlock(&queue->lock);
	if (block)
		*block = (struct block){.text = block->text, .lines = block->lines};
	return block;
}

void queue_push(struct queue *queue)
{
	const struct block *block = &queue->blocks[queue->pushed % QUEUE_BLOCKS];

	pthread_mutex_lock(&queue->lock);
	queue->pushed++;
	queue->urgent = block->last || block->lent;
	if (queue->urgent || queue->pushed - queue->taken >= AT_ONCE)
		pthread_cond_signal(&queue->changed);
	pthread_mutex_unlock(&queue->lock);
}

bool queue_drain(struct queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	while (!queue->closed && queue->done < queue->pushed)
		pthread_cond_wait(&queue->changed, &queue->lock);
	bool closed = queue->closed;
	pthread_mutex_unlock(&queue->lock);
	return !closed;
}

static struct timespec after(clockid_t clock, long ms)
{
	struct timespec at;

	clock_gettime(clock, &at);
	at.tv_nsec += ms * 1000000L;
	at.tv_sec += at.tv_nsec / 1000000000L;
	at.tv_nsec %= 1000000000L;
	return at;
}

struct block *queue_take(struct queue *queue, pthread_t reader)
{
	struct timespec look;

	pthread_mutex_lock(&queue->lock);
	queue->done = queue->taken;
	bool empty = queue->pushed == queue->taken;
	if (empty || queue->pushed - queue->done == QUEUE_BLOCKS - AT_ONCE)
		pthread_cond_signal(&queue->changed);
	while (empty && queue->pushed - queue->taken < AT_ONCE && !(queue->urgent && queue->pushed > queue->taken)) {
		look = after(CLOCK_MONOTONIC, LOOK_MS);
		if (pthread_cond_timedwait(&queue->changed, &queue->lock, &look) == ETIMEDOUT && stop_asked())
			stop_interrupt(reader);
	}
	struct block *block = &queue->blocks[queue->taken++ % QUEUE_BLOCKS];
	pthread_mutex_unlock(&queue->lock);
	return block;
}

void queue_join(pthread_t reader)
{
	struct timespec until;

	do {
		stop_interrupt(reader);
		until = after(CLOCK_REALTIME, END_MS);
	} while (pthread_timedjoin_np(reader, NULL, &until) != 0);
}

void queue_close(struct queue *queue)
{
	pthread_mutex_lock(&queue->lock);
	queue->closed = true;
	pthread_cond_broadcast(&queue->changed);
	pthread_mutex_unlock(&queue->lock);
}

/* Whether its pairs are enough. A definition is kept as a whole, and what alone has a stamp, or none. */
static bool is_same(const struct block *block, const struct line_head *head)
{
	return block->count > 0 && !block->lent && head->same && !head->relid.at && head->pairs.at &&
	       head->stamped == block->lines[block->count - 1].stamped;
}

bool block_add(struct block *block, const struct follow_line *line)
{
	bool same = is_same(block, &line->head);
	struct span text = same ? line->head.pairs : (struct span){line->text, line->len};

	if (block->lent || block->count == BLOCK_LINES || (block->count > 0 && text.len > BLOCK_BYTES - block->used))
		return false;
	block->lent = text.len > BLOCK_BYTES;
	if (block->lent) {
		block->lent_line = *line;
	} else {
		block->lines[block->count] = (struct block_line){.position = line->head.position,
		                                                 .at = (uint32_t)block->used,
		                                                 .len = (uint32_t)text.len,
		                                                 .stamp_len = (uint32_t)line->head.stamp_len,
		                                                 .same = same,
		                                                 .stamped = line->head.stamped,
		                                                 .commit = line->commit,
		                                                 .begins = line->begins};
		memcpy(block->text + block->used, text.at, text.len);
		block->used += text.len;
	}
	block->count++;
	return true;
}

static void whole_line(const struct block *block, const struct block_line *added, struct follow_line *line)
{
	*line = (struct follow_line){.text = block->text + added->at, .len = added->len};
	line->head.stamped = added->stamped;
	line->head.stamp_len = added->stamp_len;
	line->head.position = added->position;
	/* What feed.h has may be no line at all. */
	if (!line_parse_rest(line->text, line->len, &line->head))
		line->head = (struct line_head){0};
}

void block_line(const struct block *block, size_t i, struct follow_line *line)
{
	const struct block_line *added = &block->lines[i];
	struct line_head *head = &line->head;

	if (block->lent) {
		*line = block->lent_line;
		return;
	}
	if (added->same) {
		line->text = NULL;
		line->len += added->stamp_len + added->len;
		line->len -= head->stamp_len + head->pairs.len;
		head->same = true;
		head->stamp_len = added->stamp_len;
		head->position = added->position;
		head->pairs = (struct span){block->text + added->at, added->len};
	} else {
		whole_line(block, added, line);
	}
	line->commit = added->commit;
	line->begins = added->begins;
}
