#include "announce.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "hash.h"
#include "log.h"
#include "name.h"

enum { ROUND_MS = 50, SHARE = 20, OPEN_MOST = 1024 };

/* A file, and how long it was when its growth was told of. */
struct told {
	char *path;
	uint64_t mark;
	unsigned round; /* the last one in which it was there */
	bool due;
	UT_hash_handle hh;
};

struct announce {
	const struct shown *shown;
	struct handle_set *handles;
	struct tree *tree;
	const char *place;
	struct told *told;
	unsigned round;
	bool warned;
	pthread_t thread;
	atomic_int tid;
	atomic_bool stop;
};

bool announce_is(const struct announce *announce, pid_t tid)
{
	return announce && tid > 0 && atomic_load(&announce->tid) == tid;
}

/* ---- what has grown ----------------------------------------------------- */

/* The first round only takes down what is there. */
static int note(struct announce *a, const char *path, uint64_t mark)
{
	struct told *told;

	HASH_FIND_STR(a->told, path, told);
	if (!told) {
		if (!(told = calloc(1, sizeof *told)) || !(told->path = strdup(path))) {
			free(told);
			return -ENOMEM;
		}
		told->due = a->round > 1;
		HASH_ADD_KEYPTR(hh, a->told, told->path, strlen(told->path), told);
	} else if (told->mark != mark) {
		told->due = true;
	}
	told->mark = mark;
	told->round = a->round;
	return 0;
}

struct walk {
	struct announce *announce;
	const struct index *index;
	uint64_t base; /* of the segment, so that the next one's marks are others */
};

static int note_table(struct span pairs, void *ctx)
{
	const struct walk *walk = ctx;
	char path[NAME_PATH_MAX + 16] = "tables/";
	struct index_part part;

	if (!name_of_pairs(path + strlen(path), pairs) || !index_part(walk->index, pairs, &part))
		return 0;
	return note(walk->announce, path, walk->base + part.bytes);
}

static int note_tables(struct announce *a)
{
	struct segments *segments = store_segments(a->shown->store);
	struct walk walk = {.announce = a};
	struct segment *segment;
	int r = segments_hold(segments, segments_range(segments).newest, &segment, NULL);

	if (r < 0)
		return r;
	walk.base = segment->base;
	if ((r = segments_lock_index(segments, segment, &walk.index, NULL)) == 0) {
		r = index_tables(walk.index, note_table, &walk);
		segments_unlock(segments);
	}
	segments_release(segment);
	return r;
}

/* What is open below /since. */
static int note_open(struct announce *a)
{
	uint64_t *inos = malloc(OPEN_MOST * sizeof *inos);
	size_t count = inos ? handle_inos(a->handles, inos, OPEN_MOST) : 0;
	char path[TREE_PATH_MAX];
	struct node node;
	struct stat st;
	int r = inos ? 0 : -ENOMEM;

	for (size_t i = 0; i < count && r == 0; i++) {
		if (!tree_hold(a->tree, inos[i], &node))
			continue;
		if (tree_path(&node, path) && file_stat(a->shown, &node, &st, NULL) == 0)
			r = note(a, path, (uint64_t)st.st_size);
		tree_release(a->tree, inos[i]);
	}
	free(inos);
	return r;
}

static void forget_old(struct announce *a, bool all)
{
	struct told *told, *next;

	HASH_ITER(hh, a->told, told, next)
	{
		/* cppcheck-suppress uninitvar ; the macro's own */
		if (!all && told->round == a->round)
			continue;
		HASH_DEL(a->told, told);
		free(told->path);
		free(told);
	}
}

static int look_around(struct announce *a)
{
	char path[TREE_PATH_MAX];
	struct store_end end;
	struct node today = {.kind = NODE_DAY};
	int r;

	a->round++;
	store_end(a->shown->store, &end);
	today.position.epoch = end.last.epoch - end.last.epoch % DAY_SECONDS;
	if ((r = note(a, "live", store_len(a->shown->store))) == 0 && tree_path(&today, path))
		r = note(a, path, store_len(a->shown->store));
	if (r == 0 && (r = note_tables(a)) == 0)
		r = note_open(a);
	forget_old(a, false);
	return r;
}

/* ---- telling ------------------------------------------------------------ */

static void cannot(struct announce *a, const char *what)
{
	if (!a->warned && !a->stop)
		log_warn(
		    "no inotify events, since %s/%s cannot be reached by this user: %s; mount with allow_other, and "
		    "open the folders above",
		    a->place, what, strerror(errno));
	a->warned = true;
}

/* The mount, and not what may stand there once it is gone. */
static int open_mount(struct announce *a, dev_t *dev)
{
	struct stat st;
	int fd = open(a->place, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0) {
		cannot(a, "");
		if (fd >= 0)
			close(fd);
		return -1;
	}
	if (*dev == 0)
		*dev = st.st_dev;
	if (st.st_dev == *dev)
		return fd;
	close(fd);
	return -1;
}

/* Only the time of change: setting both would be another event. */
static void tell(struct announce *a, dev_t *dev)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = time(NULL)}};
	int fd = open_mount(a, dev);

	for (struct told *told = a->told; told && fd >= 0 && !a->stop; told = told->hh.next) {
		if (!told->due)
			continue;
		told->due = false;
		/* ENOENT, ESTALE: retention was quicker. */
		if (utimensat(fd, told->path, times, 0) < 0 && errno != ENOENT && errno != ESTALE)
			cannot(a, told->path);
	}
	if (fd >= 0)
		close(fd);
}

static void *announce_thread(void *arg)
{
	struct announce *a = arg;
	struct store *store = a->shown->store;
	uint64_t seen = 0;
	dev_t dev = 0;

	atomic_store(&a->tid, gettid());
	while (!a->stop) {
		uint64_t len = store_wait(store, seen, 1000);
		if (len <= seen)
			continue;
		seen = len;
		int64_t start = clock_ms();
		if (look_around(a) == -ENOMEM && !a->warned) {
			log_warn("out of memory for inotify events");
			a->warned = true;
		}
		tell(a, &dev);
		int64_t took = clock_ms() - start, rest = took * SHARE > ROUND_MS ? took * SHARE : ROUND_MS;
		while (rest > 0 && !a->stop) {
			int64_t nap = rest < 200 ? rest : 200;
			usleep((useconds_t)nap * 1000);
			rest -= nap;
		}
	}
	return NULL;
}

int announce_start(struct announce **out, const struct shown *shown, struct handle_set *handles, struct tree *tree,
                   const char *place, struct err *err)
{
	struct announce *a = calloc(1, sizeof *a);

	*out = NULL;
	if (!a)
		return err_set(err, -ENOMEM, "out of memory");
	a->shown = shown;
	a->handles = handles;
	a->tree = tree;
	a->place = place;
	*out = a;
	if ((errno = pthread_create(&a->thread, NULL, announce_thread, a)) == 0)
		return 0;
	free(a);
	*out = NULL;
	return err_errno(err, "starting a thread");
}

void announce_stop(struct announce *a)
{
	if (!a)
		return;
	a->stop = true;
	store_wake(a->shown->store);
}

void announce_end(struct announce *a)
{
	if (!a)
		return;
	pthread_join(a->thread, NULL);
	forget_old(a, true);
	free(a);
}
