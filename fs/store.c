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

#include "bytes.h"
#include "chunks.h"
#include "clock.h"
#include "config.h"
#include "recover.h"
#include "regular.h"
#include "reserve.h"

struct store {
	enum store_mode mode;
	int dirfd, segments_dirfd;
	struct confirmed_file confirmed;
	struct damage damage;
	struct segments segments;
	struct defined defined;
	struct unplaced unplaced;  /* of the newest segment, when it was opened; the writer takes it */
	struct store_end end;      /* under the segments' lock */
	pthread_mutex_t wait_lock; /* for `more` */
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

struct damage *store_damage(struct store *store)
{
	return &store->damage;
}

struct segments *store_segments(struct store *store)
{
	return &store->segments;
}

struct defined *store_defined(struct store *store)
{
	return &store->defined;
}

struct unplaced store_take_unplaced(struct store *store)
{
	struct unplaced unplaced = store->unplaced;

	store->unplaced = (struct unplaced){0};
	return unplaced;
}

/* ---- opening ------------------------------------------------------------ */

static bool writes(enum store_mode mode)
{
	return mode == STORE_WRITE || mode == STORE_RENEW;
}

/* Where there was a store, `daystream init` alone does not help. */
static int no_segments(const struct store *store, const char *what, struct err *err)
{
	if (faccessat(store->dirfd, "daystream.conf", F_OK, 0) < 0)
		return err_set(err, -ENOENT, "%s: %s", what,
		               config_is_mount(store->dirfd) ? CONFIG_IS_MOUNT : "run `daystream init` first");
	return err_set(
	    err, -ENOENT,
	    "%s, but a daystream.conf: restore the segments from a copy; where there is none, run `daystream "
	    "drop` on it, remove it, and run `daystream init` anew",
	    what);
}

/* A reader may find that the daemon gave up what was listed. */
static int add_segment(struct store *store, struct position first, struct err *err)
{
	char name[SEGMENT_NAME_MAX];
	int64_t len = regular_len(store->segments_dirfd, "segments/", segment_name(name, first), err);

	if (len >= 0)
		return segments_add(&store->segments, first, (uint64_t)len, err);
	return len == -ENOENT && store->mode == STORE_READ && store->segments.count == 0 ? 0 : (int)len;
}

/* What is known to have been whole once. Of a segment that is sound, a new generation does not ask what came behind it. */
static struct position known_end(const struct store *store, const struct segment *segment)
{
	static const struct position unknown;
	struct position none = {0};
	struct segment_end end;

	return store->mode == STORE_RENEW &&
	               segment_verify(segment->fd, segment->first, segment->len, none, &end, NULL) == 0
	           ? unknown
	           : store->confirmed.now.last;
}

/* Of the newest segment: where it is whole, and what it holds up to there. */
static int find_end(struct store *store, struct segment *segment, struct segment_end *end, struct learnt *learnt,
                    struct err *err)
{
	char name[SEGMENT_NAME_MAX];

	segment->fd = regular_open(store->segments_dirfd, "segments/", segment_name(name, segment->first),
	                           store->mode != STORE_READ ? O_RDWR : O_RDONLY, err);
	if (segment->fd < 0)
		return segment->fd;
	store->segments.open++;
	if (store->mode != STORE_READ)
		return recover_newest(store->segments_dirfd, segment->fd, segment->first, segment->len,
		                      known_end(store, segment), store->segments.count == 1, end, learnt, err);
	int r = segment_read(segment->fd, segment->first, segment->len, (struct position){0}, end, learnt, err);
	return r == -EBADMSG ? 0 : r; /* a reader takes what is good so far */
}

/* What was learnt of it becomes the store's. */
static void take_learnt(struct store *store, struct segment *segment, struct learnt *learnt)
{
	segment->index = learnt->index;
	learnt->index = NULL;
	index_show(segment->index);
	defined_start(&store->defined, segment, &learnt->catalog);
	store->unplaced = learnt->unplaced;
	learnt->unplaced = (struct unplaced){0};
}

/* Finds where the newest segment is whole, and indexes it up to there. A
 * newest segment without a whole commit is nothing; then the one before is it. */
static int open_newest(struct store *store, struct err *err)
{
	struct segment *segment;
	struct segment_end end;

	for (;;) {
		struct learnt learnt = {0};
		if (store->segments.count == 0)
			return no_segments(store, "no whole segment in it", err);
		segment = segments_last(&store->segments);
		int r = find_end(store, segment, &end, &learnt, err);
		if (r == 0 && end.off > 0)
			take_learnt(store, segment, &learnt);
		learnt_fini(&learnt);
		if (r < 0)
			return r;
		if (end.off > 0)
			break;
		segments_drop_last(&store->segments);
	}
	segment->len = end.off;
	segment->growing = true;
	store->end = (struct store_end){segment->first, end.off, end.last, end.lsn, end.origin, end.sum};
	return 0;
}

/* `daystream status` holds the lock for a moment, to see whether it is free. */
static int lock_folder(int dirfd)
{
	int r = -1;

	for (int tries = 0; tries < 20 && (r = flock(dirfd, LOCK_EX | LOCK_NB)) < 0 && errno == EWOULDBLOCK; tries++)
		usleep(10000);
	return r;
}

/* A description of the folder of its own, since that is what is locked. */
static int open_folder(struct store *store, int dirfd, enum store_mode mode, struct err *err)
{
	store->dirfd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->dirfd < 0)
		return err_errno(err, "opening the store");
	if (writes(mode) && lock_folder(store->dirfd) < 0)
		return errno == EWOULDBLOCK
		           ? err_set(err, -EBUSY, "another daystreamfs (or daystream init) is at work on this store")
		           : err_errno(err, "locking the store");
	store->segments_dirfd = openat(store->dirfd, "segments", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (store->segments_dirfd < 0)
		return errno == ENOENT ? no_segments(store, "no folder segments in it", err)
		                       : err_errno(err, "opening segments");
	return confirmed_open(&store->confirmed, store->dirfd, writes(mode), err);
}

static struct store *new_store(enum store_mode mode)
{
	struct store *store = calloc(1, sizeof *store);

	if (!store)
		return NULL;
	store->mode = mode;
	store->dirfd = store->segments_dirfd = store->confirmed.fd = -1;
	damage_init(&store->damage);
	segments_init(&store->segments, writes(mode), &store->damage);
	defined_init(&store->defined, &store->segments);
	pthread_mutex_init(&store->wait_lock, NULL);
	clock_cond_init(&store->more);
	return store;
}

/* Against that of the segment before, which it replaces in *before. Damage is found elsewhere. */
static int check_origin(const struct segment *segment, struct origin *before, struct err *err)
{
	struct origin origin;

	if (!segment_origin(segment->fd, &origin))
		return 0;
	int r = before->generation ? recover_same(before, segment->first, &origin, err) : 0;
	*before = origin;
	return r;
}

/* Sealed segments are not read through, but what was cut off or overwritten at
 * their ends shows here. */
static int check_sealed(struct store *store, struct err *err)
{
	char name[SEGMENT_NAME_MAX];
	struct position lost;
	struct origin before = {0};
	int r = 0;

	for (size_t i = 0; r == 0 && i + 1 < store->segments.count; i++) {
		struct segment *segment;
		if ((r = segments_hold(&store->segments, i, &segment, err)) < 0)
			return r;
		r = recover_sealed(segment->fd, segment->first, segment->len, store->segments.list[i + 1]->first, err);
		if (r == 0)
			r = check_origin(segment, &before, err);
		segments_release(segment);
	}
	if (r == 0)
		r = check_origin(segments_last(&store->segments), &before, err);
	if (r == 0 && (r = segment_find_lost(store->segments_dirfd, &lost, err)) > 0)
		r = err_set(
		    err, -EBADMSG,
		    "segments/%s is missing: restore it from a copy; where there is none, remove its index and all "
		    "segments before it, as retention would (mirrors that stand there need --resync)",
		    segment_name(name, lost));
	return r;
}

/* Whether the store still has all it ever had. */
static int find_start(struct store *store, struct err *err)
{
	struct segment *oldest;
	int r = segments_hold(&store->segments, 0, &oldest, err);

	if (r == 0) {
		store->segments.whole = segment_is_first(oldest->fd);
		segments_release(oldest);
	}
	return r;
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

/* Some hundred segments are open, and what followers need: as many as the system lets us. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int open_store(struct store **out, int at_dirfd, const char *path, enum store_mode mode, struct err *err)
{
	struct position *list = NULL;
	size_t count = 0;
	struct store *store = new_store(mode);
	int r;

	*out = NULL;
	if (!store)
		return err_set(err, -ENOMEM, "out of memory");
	raise_file_limit();
	r = open_folder(store, at_dirfd, mode, err);
	store->segments.dirfd = store->segments_dirfd;
	if (r < 0 || mode == STORE_FOLLOW ||
	    (r = segment_list(store->segments_dirfd, mode != STORE_READ, &list, &count, err)) < 0 ||
	    (mode == STORE_READ && (r = list_again(store, &list, &count, err)) < 0))
		goto out;
	for (size_t i = 0; i < count; i++)
		if ((r = add_segment(store, list[i], err)) < 0)
			goto out;
	r = open_newest(store, err);
	if (r == 0)
		r = find_start(store, err);
	if (r == 0 && mode != STORE_READ)
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

int store_open(struct store **store, const char *path, enum store_mode mode, struct err *err)
{
	int dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	*store = NULL;
	if (dirfd < 0)
		return config_no_folder(path, err);
	int r = store_open_at(store, dirfd, path, mode, err);
	close(dirfd);
	return r;
}

int store_open_at(struct store **store, int dirfd, const char *path, enum store_mode mode, struct err *err)
{
	int r = open_store(store, dirfd, path, mode, err);

	if (!writes(mode))
		return r;
	if ((r == -ENOSPC || r == -EDQUOT) && reserve_release(dirfd))
		r = open_store(store, dirfd, path, mode, err);
	if (r == -EROFS) {
		struct err why = *err;
		err_set(err, r,
		        "%.600s. See why the disk became read-only (dmesg), then remount it writable; until then "
		        "`daystreamfs --read-only` can serve the store, and `daystream check` and `daystream status` "
		        "read it",
		        why.text);
	}
	return r;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	unplaced_fini(&store->unplaced);
	defined_fini(&store->defined);
	segments_fini(&store->segments);
	damage_fini(&store->damage);
	confirmed_close(&store->confirmed);
	if (store->segments_dirfd >= 0)
		close(store->segments_dirfd);
	if (store->dirfd >= 0)
		close(store->dirfd);
	pthread_cond_destroy(&store->more);
	pthread_mutex_destroy(&store->wait_lock);
	free(store);
}

/* ---- looking ------------------------------------------------------------ */

void store_end(struct store *store, struct store_end *end)
{
	pthread_rwlock_rdlock(&store->segments.lock);
	*end = store->end;
	pthread_rwlock_unlock(&store->segments.lock);
}

uint64_t store_len(struct store *store)
{
	return segments_len(&store->segments);
}

/* Bytes of the segment that holds `off`; 0 at the stream's end. */
static long read_some(struct store *store, uint64_t off, char *buf, size_t len, struct err *err)
{
	struct segment *segment;
	long n = 0;
	int r = segments_hold(&store->segments, segments_at(&store->segments, off), &segment, err);

	if (r < 0)
		return r;
	uint64_t at = off - segment->base, shown = segments_shown(&store->segments, segment);
	if (at < shown) {
		n = bytes_read(segment, at, buf, len < shown - at ? len : (size_t)(shown - at), err);
		if (n == 0)
			n = err_set(err, -EIO, "a segment's sums end before what is shown of it: %llu",
			            (unsigned long long)at);
	}
	segments_release(segment);
	return n;
}

long store_read(struct store *store, uint64_t off, char *buf, size_t len, struct err *err)
{
	size_t got = 0;

	while (got < len) {
		long n = read_some(store, off + got, buf + got, len - got, err);
		if (n < 0)
			return n;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (long)got;
}

long store_some(struct store *store, uint64_t off, char *buf, size_t least, size_t most, struct err *err)
{
	struct segment *segment;
	int r = segments_hold(&store->segments, segments_at(&store->segments, off), &segment, err);

	if (r < 0)
		return r;
	size_t over = (size_t)((off - segment->base + least) % CHUNK_LEN);
	segments_release(segment);
	if (over > 0)
		least += CHUNK_LEN - over;
	return store_read(store, off, buf, least < most ? least : most, err);
}

/* ---- showing ------------------------------------------------------------ */

static int show_new_segment(struct store *store, const struct store_end *end, int fd, struct err *err)
{
	struct segment *before = segments_last(&store->segments);
	struct index *index = index_new();
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	int r = 0;

	if (!index || own < 0)
		r = err_set(err, -ENOMEM, "out of memory or of file descriptors for a new segment");
	else
		r = segments_add_growing(&store->segments, end->first, own, index, err);
	if (r < 0) {
		index_free(index);
		if (own >= 0)
			close(own);
		return r;
	}
	if (before && before->growing)
		segments_seal(&store->segments, before);
	return 0;
}

/* Reads the lines from newest->len to `to`. */
static int index_lines(struct store *store, struct segment *newest, uint64_t to, struct err *err)
{
	enum { STEP = 1 << 20 }; /* how long readers wait at most: a step's indexing */
	uint64_t step = STEP;

	for (uint64_t from = newest->len; from < to;) {
		uint64_t start = from, until = to - from > step ? from + step : to;
		pthread_rwlock_wrlock(&store->segments.lock);
		int r = segment_index(newest->fd, &from, until, newest->index, err);
		pthread_rwlock_unlock(&store->segments.lock);
		if (r < 0)
			return r;
		step = from == start ? step * 2 : STEP;
	}
	return 0;
}

static int join_index(struct store *store, struct segment *newest, const struct index *more, struct err *err)
{
	pthread_rwlock_wrlock(&store->segments.lock);
	int r = index_join(newest->index, more);
	pthread_rwlock_unlock(&store->segments.lock);
	return r < 0 ? err_set(err, r, "out of memory for the index") : 0;
}

int store_show(struct store *store, const struct store_end *end, int fd, const struct index *more, struct err *err)
{
	struct segment *newest = segments_last(&store->segments);
	pthread_rwlock_t *lock = &store->segments.lock;
	int r;

	if (!newest || position_cmp(newest->first, end->first) != 0) {
		if ((r = show_new_segment(store, end, fd, err)) < 0)
			return r;
		newest = segments_last(&store->segments);
	}
	r = more ? join_index(store, newest, more, err) : index_lines(store, newest, end->off, err);
	if (r < 0)
		return r;
	if ((r = defined_read(&store->defined, newest, err)) < 0)
		return r;

	pthread_rwlock_wrlock(lock);
	index_show(newest->index);
	defined_show(&store->defined, newest);
	newest->len = end->off;
	store->end = *end;
	pthread_rwlock_unlock(lock);
	store_wake(store);
	return 0;
}

void store_wake(struct store *store)
{
	pthread_mutex_lock(&store->wait_lock);
	store->wakes++;
	pthread_mutex_unlock(&store->wait_lock);
	pthread_cond_broadcast(&store->more);
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
