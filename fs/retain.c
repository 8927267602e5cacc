#include "retain.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "age.h"
#include "clock.h"
#include "log.h"
#include "reserve.h"
#include "snapshots.h"

enum { DAY = 86400, READ_ON_BYTES = 1 << 30, TICK_MS = 1000 };

/* ---- which segments ----------------------------------------------------- */

/* What the rules look at, as one moment had it. */
struct stock {
	size_t oldest, newest;
	uint64_t bytes; /* retained */
	struct store_end end;
	uint64_t horizon; /* what ended before it has expired; 0: none by age */
};

static void take_stock(const struct retain *retain, uint64_t now, struct stock *stock)
{
	struct segments_edge edge = segments_edge(store_segments(retain->store));
	uint64_t span = retain->config->keep_days * DAY;

	stock->oldest = edge.number;
	stock->newest = segments_range(store_segments(retain->store)).newest;
	stock->bytes = store_len(retain->store) - edge.base;
	store_end(retain->store, &stock->end);
	uint64_t latest = now < stock->end.last.epoch ? now : stock->end.last.epoch;
	stock->horizon = span && latest > span ? latest - span : 0;
}

/* The first segment that stays. *held: more would go, if it were not for the snapshot at `snapshot`. */
static size_t choose(const struct retain *retain, const struct stock *stock, const struct position *snapshot,
                     bool *held)
{
	struct segments *segments = store_segments(retain->store);
	uint64_t bytes = stock->bytes, keep_bytes = retain->config->keep_bytes;
	size_t edge = stock->oldest;

	*held = false;
	for (; edge < stock->newest; edge++) {
		struct segments_edge segment = segments_start(segments, edge),
		                     next = segments_start(segments, edge + 1);
		if (next.first.epoch >= stock->horizon && !(keep_bytes && bytes > keep_bytes))
			break;
		*held = snapshot && position_cmp(next.first, *snapshot) > 0;
		if (*held)
			break;
		bytes -= next.base - segment.base;
	}
	return edge;
}

/* The newest snapshot, where it is to be kept; 0: none is. */
static int kept_snapshot(const struct retain *retain, const struct stock *stock, struct position *position,
                         struct err *err)
{
	int r = snapshots_newest(store_dirfd(retain->store), stock->end.origin.generation, position, err);

	return r == 1 && find_given_up(retain->store, *position) ? 0 : r;
}

int retain_give_up(const struct retain *retain, size_t edge, struct err *err)
{
	struct segments *segments = store_segments(retain->store);
	uint64_t max_bytes = retain->config->keep_bytes > READ_ON_BYTES ? retain->config->keep_bytes : READ_ON_BYTES;

	/* Those that wait for a line find out now whether it has come. */
	view_set_needed(retain->views);
	segments_give_up(segments, edge);
	/* Who comes from now on starts behind; so this is all that is needed of what goes. */
	table_set_count(retain->tables);
	int r = segments_sweep(segments, view_set_needed(retain->views), max_bytes, err);
	table_set_trim(retain->tables);
	return r;
}

/* ---- which snapshots ---------------------------------------------------- */

static bool is_over(const struct retain *retain, const struct stock *stock, struct position position)
{
	struct manifest manifest;

	if (find_given_up(retain->store, position))
		return true;
	bool over = snapshots_manifest(store_dirfd(retain->store), position, &manifest, NULL) == 0 &&
	            manifest.origin.generation < stock->end.origin.generation;
	manifest_fini(&manifest);
	return over;
}

static int remove_snapshots(const struct retain *retain, const struct stock *stock, struct err *err)
{
	int dirfd = store_dirfd(retain->store);
	struct position *list;
	size_t count;
	int r = snapshots_list(dirfd, &list, &count, err);

	for (size_t i = 0; r == 0 && i < count; i++)
		if (is_over(retain, stock, list[i]))
			r = snapshots_remove(dirfd, list[i], err);
	free(list);
	return r;
}

int retain_once(const struct retain *retain, uint64_t now, bool may_pass_snapshot, struct position *snapshot,
                struct err *err)
{
	struct stock stock;
	bool held = false;
	int r = 0;

	take_stock(retain, now, &stock);
	size_t edge = choose(retain, &stock, NULL, &held);
	if (edge > stock.oldest && !may_pass_snapshot) {
		if ((r = kept_snapshot(retain, &stock, snapshot, err)) < 0)
			return r;
		if (r == 1)
			edge = choose(retain, &stock, snapshot, &held);
	}
	/* Also where nothing has expired: somebody may have closed a file. */
	if ((edge > stock.oldest || segments_range(store_segments(retain->store)).readable < stock.oldest) &&
	    (r = retain_give_up(retain, edge, err)) < 0)
		return r;
	if ((r = remove_snapshots(retain, &stock, err)) < 0)
		return r;
	return held;
}

/* ---- the thread --------------------------------------------------------- */

struct retainer {
	struct retain retain;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	bool stop;
	bool reserve_failed; /* the thread's */
};

/* False when it is to end. */
static bool pause_for(struct retainer *retainer, int ms)
{
	struct timespec until = clock_in(ms);

	pthread_mutex_lock(&retainer->lock);
	while (!retainer->stop && pthread_cond_timedwait(&retainer->wake, &retainer->lock, &until) == 0)
		;
	bool stop = retainer->stop;
	pthread_mutex_unlock(&retainer->lock);
	return !stop;
}

/* Also where there was no room for it for a while. */
static void keep_reserve(struct retainer *retainer)
{
	struct err err;
	int r = reserve_keep(store_dirfd(retainer->retain.store), retainer->retain.config->reserve_bytes, &err);

	if (r < 0 && !retainer->reserve_failed)
		log_warn("%s", err.text);
	retainer->reserve_failed = r < 0;
}

static void *run(void *arg)
{
	struct retainer *retainer = arg;
	const struct retain *retain = &retainer->retain;
	struct age age = {0};
	bool said = false;

	do {
		struct err err = {""};
		struct store_end end;
		struct position snapshot = {0};
		uint64_t now = (uint64_t)time(NULL);
		store_end(retain->store, &end);
		now = age_now(&age, now < end.last.epoch ? now : end.last.epoch, clock_ms());
		bool may_pass = !retain->may_pass_snapshot || retain->may_pass_snapshot(retain->ctx);
		int r = retain_once(retain, now, may_pass, &snapshot, &err);
		if (r < 0 && !said)
			log_error("removing what has expired: %s", err.text);
		said = r < 0;
		keep_reserve(retainer);
		if (r == 1 && retain->held)
			retain->held(retain->ctx, snapshot);
	} while (pause_for(retainer, TICK_MS));
	return NULL;
}

int retain_start(struct retainer **out, const struct retain *retain, struct err *err)
{
	struct retainer *retainer = calloc(1, sizeof *retainer);

	*out = NULL;
	if (!retainer)
		return err_set(err, -ENOMEM, "out of memory");
	retainer->retain = *retain;
	pthread_mutex_init(&retainer->lock, NULL);
	clock_cond_init(&retainer->wake);
	if ((errno = pthread_create(&retainer->thread, NULL, run, retainer)) != 0) {
		int r = err_errno(err, "starting a thread");
		free(retainer);
		return r;
	}
	*out = retainer;
	return 0;
}

void retain_stop(struct retainer *retainer)
{
	if (!retainer)
		return;
	pthread_mutex_lock(&retainer->lock);
	retainer->stop = true;
	pthread_cond_signal(&retainer->wake);
	pthread_mutex_unlock(&retainer->lock);
	pthread_join(retainer->thread, NULL);
	pthread_cond_destroy(&retainer->wake);
	pthread_mutex_destroy(&retainer->lock);
	free(retainer);
}
