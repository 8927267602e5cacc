#include "ahead.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "queue.h"

/* So many lines without an end in between are worth the thread. */
#define ALONE_LINES 500

struct ahead {
	struct follow *follow; /* the thread's while it runs */
	struct queue queue;
	pthread_t thread;
	bool started;
	pthread_cond_t go;
	bool runs; /* under the queue's lock, as is: */
	bool ends;

	bool reads; /* the caller's view of `runs`: until it has taken the last block */
	struct block *block;
	size_t at;               /* of the block's next line */
	struct follow_line line; /* that was handed out last */
	unsigned alone;          /* lines that the caller read by itself since the last end */
	struct position last;
};

int ahead_open(struct ahead **opened, const struct follow_source *source, const struct position *after, struct err *err)
{
	struct ahead *ahead = calloc(1, sizeof *ahead);

	*opened = NULL;
	if (!ahead)
		return err_set(err, -ENOMEM, "out of memory");
	int rc = follow_open(&ahead->follow, source, after, err);
	if (rc < 0) {
		free(ahead);
		return rc;
	}
	*opened = ahead;
	return 0;
}

/* ---- the thread */

/* False: it is to end. */
static bool wait_for_go(struct ahead *ahead)
{
	pthread_mutex_lock(&ahead->queue.lock);
	while (!ahead->runs && !ahead->ends)
		pthread_cond_wait(&ahead->go, &ahead->queue.lock);
	bool goes = !ahead->ends;
	pthread_mutex_unlock(&ahead->queue.lock);
	return goes;
}

/* The lines up to an end or an error, block by block. False: it is to end. */
static bool read_on(struct ahead *ahead)
{
	struct block *block = queue_room(&ahead->queue);
	struct follow_line line;

	while (block) {
		block->rc = follow_next(ahead->follow, &line, &block->err);
		if (block->rc <= 0)
			break;
		if (!block_add(block, &line)) {
			queue_push(&ahead->queue);
			if (!(block = queue_room(&ahead->queue)))
				return false;
			block_add(block, &line);
		}
		if (block->lent) {
			queue_push(&ahead->queue);
			block = queue_drain(&ahead->queue) ? queue_room(&ahead->queue) : NULL;
		}
	}
	if (!block)
		return false;
	block->last = true;
	pthread_mutex_lock(&ahead->queue.lock);
	ahead->runs = false;
	pthread_mutex_unlock(&ahead->queue.lock);
	queue_push(&ahead->queue);
	return true;
}

static void *run(void *ctx)
{
	struct ahead *ahead = ctx;

	while (wait_for_go(ahead) && read_on(ahead))
		;
	return NULL;
}

static int start(struct ahead *ahead, struct err *err)
{
	int rc = queue_init(&ahead->queue, err);

	if (rc == 0 && pthread_create(&ahead->thread, NULL, run, ahead) != 0)
		rc = err_set(err, -ENOMEM, "cannot start a thread");
	if (rc < 0)
		queue_fini(&ahead->queue);
	ahead->started = rc == 0;
	return rc;
}

static void end(struct ahead *ahead)
{
	pthread_mutex_lock(&ahead->queue.lock);
	ahead->ends = true;
	pthread_cond_signal(&ahead->go);
	pthread_mutex_unlock(&ahead->queue.lock);
	queue_close(&ahead->queue);
	queue_join(ahead->thread);
	queue_fini(&ahead->queue);
}

void ahead_close(struct ahead *ahead)
{
	if (!ahead)
		return;
	if (ahead->started)
		end(ahead);
	follow_close(ahead->follow);
	free(ahead);
}

/* ---- the caller */

static int next_alone(struct ahead *ahead, struct err *err)
{
	int rc = follow_next(ahead->follow, &ahead->line, err);

	ahead->alone = rc > 0 ? ahead->alone + 1 : 0;
	return rc;
}

static int send_off(struct ahead *ahead, struct err *err)
{
	int rc = ahead->started ? 0 : start(ahead, err);

	if (rc < 0)
		return rc;
	ahead->last = follow_position(ahead->follow);
	ahead->reads = true;
	ahead->block = NULL;
	pthread_mutex_lock(&ahead->queue.lock);
	ahead->runs = true;
	pthread_cond_signal(&ahead->go);
	pthread_mutex_unlock(&ahead->queue.lock);
	return 0;
}

int ahead_next(struct ahead *ahead, const struct follow_line **line, struct err *err)
{
	*line = &ahead->line;
	if (!ahead->reads && ahead->alone < ALONE_LINES)
		return next_alone(ahead, err);
	int rc = ahead->reads ? 0 : send_off(ahead, err);
	if (rc < 0)
		return rc;
	while (!ahead->block || ahead->at == ahead->block->count) {
		if (ahead->block && ahead->block->last) {
			ahead->reads = false;
			ahead->alone = 0;
			*err = ahead->block->err;
			return ahead->block->rc;
		}
		ahead->block = queue_take(&ahead->queue, ahead->thread);
		ahead->at = 0;
	}
	block_line(ahead->block, ahead->at++, &ahead->line);
	ahead->last = ahead->line.head.position;
	return 1;
}

struct position ahead_position(const struct ahead *ahead)
{
	return ahead->reads ? ahead->last : follow_position(ahead->follow);
}

bool ahead_in_line(const struct ahead *ahead)
{
	return follow_in_line(ahead->follow);
}

bool ahead_is_cut(const struct ahead *ahead)
{
	return follow_is_cut(ahead->follow);
}

void ahead_wait(struct ahead *ahead, int stop_fd)
{
	follow_wait(ahead->follow, stop_fd);
}
