#include "feed.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "queue.h"
#include "stop.h"

struct feed {
	struct queue queue;
	struct block *block; /* the reading thread's, as this: */
	struct line_before before;
	feed_read *read;
	void *read_ctx;
};

static int watch(int epoll_fd, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return fd < 0 ? 0 : epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

int feed_end_open(struct feed_end *end, struct err *err)
{
	end->over_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	end->fd = epoll_create1(EPOLL_CLOEXEC);
	if (end->over_fd < 0 || end->fd < 0 || watch(end->fd, end->over_fd) < 0 || watch(end->fd, stop_fd()) < 0) {
		int rc = err_errno(err, "cannot wait for several things");
		feed_end_close(end);
		return rc;
	}
	return 0;
}

void feed_end_close(struct feed_end *end)
{
	if (end->over_fd >= 0)
		close(end->over_fd);
	if (end->fd >= 0)
		close(end->fd);
	*end = (struct feed_end){-1, -1};
}

static void tell_end(const struct feed_end *end)
{
	uint64_t one = 1;

	if (end && write(end->over_fd, &one, sizeof one) < 0) {
		/* it is readable already */
	}
}

static int is_over(struct err *err)
{
	return err_set(err, -ECANCELED, "no more lines are wanted");
}

/* The block goes, and an empty one comes. */
static int next_block(struct feed *feed, struct err *err)
{
	bool lent = feed->block->lent;

	queue_push(&feed->queue);
	feed->block = lent && !queue_drain(&feed->queue) ? NULL : queue_room(&feed->queue);
	return feed->block ? 0 : is_over(err);
}

int feed_line(struct feed *feed, const char *text, size_t len, struct err *err)
{
	struct follow_line line = {.text = text, .len = len};

	if (!line_parse_next(&feed->before, text, len, &line.head))
		line.head = (struct line_head){0};
	int rc = block_add(feed->block, &line) ? 0 : next_block(feed, err);
	if (rc < 0)
		return rc;
	if (feed->block->count == 0)
		block_add(feed->block, &line);
	return feed->block->lent ? next_block(feed, err) : 0;
}

static void *run(void *ctx)
{
	struct feed *feed = ctx;
	struct err err = {0};

	feed->block = queue_room(&feed->queue);
	int rc = feed->block ? feed->read(feed->read_ctx, feed, &err) : 0;
	if (feed->block) {
		feed->block->last = true;
		feed->block->rc = rc;
		feed->block->err = err;
		queue_push(&feed->queue);
	}
	return NULL;
}

static int take_all(struct feed *feed, pthread_t thread, feed_each *each, void *ctx, struct err *err)
{
	struct follow_line line;

	for (;;) {
		const struct block *block = queue_take(&feed->queue, thread);
		for (size_t i = 0; i < block->count; i++) {
			block_line(block, i, &line);
			int rc = each(ctx, &line, err);
			if (rc < 0)
				return rc;
		}
		if (!block->last)
			continue;
		if (block->rc < 0)
			*err = block->err;
		return block->rc;
	}
}

int feed_run(feed_read *read, void *read_ctx, feed_each *each, void *each_ctx, const struct feed_end *end,
             struct err *err)
{
	struct feed feed = {.read = read, .read_ctx = read_ctx};
	pthread_t thread;

	int rc = queue_init(&feed.queue, err);
	if (rc == 0 && pthread_create(&thread, NULL, run, &feed) != 0)
		rc = err_set(err, -ENOMEM, "cannot start a thread");
	if (rc == 0) {
		rc = take_all(&feed, thread, each, each_ctx, err);
		if (rc < 0)
			tell_end(end);
		queue_close(&feed.queue);
		queue_join(thread);
	}
	queue_fini(&feed.queue);
	return rc;
}
