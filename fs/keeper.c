#include "keeper.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "snapshot.h"
#include "snapshots.h"
#include "worker.h"

/* A table that a copy does not see may be seen soon: its transaction may wait for a standby. Or it is gone again. */
enum { TICK_MS = 500, PAUSE_FIRST_MS = 1000, PAUSE_MOST_MS = 300000, ABSENT_MS = 60000, JOBS = 2 };

struct keeper {
	struct store *store;
	const struct config *config;
	struct ingest *ingest;
	bool automatic;
	struct worker worker;

	/* The thread's: when one of some tables may be tried again, which failed. */
	int64_t partial_ms;
	int partial_pause_ms;

	pthread_mutex_t lock;     /* all below */
	struct position outdated; /* one that is newer is needed; zeros: any will do */
	struct keeper_status status;
};

static int next_pause(int ms)
{
	return ms == 0 ? PAUSE_FIRST_MS : 2 * ms < PAUSE_MOST_MS ? 2 * ms : PAUSE_MOST_MS;
}

static void set_status(struct keeper *keeper, const char *state, const char *error)
{
	pthread_mutex_lock(&keeper->lock);
	keeper->status.state = state;
	if (error)
		snprintf(keeper->status.error, sizeof keeper->status.error, "%s", error);
	pthread_mutex_unlock(&keeper->lock);
}

static bool is_streaming(struct keeper *keeper)
{
	struct ingest_status ingest;

	ingest_status(keeper->ingest, &ingest);
	return strcmp(ingest.state, "streaming") == 0;
}

/* The server is there, and this generation has none, or one that is about to go. */
static bool is_wanted(struct keeper *keeper)
{
	struct store_end end;
	struct position newest;

	if (!is_streaming(keeper))
		return false;
	pthread_mutex_lock(&keeper->lock);
	struct position outdated = keeper->outdated;
	pthread_mutex_unlock(&keeper->lock);
	store_end(keeper->store, &end);
	int found = snapshots_newest(store_dirfd(keeper->store), end.origin.generation, &newest, NULL);
	return found == 0 || (found == 1 && position_cmp(newest, outdated) <= 0);
}

/* Of these tables, or, where that is NULL, of all. 0: taken, or somebody else is at it. *done: taken, and it has the rows of
 * all tables that had come before. */
static int take(struct keeper *keeper, const char *tables, bool *done, struct err *err)
{
	bool partial = false;
	const struct snapshot_request request = {
	    .tables = tables, .jobs = JOBS, .wakefd = keeper->worker.stop_fd, .partial = &partial};
	struct position taken;
	char name[POSITION_TEXT_MAX];

	set_status(keeper, "taking", NULL);
	int r = snapshot_take(store_dirfd(keeper->store), keeper->config, &request, &taken, err);
	if (r == 0)
		log_info("the snapshot %s %s%swas taken", position_print(name, taken), tables ? tables : "",
		         tables ? " " : "");
	*done = r == 0 && !partial;
	return r == -EBUSY ? 0 : r;
}

/* One of the list is not there; the others are wanted still. */
static int take_each(struct keeper *keeper, const char *tables, struct err *err)
{
	char *list = strdup(tables), *rest = list, *name;
	int r = list ? 0 : err_set(err, -ENOMEM, "out of memory for a list of tables");
	bool done;

	while ((name = strsep(&rest, ","))) {
		done = false;
		if (r == 0 && (r = take(keeper, name, &done, err)) == -ENOENT) {
			done = keeper->partial_pause_ms > ABSENT_MS;
			r = 0;
		}
		if (!done)
			ingest_put_partial(keeper->ingest, name);
	}
	free(list);
	return r;
}

/* Of the tables that came with rows which are not in the stream. What waits for it is a mirror that says so, not
 * retention: so a failure is told, and no state. */
static int take_partial(struct keeper *keeper, struct err *err)
{
	char *tables =
	    clock_ms() >= keeper->partial_ms && is_streaming(keeper) ? ingest_take_partial(keeper->ingest) : NULL;
	bool done = false, absent = false;

	if (!tables)
		return 0;
	int r = take(keeper, tables, &done, err);
	if (r == -ENOENT) {
		absent = true;
		r = take_each(keeper, tables, err);
	} else if (!done) {
		ingest_put_partial(keeper->ingest, tables);
	}
	set_status(keeper, "idle", NULL);
	if (r < 0 && r != -EINTR && keeper->partial_pause_ms == 0)
		log_error("no snapshot of %s can be taken: %s; trying again", tables, err->text);
	keeper->partial_pause_ms = absent || r < 0 ? next_pause(keeper->partial_pause_ms) : 0;
	keeper->partial_ms = clock_ms() + keeper->partial_pause_ms;
	free(tables);
	return r == -EINTR ? r : 0;
}

/* One of all tables has those, too. */
static int take_all(struct keeper *keeper, struct err *err)
{
	char *tables = ingest_take_partial(keeper->ingest);
	bool done = false;
	int r = take(keeper, NULL, &done, err);

	if (tables && !done)
		ingest_put_partial(keeper->ingest, tables);
	free(tables);
	return r;
}

/* Somebody else has taken one. */
static void forget_failure(struct keeper *keeper)
{
	struct store_end end;
	struct position newest;

	store_end(keeper->store, &end);
	if (keeper_has_failed(keeper) &&
	    snapshots_newest(store_dirfd(keeper->store), end.origin.generation, &newest, NULL) == 1)
		set_status(keeper, "idle", "");
}

static void *run(void *arg)
{
	struct keeper *keeper = arg;
	struct err err;
	int pause_ms = PAUSE_FIRST_MS;

	while (worker_pause(keeper->worker.stop_fd, TICK_MS)) {
		if (!is_wanted(keeper)) {
			forget_failure(keeper);
			if (take_partial(keeper, &err) == -EINTR)
				break;
			continue;
		}
		int r = take_all(keeper, &err);
		if (r == 0) {
			pause_ms = PAUSE_FIRST_MS;
			set_status(keeper, "idle", "");
			continue;
		}
		if (r == -EINTR)
			break;
		if (pause_ms == PAUSE_FIRST_MS)
			log_error("no snapshot can be taken: %s; trying again", err.text);
		set_status(keeper, "failed", err.text);
		if (!worker_pause(keeper->worker.stop_fd, pause_ms))
			break;
		pause_ms = next_pause(pause_ms);
	}
	return NULL;
}

/* What a snapshot that was killed left. */
static void clean(struct keeper *keeper)
{
	struct snapshots_draft draft;

	if (snapshots_begin(store_dirfd(keeper->store), &draft, NULL) == 0)
		snapshots_end(&draft);
}

int keeper_start(struct keeper **out, struct store *store, const struct config *config, struct ingest *ingest,
                 struct err *err)
{
	struct keeper *keeper = calloc(1, sizeof *keeper);

	*out = NULL;
	if (!keeper)
		return err_set(err, -ENOMEM, "out of memory");
	keeper->store = store;
	keeper->config = config;
	keeper->ingest = ingest;
	keeper->automatic = strcmp(config->snapshot, "auto") == 0;
	keeper->status.state = keeper->automatic ? "idle" : "off";
	pthread_mutex_init(&keeper->lock, NULL);
	clean(keeper);
	int r = keeper->automatic ? worker_start(&keeper->worker, run, keeper, "takes snapshots", err) : 0;
	if (r < 0)
		keeper_stop(keeper);
	else
		*out = keeper;
	return r;
}

void keeper_stop(struct keeper *keeper)
{
	if (!keeper)
		return;
	worker_stop(&keeper->worker);
	pthread_mutex_destroy(&keeper->lock);
	free(keeper);
}

void keeper_ask(struct keeper *keeper, struct position outdated)
{
	if (!keeper)
		return;
	pthread_mutex_lock(&keeper->lock);
	if (position_cmp(outdated, keeper->outdated) > 0)
		keeper->outdated = outdated;
	pthread_mutex_unlock(&keeper->lock);
}

bool keeper_has_failed(struct keeper *keeper)
{
	struct keeper_status status;

	keeper_status(keeper, &status);
	return status.error[0] || !keeper || !keeper->automatic;
}

void keeper_status(struct keeper *keeper, struct keeper_status *status)
{
	*status = (struct keeper_status){.state = "off"};
	if (!keeper)
		return;
	pthread_mutex_lock(&keeper->lock);
	*status = keeper->status;
	pthread_mutex_unlock(&keeper->lock);
}
