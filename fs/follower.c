#include "follower.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "await.h"
#include "clock.h"
#include "log.h"

enum {
	LOOK_MS = 100,        /* where nothing tells that there may be more, */
	GAP_MS = 2,           /* and where it does */
	PAUSE_MOST_MS = 1000, /* between looks at what cannot be shown yet */
	REMOVED_MS = 1000,
	FIRST_MS = 5000, /* that a start waits for a copy to be whole */
	TELL_MS = 10000, /* that a copy may take before the log tells */
	SURE_MS = 5000,  /* that a contradiction has to stand */
};

struct follower {
	struct growth growth;
	struct arrived *arrived;
	pthread_t thread;
	int stop_fd;
	int watch_fd; /* the store's folder was changed; -1: the system does not tell */
	bool running;
	pthread_mutex_t lock; /* these: */
	int64_t grown_ms;
	char last_error[1024];
	int final; /* and why: last_error */
	void (*ended)(void *ctx);
	void *ctx;
	/* The thread's: since when it waits, and whether it has told; since when what is there contradicts. */
	int64_t waiting_ms, contradicted_ms, removed_ms;
	bool told;
	int pause_ms;
};

/* ---- a look -------------------------------------------------------------- */

static void say(struct follower *follower, const char *text)
{
	pthread_mutex_lock(&follower->lock);
	snprintf(follower->last_error, sizeof follower->last_error, "%s", text);
	pthread_mutex_unlock(&follower->lock);
}

static void grown(struct follower *follower)
{
	pthread_mutex_lock(&follower->lock);
	follower->grown_ms = clock_ms();
	pthread_mutex_unlock(&follower->lock);
}

/* What was there before it was looked for is all well. */
static void go_on(struct follower *follower)
{
	if (follower->told)
		log_info("the store goes on");
	if (follower->waiting_ms)
		say(follower, "");
	follower->told = false;
	follower->waiting_ms = follower->contradicted_ms = 0;
	follower->pause_ms = LOOK_MS;
}

/* What cannot be shown, or read, may come. */
static void wait_on(struct follower *follower, const char *why)
{
	int64_t now = clock_ms();

	if (!follower->waiting_ms)
		follower->waiting_ms = now;
	follower->pause_ms = follower->pause_ms * 2 < PAUSE_MOST_MS ? follower->pause_ms * 2 : PAUSE_MOST_MS;
	say(follower, why);
	if (!follower->told && now - follower->waiting_ms >= TELL_MS) {
		log_warn("no more can be shown yet: %s", why);
		follower->told = true;
	}
}

/* A file that is being written over is no contradiction yet. */
static bool is_final(struct follower *follower, int code)
{
	int64_t now = clock_ms();

	if (code == -EPROTO && !follower->contradicted_ms)
		follower->contradicted_ms = now;
	if (code != -EPROTO)
		follower->contradicted_ms = 0;
	return code == -ENOMEM || code == -ESTALE || (code == -EPROTO && now - follower->contradicted_ms >= SURE_MS);
}

static int look(struct follower *follower, struct err *err)
{
	int r = growth_look(&follower->growth, err);

	if (r >= 0)
		go_on(follower);
	if (r == 1)
		grown(follower);
	if (r < 0 && !is_final(follower, r)) {
		wait_on(follower, err->text);
		return 0;
	}
	return r;
}

/* Each second, and sooner when there is more: a snapshot may begin there. */
static void tidy(struct follower *follower, bool more)
{
	struct err err;

	if (clock_ms() - follower->removed_ms < (more ? LOOK_MS : REMOVED_MS))
		return;
	follower->removed_ms = clock_ms();
	if (growth_removed(&follower->growth, &err) < 0 || arrived_look(follower->arrived, &err) < 0)
		wait_on(follower, err.text);
}

/* ---- the thread ---------------------------------------------------------- */

/* STORE/confirmed is written, or put in its place, in the store's folder. What another host does to a network's file
 * system is not told. */
static int watch_folder(int dirfd)
{
	char path[64];
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);

	snprintf(path, sizeof path, "/proc/self/fd/%d", dirfd);
	if (fd >= 0 && inotify_add_watch(fd, path, IN_MODIFY | IN_MOVED_TO | IN_CLOSE_WRITE) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* What cannot be shown yet is not looked at each time that something comes. False when it is to end. */
static bool pause_for(struct follower *follower, int ms)
{
	struct pollfd fds[2] = {{.fd = follower->stop_fd, .events = POLLIN},
	                        {.fd = ms > LOOK_MS ? -1 : follower->watch_fd, .events = POLLIN}};
	char events[4096];

	if (await(fds, 1, GAP_MS) == 0)
		await(fds, 2, ms);
	while (fds[1].revents && read(follower->watch_fd, events, sizeof events) > 0)
		;
	return !fds[0].revents;
}

static void *run(void *arg)
{
	struct follower *follower = arg;
	struct err err;

	while (pause_for(follower, follower->pause_ms)) {
		int r = look(follower, &err);
		if (r < 0) {
			say(follower, err.text);
			follower->final = r;
			follower->ended(follower->ctx);
			return NULL;
		}
		tidy(follower, r == 1);
	}
	return NULL;
}

static struct follower *new_follower(const struct retain *shown)
{
	struct follower *follower = calloc(1, sizeof *follower);

	if (!follower)
		return NULL;
	pthread_mutex_init(&follower->lock, NULL);
	growth_init(&follower->growth, shown);
	follower->pause_ms = LOOK_MS;
	follower->stop_fd = eventfd(0, EFD_CLOEXEC);
	follower->watch_fd = watch_folder(store_dirfd(shown->store));
	follower->arrived = arrived_new(shown->store);
	if (follower->arrived && follower->stop_fd >= 0)
		return follower;
	follower_stop(follower, NULL);
	return NULL;
}

int follower_open(struct follower **out, const struct retain *shown, struct err *err)
{
	struct follower *follower = new_follower(shown);
	int64_t until = clock_ms() + FIRST_MS;
	int r;

	*out = NULL;
	if (!follower)
		return err_set(err, -ENOMEM, "out of memory or of file descriptors");
	while ((r = growth_look(&follower->growth, err)) == -EAGAIN && clock_ms() < until)
		usleep(LOOK_MS * 1000);
	if (r >= 0)
		r = arrived_look(follower->arrived, err);
	if (r < 0) {
		follower_stop(follower, NULL);
		return r == -EAGAIN ? err_prefix(err, r, "the store is not whole yet, so nothing of it can be shown")
		                    : r;
	}
	follower->grown_ms = clock_ms();
	*out = follower;
	return 0;
}

int follower_start(struct follower *follower, void (*ended)(void *ctx), void *ctx, struct err *err)
{
	follower->ended = ended;
	follower->ctx = ctx;
	if ((errno = pthread_create(&follower->thread, NULL, run, follower)) != 0)
		return err_errno(err, "starting a thread");
	follower->running = true;
	return 0;
}

void follower_status(struct follower *follower, struct follower_status *status)
{
	pthread_mutex_lock(&follower->lock);
	status->growth_seconds = (uint64_t)(clock_ms() - follower->grown_ms) / 1000;
	memcpy(status->last_error, follower->last_error, sizeof status->last_error);
	pthread_mutex_unlock(&follower->lock);
}

struct arrived *follower_arrived(struct follower *follower)
{
	return follower->arrived;
}

int follower_stop(struct follower *follower, struct err *err)
{
	if (!follower)
		return 0;
	if (follower->running) {
		eventfd_write(follower->stop_fd, 1);
		pthread_join(follower->thread, NULL);
	}
	int r = follower->final < 0 ? err_set(err, follower->final, "%s", follower->last_error) : 0;
	arrived_free(follower->arrived);
	if (follower->stop_fd >= 0)
		close(follower->stop_fd);
	if (follower->watch_fd >= 0)
		close(follower->watch_fd);
	pthread_mutex_destroy(&follower->lock);
	free(follower);
	return r;
}
