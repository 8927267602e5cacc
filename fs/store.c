#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "recover.h"

struct store {
	enum store_mode mode;
	int dirfd, segments_dirfd;
	struct confirmed_file confirmed;
	pthread_rwlock_t lock; /* segments, count, end, the newest segment's len and index */
	struct segment **segments;
	size_t count, cap;
	struct store_end end;
	pthread_mutex_t index_lock; /* mapping sealed indexes, one at a time */
	pthread_mutex_t wait_lock;  /* for `more` */
	pthread_cond_t more;
	unsigned wakes;
};

int store_dirfd(const struct store *store)
{
	return store->dirfd;
}

int store_segments_dirfd(const struct store *store)
{
	return store->segments_dirfd;
}

struct confirmed_file *store_confirmed(struct store *store)
{
	return &store->confirmed;
}

/* ---- opening ------------------------------------------------------------ */

static int add_segment(struct store *store, struct position first, int fd, uint64_t len, struct err *err)
{
	struct segment *segment = calloc(1, sizeof *segment);
	const struct segment *before = store->count ? store->segments[store->count - 1] : NULL;

	if (store->count == store->cap) {
		size_t cap = store->cap ? store->cap * 2 : 64;
		struct segment **more = realloc(store->segments, cap * sizeof *more);
		if (more) {
			store->segments = more;
			store->cap = cap;
		}
	}
	if (!segment || store->count == store->cap) {
		free(segment);
		return err_set(err, -ENOMEM, "out of memory for the list of segments");
	}
	*segment =
	    (struct segment){.first = first, .fd = fd, .base = before ? before->base + before->len : 0, .len = len};
	store->segments[store->count++] = segment;
	return 0;
}

static int open_segment(struct store *store, struct position first, enum store_mode mode, struct err *err)
{
	char name[SEGMENT_NAME_MAX];
	struct stat st;
	int fd = openat(store->segments_dirfd, segment_name(name, first),
	                (mode == STORE_WRITE ? O_RDWR : O_RDONLY) | O_CLOEXEC);

	if (fd < 0 || fstat(fd, &st) < 0) {
		int r = err_errno(err, "opening segments/%s", name);
		if (fd >= 0)
			close(fd);
		return r;
	}
	int r = add_segment(store, first, fd, (uint64_t)st.st_size, err);
	if (r < 0)
		close(fd);
	return r;
}

static void drop_last(struct store *store)
{
	struct segment *segment = store->segments[--store->count];

	close(segment->fd);
	index_free(segment->index);
	free(segment);
}

/* Finds where the newest segment is whole, and indexes it up to there. A
 * newest segment without a whole commit is nothing; then the one before is it. */
static int open_newest(struct store *store, enum store_mode mode, struct err *err)
{
	for (;;) {
		if (store->count == 0)
			return err_set(err, -ENOENT, "no whole segment in it: run `daystream init` first");

		struct segment *newest = store->segments[store->count - 1];
		struct segment_end end;
		int r = mode == STORE_WRITE
		            ? recover_newest(store->segments_dirfd, newest->fd, newest->first, newest->len,
		                             store->confirmed.now.last, store->count == 1, &end, err)
		            : segment_verify(newest->fd, newest->first, newest->len, (struct position){0}, &end, err);
		if (r < 0 && !(mode == STORE_READ && r == -EBADMSG)) /* a reader takes what is good so far */
			return r;
		if (end.off == 0) {
			drop_last(store);
			continue;
		}
		newest->len = end.off;
		newest->growing = true;
		newest->index = index_new();
		if (!newest->index)
			return err_set(err, -ENOMEM, "out of memory for the index");
		uint64_t from = 0;
		if ((r = segment_index(newest->fd, &from, end.off, newest->index, err)) < 0)
			return r;
		index_show(newest->index);
		store->end = (struct store_end){newest->first, end.off, end.last, end.lsn, end.origin};
		return 0;
	}
}

/* `daystream status` holds the lock for a moment, to see whether it is free. */
static int lock_folder(int dirfd)
{
	int r = -1;

	for (int tries = 0; tries < 20 && (r = flock(dirfd, LOCK_EX | LOCK_NB)) < 0 && errno == EWOULDBLOCK; tries++)
		usleep(10000);
	return r;
}

static int open_folder(struct store *store, const char *path, enum store_mode mode, struct err *err)
{
	store->dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->dirfd < 0)
		return err_errno(err, "opening the store");
	if (mode == STORE_WRITE && lock_folder(store->dirfd) < 0)
		return errno == EWOULDBLOCK
		           ? err_set(err, -EBUSY, "another daystreamfs (or daystream init) is at work on this store")
		           : err_errno(err, "locking the store");
	store->segments_dirfd = openat(store->dirfd, "segments", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->segments_dirfd < 0)
		return errno == ENOENT ? err_set(err, -ENOENT, "this is no store: run `daystream init` first")
		                       : err_errno(err, "opening segments");
	return confirmed_open(&store->confirmed, store->dirfd, mode == STORE_WRITE, err);
}

static struct store *new_store(void)
{
	struct store *store = calloc(1, sizeof *store);
	pthread_rwlockattr_t attr;
	pthread_condattr_t monotonic;

	if (!store)
		return NULL;
	store->dirfd = store->segments_dirfd = store->confirmed.fd = -1;
	/* A steady stream of readers must not keep the writer from showing. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&store->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	pthread_mutex_init(&store->index_lock, NULL);
	pthread_mutex_init(&store->wait_lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&store->more, &monotonic);
	pthread_condattr_destroy(&monotonic);
	return store;
}

/* Sealed segments are not read through, but what was cut off or overwritten at
 * their ends shows here. */
static int check_sealed(struct store *store, struct err *err)
{
	char name[SEGMENT_NAME_MAX], at[POSITION_TEXT_MAX];

	for (size_t i = 0; i + 1 < store->count; i++) {
		const struct segment *segment = store->segments[i];
		struct position last;
		struct err why = {""};
		int r = segment_sealed_end(segment->fd, segment->len, &last, &why);
		if (r == 0 &&
		    (position_cmp(last, segment->first) <= 0 || position_cmp(last, store->segments[i + 1]->first) >= 0))
			r = err_set(&why, -EBADMSG,
			            "at %llu: its end does not fit between its start and the next segment's",
			            (unsigned long long)segment->len);
		if (r == 0 && !position_follows(last, store->segments[i + 1]->first))
			return err_set(
			    err, -EBADMSG,
			    "behind segments/%s, which ends at %s, a segment is missing: restore it from a copy",
			    segment_name(name, segment->first), position_print(at, last));
		if (r == -EBADMSG)
			return err_set(err, r, "segments/%s %s, so this is damage: restore the file from a copy",
			               segment_name(name, segment->first), why.text);
		if (r < 0)
			return err_set(err, r, "segments/%s: %s", segment_name(name, segment->first), why.text);
	}
	return 0;
}

/* A folder that is listed while the writer adds to it may show a new file and not the
 * one before. Up to the newest that was seen, the second look shows all. */
static int list_again(struct store *store, struct position **list, size_t *count, struct err *err)
{
	if (*count == 0)
		return 0;
	struct position newest = (*list)[*count - 1];
	free(*list);
	int r = segment_list(store->segments_dirfd, false, list, count, err);
	while (r == 0 && *count > 0 && position_cmp((*list)[*count - 1], newest) > 0)
		--*count;
	return r;
}

/* One file of each segment is open: as many as the system lets us. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

int store_open(struct store **out, const char *path, enum store_mode mode, struct err *err)
{
	struct position *list = NULL;
	size_t count = 0;
	struct store *store = new_store();
	int r;

	*out = NULL;
	if (!store)
		return err_set(err, -ENOMEM, "out of memory");
	store->mode = mode;
	raise_file_limit();
	if ((r = open_folder(store, path, mode, err)) < 0 ||
	    (r = segment_list(store->segments_dirfd, mode == STORE_WRITE, &list, &count, err)) < 0 ||
	    (mode == STORE_READ && (r = list_again(store, &list, &count, err)) < 0))
		goto out;
	for (size_t i = 0; i < count; i++)
		if ((r = open_segment(store, list[i], mode, err)) < 0)
			goto out;
	r = open_newest(store, mode, err);
	if (r == 0 && mode == STORE_WRITE)
		r = check_sealed(store, err);
out:
	free(list);
	if (r < 0) {
		store_close(store);
		return err_prefix(err, r, "%s", path);
	}
	*out = store;
	return 0;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	while (store->count)
		drop_last(store);
	free(store->segments);
	confirmed_close(&store->confirmed);
	if (store->segments_dirfd >= 0)
		close(store->segments_dirfd);
	if (store->dirfd >= 0)
		close(store->dirfd);
	pthread_cond_destroy(&store->more);
	pthread_mutex_destroy(&store->wait_lock);
	pthread_mutex_destroy(&store->index_lock);
	pthread_rwlock_destroy(&store->lock);
	free(store);
}

/* ---- looking ------------------------------------------------------------ */

void store_lock(struct store *store)
{
	pthread_rwlock_rdlock(&store->lock);
}

void store_unlock(struct store *store)
{
	pthread_rwlock_unlock(&store->lock);
}

void store_end(struct store *store, struct store_end *end)
{
	store_lock(store);
	*end = store->end;
	store_unlock(store);
}

static uint64_t stream_len(const struct store *store)
{
	const struct segment *newest = store->segments[store->count - 1];

	return newest->base + newest->len;
}

uint64_t store_len(struct store *store)
{
	store_lock(store);
	uint64_t len = stream_len(store);
	store_unlock(store);
	return len;
}

size_t store_segment_count(struct store *store)
{
	store_lock(store);
	size_t count = store->count;
	store_unlock(store);
	return count;
}

const struct segment *store_segment(struct store *store, size_t i)
{
	store_lock(store);
	const struct segment *segment = store->segments[i];
	store_unlock(store);
	return segment;
}

const struct segment *store_segment_locked(const struct store *store, size_t i)
{
	return store->segments[i];
}

static size_t segment_at(const struct store *store, uint64_t off)
{
	size_t low = 0, high = store->count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (store->segments[middle]->base <= off)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static int load_index(struct store *store, struct segment *segment, struct err *err)
{
	struct index *index = NULL;
	int r = 0;

	pthread_mutex_lock(&store->index_lock);
	if (!segment->index) { /* else another thread was first */
		r = segment_open_index(store->segments_dirfd, segment->fd, segment->first, segment->len,
		                       store->mode == STORE_WRITE, &index, err);
		pthread_rwlock_wrlock(&store->lock);
		segment->index = index;
		pthread_rwlock_unlock(&store->lock);
	}
	pthread_mutex_unlock(&store->index_lock);
	return r;
}

int store_lock_index(struct store *store, size_t i, const struct index **index, struct err *err)
{
	for (;;) {
		store_lock(store);
		struct segment *segment = store->segments[i];
		if ((*index = segment->index))
			return 0;
		store_unlock(store);
		int r = load_index(store, segment, err);
		if (r < 0)
			return r;
	}
}

long store_read(struct store *store, uint64_t off, char *buf, size_t len, struct err *err)
{
	size_t got = 0;

	while (got < len) {
		store_lock(store);
		const struct segment *segment = store->segments[segment_at(store, off + got)];
		uint64_t at = off + got - segment->base, shown = segment->len;
		store_unlock(store);
		if (at >= shown)
			break;

		size_t want = len - got;
		if (want > shown - at)
			want = (size_t)(shown - at);
		ssize_t n = pread(segment->fd, buf + got, want, (off_t)at);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, "reading a segment at %llu", (unsigned long long)at);
		if (n == 0)
			return err_set(err, -EIO, "a segment is shorter than it was: %llu", (unsigned long long)at);
		got += (size_t)n;
	}
	return (long)got;
}

/* ---- showing ------------------------------------------------------------ */

/* The newest segment is sealed: its index goes to a file, and out of memory.
 * Where that cannot be written, it is built again when it is needed. */
static void seal_index(struct store *store, struct segment *segment)
{
	char name[SEGMENT_NAME_MAX];

	segment_index_name(name, segment->first);
	index_save(segment->index, store->segments_dirfd, name, segment->len, NULL);
	pthread_rwlock_wrlock(&store->lock);
	index_free(segment->index);
	segment->index = NULL;
	segment->growing = false;
	pthread_rwlock_unlock(&store->lock);
}

static int show_new_segment(struct store *store, const struct store_end *end, int fd, struct err *err)
{
	struct segment *sealed = store->segments[store->count - 1];
	struct index *index = index_new();
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int r = 0;

	pthread_rwlock_wrlock(&store->lock);
	if (!index || own < 0)
		r = err_set(err, -ENOMEM, "out of memory or of file descriptors for a new segment");
	else
		r = add_segment(store, end->first, own, 0, err);
	if (r == 0) {
		store->segments[store->count - 1]->growing = true;
		store->segments[store->count - 1]->index = index;
	}
	pthread_rwlock_unlock(&store->lock);
	if (r < 0) {
		index_free(index);
		if (own >= 0)
			close(own);
		return r;
	}
	seal_index(store, sealed);
	return 0;
}

int store_show(struct store *store, const struct store_end *end, int fd, struct err *err)
{
	enum { STEP = 1 << 20 }; /* how long readers wait at most: a step's indexing */
	struct segment *newest = store->segments[store->count - 1];
	uint64_t step = STEP;
	int r;

	if (position_cmp(newest->first, end->first) != 0) {
		if ((r = show_new_segment(store, end, fd, err)) < 0)
			return r;
		newest = store->segments[store->count - 1];
	}
	for (uint64_t from = newest->len; from < end->off;) {
		uint64_t start = from, to = end->off - from > step ? from + step : end->off;
		pthread_rwlock_wrlock(&store->lock);
		r = segment_index(newest->fd, &from, to, newest->index, err);
		pthread_rwlock_unlock(&store->lock);
		if (r < 0)
			return r;
		step = from == start ? step * 2 : STEP;
	}

	pthread_rwlock_wrlock(&store->lock);
	index_show(newest->index);
	newest->len = end->off;
	store->end = *end;
	pthread_rwlock_unlock(&store->lock);
	store_wake(store);
	return 0;
}

void store_wake(struct store *store)
{
	pthread_mutex_lock(&store->wait_lock);
	store->wakes++;
	pthread_cond_broadcast(&store->more);
	pthread_mutex_unlock(&store->wait_lock);
}

uint64_t store_wait(struct store *store, uint64_t seen, int timeout_ms)
{
	struct timespec until = clock_in(timeout_ms);

	pthread_mutex_lock(&store->wait_lock);
	unsigned wakes = store->wakes;
	while (store_len(store) <= seen && store->wakes == wakes &&
	       pthread_cond_timedwait(&store->more, &store->wait_lock, &until) == 0)
		;
	pthread_mutex_unlock(&store->wait_lock);
	return store_len(store);
}
