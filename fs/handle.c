#include "handle.h"

#include <stdlib.h>
#include <unistd.h>

#include <utlist.h>

void handle_set_init(struct handle_set *set)
{
	*set = (struct handle_set){.open = NULL};
	pthread_mutex_init(&set->lock, NULL);
}

void handle_set_fini(struct handle_set *set)
{
	/* Of those who had files open while we were ended. */
	while (set->open)
		handle_free(set, set->open);
	pthread_mutex_destroy(&set->lock);
}

struct handle *handle_new(struct handle_set *set)
{
	struct handle *handle = calloc(1, sizeof *handle);

	if (handle) {
		ahead_init(&handle->ahead, &set->reading_ahead);
		pthread_mutex_lock(&set->lock);
		DL_APPEND(set->open, handle);
		pthread_mutex_unlock(&set->lock);
	}
	return handle;
}

/* Out of the list of the polled; under the lock. Returns what to notify. */
static struct fuse_pollhandle *take_poll(struct handle_set *set, struct handle *handle)
{
	struct fuse_pollhandle *poll = handle->poll;

	if (poll)
		DL_DELETE2(set->polled, handle, polled_prev, polled_next);
	handle->poll = NULL;
	return poll;
}

void handle_free(struct handle_set *set, struct handle *handle)
{
	pthread_mutex_lock(&set->lock);
	DL_DELETE(set->open, handle);
	struct fuse_pollhandle *poll = take_poll(set, handle);
	pthread_mutex_unlock(&set->lock);
	if (poll)
		fuse_pollhandle_destroy(poll);
	ahead_fini(&handle->ahead);
	if (handle->file)
		file_close(handle->file);
	if (handle->dir)
		dir_close(handle->dir);
	free(handle);
}

void handle_opened(struct handle_set *set, struct handle *handle, bool grows)
{
	pthread_mutex_lock(&set->lock);
	handle->opened = true;
	handle->grows = grows;
	pthread_mutex_unlock(&set->lock);
}

size_t handle_inos(struct handle_set *set, uint64_t *inos, size_t most)
{
	size_t count = 0;

	pthread_mutex_lock(&set->lock);
	for (struct handle *handle = set->open; handle && count < most; handle = handle->next)
		if (handle->opened && handle->ino)
			inos[count++] = handle->ino;
	pthread_mutex_unlock(&set->lock);
	return count;
}

void handle_served(struct handle_set *set, struct handle *handle, uint64_t end, bool ended)
{
	pthread_mutex_lock(&set->lock);
	if (end > handle->served)
		handle->served = end;
	handle->ended = handle->has_all = ended;
	pthread_mutex_unlock(&set->lock);
}

void handle_count(struct handle_set *set, size_t *files, size_t *followers)
{
	const struct handle *handle;

	*files = *followers = 0;
	pthread_mutex_lock(&set->lock);
	DL_FOREACH(set->open, handle)
	{
		/* cppcheck-suppress uninitvar ; the macro's own */
		*files += handle->opened;
		*followers += handle->grows && handle->ended;
	}
	pthread_mutex_unlock(&set->lock);
}

uint64_t handle_poll(struct handle_set *set, struct handle *handle, struct fuse_pollhandle *poll)
{
	struct fuse_pollhandle *old = NULL;

	pthread_mutex_lock(&set->lock);
	uint64_t served = handle->served;
	if (poll) {
		old = handle->poll;
		handle->poll = poll;
		if (!old) { /* else he keeps his place */
			handle->polled_as = ++set->polls;
			DL_APPEND2(set->polled, handle, polled_prev, polled_next);
		}
		if (set->streams && handle->has_all)
			served = UINT64_MAX;
	}
	pthread_mutex_unlock(&set->lock);
	if (old)
		fuse_pollhandle_destroy(old);
	return served;
}

/* Who has waited longest, if it was before. */
static struct fuse_pollhandle *next_due(struct handle_set *set, uint64_t last)
{
	struct fuse_pollhandle *poll = NULL;

	pthread_mutex_lock(&set->lock);
	if (set->polled && set->polled->polled_as <= last) {
		set->polled->has_all = false;
		poll = take_poll(set, set->polled);
	}
	pthread_mutex_unlock(&set->lock);
	return poll;
}

bool handle_streams(struct handle_set *set)
{
	return set->streams;
}

void handle_notify(struct handle_set *set, int spread_ms)
{
	struct fuse_pollhandle *poll;
	struct handle *handle;
	int count, told = 0, slept_ms = 0;

	pthread_mutex_lock(&set->lock);
	set->streams = spread_ms > 0;
	uint64_t last = set->polls; /* else those who ask again at once would keep this going */
	DL_COUNT2(set->polled, handle, count, polled_next);
	pthread_mutex_unlock(&set->lock);
	while ((poll = next_due(set, last))) {
		fuse_lowlevel_notify_poll(poll);
		fuse_pollhandle_destroy(poll);
		int due_ms = (int)((int64_t)spread_ms * ++told / count);
		if (due_ms > slept_ms)
			usleep((useconds_t)(due_ms - slept_ms) * 1000);
		slept_ms = due_ms;
	}
}
