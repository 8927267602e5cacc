#include "segments.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "regular.h"

void segments_init(struct segments *segments, bool save, struct damage *damage)
{
	pthread_rwlockattr_t attr;

	*segments = (struct segments){.dirfd = -1, .damage = damage, .save = save};
	/* A steady stream of readers must not keep the writer from showing. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&segments->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	pthread_mutex_init(&segments->files, NULL);
	pthread_cond_init(&segments->built, NULL);
}

static void forget_index(struct segment *segment)
{
	index_free(segment->index);
	free(segment->damaged);
	segment->index = NULL;
	segment->damaged = NULL;
}

static void close_segment(struct segments *segments, struct segment *segment)
{
	if (segment->fd >= 0) {
		close(segment->fd);
		segments->open--;
	}
	segment->fd = -1;
	forget_index(segment);
}

void segments_fini(struct segments *segments)
{
	while (segments->count)
		segments_drop_last(segments);
	free(segments->list);
	pthread_cond_destroy(&segments->built);
	pthread_mutex_destroy(&segments->files);
	pthread_rwlock_destroy(&segments->lock);
}

static int push(struct segments *segments, struct segment *segment)
{
	const struct segment *before = segments->count ? segments->list[segments->count - 1] : NULL;

	if (segments->count == segments->cap) {
		size_t cap = segments->cap ? segments->cap * 2 : 64;
		struct segment **more = realloc(segments->list, cap * sizeof *more);
		if (!more)
			return -ENOMEM;
		segments->list = more;
		segments->cap = cap;
	}
	segment->number = before ? before->number + 1 : 0;
	segment->base = before ? before->base + before->len : 0;
	segments->list[segments->count++] = segment;
	segments->open += segment->fd >= 0;
	return 0;
}

static int add(struct segments *segments, struct position first, uint64_t len, int fd, struct index *index,
               struct err *err)
{
	struct segment *segment = calloc(1, sizeof *segment);
	int r = -ENOMEM;

	if (segment) {
		segment->of = segments;
		segment->first = first;
		segment->len = len;
		segment->fd = fd;
		segment->index = index;
		segment->growing = index != NULL;
		pthread_rwlock_wrlock(&segments->lock);
		r = push(segments, segment);
		pthread_rwlock_unlock(&segments->lock);
	}
	if (r < 0)
		free(segment);
	return r < 0 ? err_set(err, r, "out of memory for the list of segments") : 0;
}

int segments_add(struct segments *segments, struct position first, uint64_t len, struct err *err)
{
	return add(segments, first, len, -1, NULL, err);
}

int segments_add_growing(struct segments *segments, struct position first, int fd, struct index *index, struct err *err)
{
	return add(segments, first, 0, fd, index, err);
}

void segments_drop_last(struct segments *segments)
{
	struct segment *segment = segments->list[--segments->count];

	close_segment(segments, segment);
	free(segment);
}

/* ---- looking ------------------------------------------------------------ */

static void lock(struct segments *segments)
{
	pthread_rwlock_rdlock(&segments->lock);
}

void segments_unlock(struct segments *segments)
{
	pthread_rwlock_unlock(&segments->lock);
}

static struct segment *get(const struct segments *segments, size_t number)
{
	size_t first = segments->list[0]->number;

	return number < first || number - first >= segments->count ? NULL : segments->list[number - first];
}

static struct segment *newest(const struct segments *segments)
{
	return segments->list[segments->count - 1];
}

struct segment *segments_last(struct segments *segments)
{
	lock(segments);
	struct segment *segment = segments->count ? newest(segments) : NULL;
	segments_unlock(segments);
	return segment;
}

struct segments_range segments_range(struct segments *segments)
{
	lock(segments);
	struct segments_range range = {segments->list[0]->number, segments->oldest, newest(segments)->number};
	segments_unlock(segments);
	return range;
}

static struct segments_edge edge_at(const struct segments *segments, size_t number)
{
	const struct segment *segment = get(segments, number);

	return (struct segments_edge){number, segment->first, segment->base, number > 0 || !segments->whole};
}

struct segments_edge segments_edge(struct segments *segments)
{
	lock(segments);
	struct segments_edge edge = edge_at(segments, segments->oldest);
	segments_unlock(segments);
	return edge;
}

struct segments_edge segments_start(struct segments *segments, size_t number)
{
	lock(segments);
	struct segments_edge edge = edge_at(segments, number);
	segments_unlock(segments);
	return edge;
}

uint64_t segments_len(struct segments *segments)
{
	lock(segments);
	uint64_t len = newest(segments)->base + newest(segments)->len;
	segments_unlock(segments);
	return len;
}

uint64_t segments_shown(struct segments *segments, const struct segment *segment)
{
	lock(segments);
	uint64_t len = segment->len;
	segments_unlock(segments);
	return len;
}

size_t segments_find(struct segments *segments, struct position position)
{
	lock(segments);
	size_t low = segments->oldest, high = newest(segments)->number + 1;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (position_cmp(get(segments, middle)->first, position) <= 0)
			low = middle;
		else
			high = middle;
	}
	segments_unlock(segments);
	return low;
}

size_t segments_at(struct segments *segments, uint64_t off)
{
	lock(segments);
	size_t low = segments->list[0]->number, high = newest(segments)->number + 1;
	if (off < segments->list[0]->base)
		low = high = low - 1;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (get(segments, middle)->base <= off)
			low = middle;
		else
			high = middle;
	}
	segments_unlock(segments);
	return low;
}

/* ---- files -------------------------------------------------------------- */

/* Closes what was not used for a while; under the write lock. What was unlinked could not be opened
 * again. */
static void close_unused(struct segments *segments)
{
	uint64_t now = segments->clock;

	for (size_t i = 0; i < segments->count; i++) {
		struct segment *segment = segments->list[i];
		if (segment->fd >= 0 && !segment->growing && !segment->gone && segment->holds == 0 &&
		    segment->used + SEGMENTS_OPEN / 2 < now)
			close_segment(segments, segment);
	}
}

static int open_name(const struct segments *segments, const struct segment *segment, struct err *err)
{
	char name[SEGMENT_NAME_MAX];
	int fd = regular_open(segments->dirfd, "segments/", segment_name(name, segment->first), O_RDONLY, err);

	return fd == -ENOENT ? err_set(err, -ESTALE, "segments/%s was given up", name) : fd;
}

/* Under `files`. */
static int open_file(struct segments *segments, struct segment *segment, struct err *err)
{
	int fd = open_name(segments, segment, err);

	if (fd < 0)
		return fd;
	pthread_rwlock_wrlock(&segments->lock);
	segment->fd = fd;
	segment->used = ++segments->clock;
	if (++segments->open > SEGMENTS_OPEN)
		close_unused(segments);
	pthread_rwlock_unlock(&segments->lock);
	return 0;
}

static bool hold_open(struct segments *segments, size_t number, struct segment **segment)
{
	lock(segments);
	*segment = get(segments, number);
	bool open = *segment && (*segment)->fd >= 0;
	if (open) {
		(*segment)->holds++;
		(*segment)->used = ++segments->clock;
	}
	segments_unlock(segments);
	return open;
}

int segments_hold(struct segments *segments, size_t number, struct segment **segment, struct err *err)
{
	int r = 0;

	if (hold_open(segments, number, segment))
		return 0;
	pthread_mutex_lock(&segments->files); /* nothing leaves the list meanwhile */
	if (!hold_open(segments, number, segment)) {
		r = *segment ? open_file(segments, *segment, err) : err_set(err, -ESTALE, "a segment was given up");
		if (r == 0)
			hold_open(segments, number, segment);
	}
	pthread_mutex_unlock(&segments->files);
	return r;
}

void segments_release(struct segment *segment)
{
	segment->holds--;
}

/* Under `files`. In the place of the descriptor that others may have in their hands. */
static int exchange_file(struct segments *segments, struct segment *segment, struct err *err)
{
	int fd = open_name(segments, segment, err), r = 0;

	if (fd < 0)
		return fd;
	if (dup3(fd, segment->fd, O_CLOEXEC) < 0)
		r = err_errno(err, "opening a segment again");
	close(fd);
	if (r < 0)
		return r;
	pthread_rwlock_wrlock(&segments->lock);
	forget_index(segment);
	pthread_rwlock_unlock(&segments->lock);
	return 0;
}

int segments_renew(struct segments *segments, struct segment *segment, struct err *err)
{
	pthread_mutex_lock(&segments->files);
	while (segment->building) /* of the file as it was */
		pthread_cond_wait(&segments->built, &segments->files);
	int r = segment->growing || segment->gone ? 0 : exchange_file(segments, segment, err);
	pthread_mutex_unlock(&segments->files);
	return r;
}

/* Under `files`, but not while the segment is read for it: that may take long, and the writer seals others. */
static int build_index(struct segments *segments, struct segment *segment, struct index **index, struct err *err)
{
	char name[SEGMENT_NAME_MAX];
	bool built;

	segment->building = true;
	pthread_mutex_unlock(&segments->files);
	int r = segment_open_index(segments->dirfd, segment->fd, segment->first, segment->len, index, &built, err);
	pthread_mutex_lock(&segments->files);
	segment->building = false;
	pthread_cond_broadcast(&segments->built);
	/* That it cannot be written (a full or read-only disk) does no harm to reading. */
	if (built && segments->save && !segment->gone)
		index_save(*index, segments->dirfd, segment_index_name(name, segment->first), segment->len, NULL);
	return r;
}

/* Under `files`. A damaged segment is not read through again for each read. */
static int open_index(struct segments *segments, struct segment *segment, struct err *err)
{
	char file[SEGMENT_NAME_MAX + 16] = "segments/";
	struct index *index = NULL;
	struct err why;

	if (segment->damaged)
		return err_set(err, -EBADMSG, "%s", segment->damaged);
	int r = build_index(segments, segment, &index, &why);
	if (r == -EBADMSG)
		segment->damaged = strdup(why.text);
	if (r == -EBADMSG || r == -EIO) {
		segment_name(file + strlen(file), segment->first);
		damage_note(segments->damage, file, &why);
		r = -EBADMSG;
	}
	if (r < 0)
		return err_set(err, r, "%s", why.text);
	pthread_rwlock_wrlock(&segments->lock);
	segment->index = index;
	pthread_rwlock_unlock(&segments->lock);
	return 0;
}

static int load_index(struct segments *segments, struct segment *segment, struct err *err)
{
	char name[SEGMENT_NAME_MAX];
	int r = 0;

	pthread_mutex_lock(&segments->files);
	while (segment->building)
		pthread_cond_wait(&segments->built, &segments->files);
	if (!segment->index) /* else another thread was first */
		r = open_index(segments, segment, err);
	pthread_mutex_unlock(&segments->files);
	return r < 0 ? err_prefix(err, r, "segments/%s", segment_name(name, segment->first)) : 0;
}

int segments_lock_index(struct segments *segments, struct segment *segment, const struct index **index, struct err *err)
{
	for (;;) {
		lock(segments);
		if ((*index = segment->index))
			return 0;
		segments_unlock(segments);
		int r = load_index(segments, segment, err);
		if (r < 0)
			return r;
	}
}

/* Where the file of the index cannot be written, it is built again when it is needed. */
void segments_seal(struct segments *segments, struct segment *segment)
{
	char name[SEGMENT_NAME_MAX];

	pthread_mutex_lock(&segments->files);
	if (segments->save && !segment->gone)
		index_save(segment->index, segments->dirfd, segment_index_name(name, segment->first), segment->len,
		           NULL);
	pthread_rwlock_wrlock(&segments->lock);
	index_free(segment->index);
	segment->index = NULL;
	segment->growing = false;
	pthread_rwlock_unlock(&segments->lock);
	pthread_mutex_unlock(&segments->files);
}

/* ---- giving up ---------------------------------------------------------- */

void segments_give_up(struct segments *segments, size_t oldest)
{
	pthread_rwlock_wrlock(&segments->lock);
	segments->oldest = oldest;
	pthread_rwlock_unlock(&segments->lock);
}

/* Unlinks a segment and its index; where it is still `needed`, its file is open before. Under `files`. */
static int unlink_segment(struct segments *segments, struct segment *segment, bool needed, struct err *err)
{
	char name[SEGMENT_NAME_MAX];
	int r = 0;

	/* Removed by somebody else: there is nothing to read on. */
	if (needed && segment->fd < 0 && (r = open_file(segments, segment, err)) < 0 && r != -ESTALE)
		return r;
	segment_name(name, segment->first);
	if (segments->save && unlinkat(segments->dirfd, name, 0) < 0 && errno != ENOENT)
		return err_errno(err, "removing segments/%s", name);
	pthread_rwlock_wrlock(&segments->lock);
	segment->gone = true;
	pthread_rwlock_unlock(&segments->lock);
	if (!segments->save) /* whose they are has removed them */
		return 0;
	if (unlinkat(segments->dirfd, segment_index_name(name, segment->first), 0) < 0 && errno != ENOENT)
		return err_errno(err, "removing segments/%s", name);
	return fsync(segments->dirfd) < 0 ? err_errno(err, "syncing segments") : 0;
}

/* Takes those off the list's front that were unlinked and that nobody needs or may need. One that grew until now, the writer is
 * about to seal. Under `files`. */
static void drop_gone(struct segments *segments, size_t needed, uint64_t max_bytes)
{
	size_t drop = 0;

	pthread_rwlock_wrlock(&segments->lock);
	uint64_t end = get(segments, segments->oldest)->base;
	for (; segments->list[drop]->gone && segments->list[drop]->holds == 0; drop++) {
		struct segment *segment = segments->list[drop];
		if (segment->growing)
			break;
		if (segment->number >= needed && end - segment->base <= max_bytes &&
		    segments->oldest - segment->number <= SEGMENTS_OPEN)
			break;
		close_segment(segments, segment);
		free(segment);
	}
	segments->count -= drop;
	for (size_t i = 0; i < segments->count && drop; i++)
		segments->list[i] = segments->list[i + drop];
	pthread_rwlock_unlock(&segments->lock);
}

int segments_sweep(struct segments *segments, size_t needed, uint64_t max_bytes, struct err *err)
{
	struct segments_range range = segments_range(segments);
	int r = 0;

	for (size_t i = range.readable; r == 0 && i < range.oldest; i++) {
		pthread_mutex_lock(&segments->files);
		lock(segments);
		struct segment *segment = get(segments, i);
		segments_unlock(segments);
		if (segment && !segment->gone)
			r = unlink_segment(segments, segment, i >= needed, err);
		if (i % 64 == 0) /* so that no more are open than may be */
			drop_gone(segments, needed, max_bytes);
		pthread_mutex_unlock(&segments->files);
	}
	pthread_mutex_lock(&segments->files);
	drop_gone(segments, needed, max_bytes);
	pthread_mutex_unlock(&segments->files);
	return r;
}
