#include "durable.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"

enum {
	MARK_MS = 1000,      /* how old the mark in STORE/confirmed that is synced may grow under load */
	START_LEN = 8 << 20, /* bytes of a large transaction that the disk may begin with */
};

void durable_init(struct durable *durable, struct store *store, const struct store_end *end)
{
	uint64_t idle = store_confirmed(store)->now.idle_lsn;

	*durable = (struct durable){.store = store, .appended = *end, .fd = -1, .synced = *end};
	durable->choice = durable->choosing = durable->marked = store_confirmed(store)->now.choice;
	durable->lsn = idle > end->lsn ? idle : end->lsn;
	pthread_mutex_init(&durable->lock, NULL);
	clock_cond_init(&durable->wake);
}

static struct confirmed synced_now(struct durable *durable, uint64_t idle_lsn)
{
	const struct store_end *end = &durable->synced;
	struct segments_edge edge = segments_edge(store_segments(durable->store));

	return (struct confirmed){.idle_lsn = idle_lsn,
	                          .last = end->last,
	                          .choice = durable_choice(durable),
	                          .sum = end->sum,
	                          .segment = end->first,
	                          .off = end->off,
	                          .oldest = edge.first,
	                          .sealed = store_len(durable->store) - end->off - edge.base};
}

static bool disk_full(int r)
{
	return r == -ENOSPC || r == -EDQUOT;
}

static int mark(struct durable *durable, uint64_t idle_lsn, struct err *err)
{
	struct confirmed now = synced_now(durable, idle_lsn);

	durable->marked_ms = clock_ms();
	int r = confirmed_write(store_confirmed(durable->store), now, err);
	pthread_mutex_lock(&durable->lock);
	durable->marked = store_confirmed(durable->store)->now.choice;
	durable->refused = disk_full(r) ? r : 0;
	pthread_mutex_unlock(&durable->lock);
	return r;
}

int durable_mark(struct durable *durable, struct err *err)
{
	int r = mark(durable, store_confirmed(durable->store)->now.idle_lsn, err);

	return disk_full(r) ? 0 : r;
}

/* How long the synced mark may wait that is behind what is synced, or counts what retention gave up; -1: it is not. Also
 * where nothing follows the last commit. */
static int mark_due_ms(struct durable *durable)
{
	const struct confirmed *now = &store_confirmed(durable->store)->now;
	struct segments_edge edge = segments_edge(store_segments(durable->store));
	int64_t age = clock_ms() - durable->marked_ms;

	if (position_cmp(now->last, durable->synced.last) >= 0 && position_cmp(now->oldest, edge.first) == 0)
		return -1;
	return age < MARK_MS ? (int)(MARK_MS - age) : 0;
}

void durable_fini(struct durable *durable)
{
	if (mark_due_ms(durable) >= 0)
		durable_mark(durable, NULL);
	index_free(durable->more);
	pthread_cond_destroy(&durable->wake);
	pthread_mutex_destroy(&durable->lock);
}

/* Under the lock. */
static bool must_start(const struct durable *durable)
{
	return durable->written >= durable->started + START_LEN;
}

void durable_written(struct durable *durable, uint64_t off, int fd)
{
	pthread_mutex_lock(&durable->lock);
	if (fd != durable->fd || off < durable->started) /* another file, or this one was cut */
		durable->started = off;
	durable->fd = fd;
	durable->written = off;
	bool start = must_start(durable);
	pthread_mutex_unlock(&durable->lock);
	if (start)
		pthread_cond_signal(&durable->wake);
}

int durable_appended(struct durable *durable, const struct store_end *end, int fd, struct index *more, struct err *err)
{
	int r = 0;

	pthread_mutex_lock(&durable->lock);
	durable->appended = *end;
	durable->fd = fd;
	if (!durable->more)
		durable->more = more;
	else if ((r = index_join(durable->more, more)) == 0)
		index_free(more);
	pthread_mutex_unlock(&durable->lock);
	pthread_cond_signal(&durable->wake);
	return r < 0 ? err_set(err, r, "out of memory for the index") : 0;
}

bool durable_reached(struct durable *durable, struct position last)
{
	pthread_mutex_lock(&durable->lock);
	bool reached = position_cmp(durable->synced.last, last) >= 0 && !durable->starting;
	pthread_mutex_unlock(&durable->lock);
	return reached;
}

bool durable_busy(struct durable *durable)
{
	pthread_mutex_lock(&durable->lock);
	bool busy = position_cmp(durable->appended.last, durable->synced.last) != 0;
	pthread_mutex_unlock(&durable->lock);
	return busy;
}

void durable_idle(struct durable *durable, uint64_t lsn)
{
	pthread_mutex_lock(&durable->lock);
	if (lsn > durable->idle_wanted) {
		durable->idle_wanted = lsn;
		pthread_cond_signal(&durable->wake);
	}
	pthread_mutex_unlock(&durable->lock);
}

void durable_choose(struct durable *durable, struct position commit, uint32_t choice)
{
	if (durable->choosing == choice) /* which no other thread changes */
		return;
	pthread_mutex_lock(&durable->lock);
	durable->choosing = choice;
	durable->chosen = commit;
	pthread_mutex_unlock(&durable->lock);
}

uint32_t durable_choice(struct durable *durable)
{
	pthread_mutex_lock(&durable->lock);
	uint32_t choice = durable->choice;
	pthread_mutex_unlock(&durable->lock);
	return choice;
}

int durable_unsettled(struct durable *durable, uint32_t choice, struct err *err)
{
	if (durable->choosing == choice) /* which no other thread changes */
		return 1;
	pthread_mutex_lock(&durable->lock);
	bool unsettled = durable->marked == ~choice;
	int refused = !unsettled && durable->choosing == ~choice ? durable->refused : 0;
	if (!unsettled)
		durable->refused = 0;
	if (!unsettled && refused == 0) {
		durable->choosing = ~choice;
		durable->chosen = durable->synced.last;
		durable->unsettle = true;
		pthread_cond_signal(&durable->wake);
	}
	pthread_mutex_unlock(&durable->lock);
	return refused < 0 ? err_set(err, refused, "writing confirmed: %s", strerror(-refused)) : unsettled;
}

uint64_t durable_lsn(struct durable *durable)
{
	pthread_mutex_lock(&durable->lock);
	uint64_t lsn = durable->lsn;
	pthread_mutex_unlock(&durable->lock);
	return lsn;
}

void durable_stop(struct durable *durable)
{
	pthread_mutex_lock(&durable->lock);
	durable->stop = true;
	pthread_cond_signal(&durable->wake);
	pthread_mutex_unlock(&durable->lock);
}

/* ---- the syncing thread ------------------------------------------------- */

static bool work_to_do(const struct durable *durable)
{
	return position_cmp(durable->appended.last, durable->synced.last) != 0 || durable->idle_wanted > durable->lsn ||
	       durable->unsettle || must_start(durable);
}

static void wait_for_work(struct durable *durable, int timeout_ms)
{
	struct timespec until = clock_in(timeout_ms);

	while (!work_to_do(durable) && !durable->stop &&
	       pthread_cond_timedwait(&durable->wake, &durable->lock, &until) == 0)
		;
}

static void advance(struct durable *durable, uint64_t lsn)
{
	pthread_mutex_lock(&durable->lock);
	if (lsn > durable->lsn)
		durable->lsn = lsn;
	pthread_mutex_unlock(&durable->lock);
}

/* Nothing waits for it, and what fails the sync of the commit tells. */
static void start_writing(struct durable *durable)
{
	pthread_mutex_lock(&durable->lock);
	uint64_t from = durable->started, to = durable->written;
	int fd = durable->fd;
	durable->starting = must_start(durable);
	if (durable->starting)
		durable->started = to;
	pthread_mutex_unlock(&durable->lock);
	if (!durable->starting)
		return;
	sync_file_range(fd, (off_t)from, (off_t)(to - from), SYNC_FILE_RANGE_WRITE);
	pthread_mutex_lock(&durable->lock);
	durable->starting = false;
	pthread_mutex_unlock(&durable->lock);
}

/* Until it is offered again, not at once. */
static void forget_idle(struct durable *durable)
{
	pthread_mutex_lock(&durable->lock);
	durable->idle_wanted = 0;
	pthread_mutex_unlock(&durable->lock);
}

static int sync_commits(struct durable *durable, const struct store_end *end, int fd, const struct index *more,
                        struct err *err)
{
	int r;

	if (fdatasync(fd) < 0)
		return err_errno(err, "syncing a segment: what the disk holds is not known any more");
	/* A new segment's name has to be on disk as well. */
	if (position_cmp(end->first, durable->synced.first) != 0 && fsync(store_segments_dirfd(durable->store)) < 0)
		return err_errno(err, "syncing the folder of the segments");
	if ((r = store_show(durable->store, end, fd, more, err)) < 0)
		return r;
	pthread_mutex_lock(&durable->lock);
	durable->synced = *end;
	if (fd == durable->fd && durable->started < end->off)
		durable->started = end->off;
	if (position_cmp(end->last, durable->chosen) >= 0)
		durable->choice = durable->choosing;
	pthread_mutex_unlock(&durable->lock);
	advance(durable, end->lsn);
	return 0;
}

int durable_sync(struct durable *durable, int timeout_ms, struct err *err)
{
	char name[SEGMENT_NAME_MAX];
	int r, due = mark_due_ms(durable);

	if (due >= 0 && due < timeout_ms)
		timeout_ms = due;
	pthread_mutex_lock(&durable->lock);
	wait_for_work(durable, timeout_ms);
	struct store_end end = durable->appended;
	int fd = durable->fd;
	uint64_t idle = durable->idle_wanted;
	struct index *more = durable->more;
	durable->more = NULL;
	bool commits = position_cmp(end.last, durable->synced.last) != 0, work = work_to_do(durable);
	if (durable->unsettle)
		durable->choice = durable->choosing;
	durable->unsettle = false;
	pthread_mutex_unlock(&durable->lock);
	if (!work)
		return mark_due_ms(durable) == 0 && (r = durable_mark(durable, err)) < 0 ? r : 0;

	if (!commits)
		start_writing(durable);
	r = commits ? sync_commits(durable, &end, fd, more, err) : 0;
	index_free(more);
	if (r < 0)
		return err_prefix(err, r, "segments/%s", segment_name(name, end.first));
	uint64_t told = store_confirmed(durable->store)->now.idle_lsn;
	bool idle_more = idle > durable_lsn(durable);
	/* Which tables it is of must be as durable as what is of them. */
	bool chosen = durable_choice(durable) == store_confirmed(durable->store)->now.choice;
	if (!commits && !idle_more && chosen)
		return 1;
	if (!idle_more && chosen && clock_ms() - durable->marked_ms < MARK_MS) {
		confirmed_tell(store_confirmed(durable->store), synced_now(durable, told));
		return 1;
	}
	r = mark(durable, idle_more ? idle : told, err);
	if (r < 0 && !disk_full(r))
		return r;
	if (idle_more && r == 0)
		advance(durable, idle);
	else if (idle_more)
		forget_idle(durable);
	return 1;
}
