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

enum { TICK_MS = 500, PAUSE_FIRST_MS = 1000, PAUSE_MOST_MS = 300000, JOBS = 2 };

struct keeper {
	struct store *store;
	const struct config *config;
	struct ingest *ingest;
	bool automatic;
	struct worker worker;

	pthread_mutex_t lock;     /* all below */
	struct position outdated; /* one that is newer is needed; zeros: any will do */
	struct keeper_status status;
};

static void set_status(struct keeper *keeper, const char *state, const char *error)
{
	pthread_mutex_lock(&keeper->lock);
	keeper->status.state = state;
	if (error)
		snprintf(keeper->status.error, sizeof keeper->status.error, "%s", error);
	pthread_mutex_unlock(&keeper->lock);
}

/* The server is there, and this generation has none, or one that is about to go. */
static bool is_wanted(struct keeper *keeper)
{
	struct ingest_status ingest;
	struct store_end end;
	struct position newest;

	ingest_status(keeper->ingest, &ingest);
	if (strcmp(ingest.state, "streaming") != 0)
		return false;
	pthread_mutex_lock(&keeper->lock);
	struct position outdated = keeper->outdated;
	pthread_mutex_unlock(&keeper->lock);
	store_end(keeper->store, &end);
	int found = snapshots_newest(store_dirfd(keeper->store), end.origin.generation, &newest, NULL);
	return found == 0 || (found == 1 && position_cmp(newest, outdated) <= 0);
}

static void warn(const char *sentence)
{
	log_warn("%s", sentence);
}

/* 0: taken, or somebody else is at it. */
static int take(struct keeper *keeper, struct err *err)
{
	const struct snapshot_request request = {.jobs = JOBS, .wakefd = keeper->worker.stop_fd, .warn = warn};
	struct position taken;
	char name[POSITION_TEXT_MAX];

	set_status(keeper, "taking", NULL);
	int r = snapshot_take(store_dirfd(keeper->store), keeper->config, &request, &taken, err);
	if (r == 0)
		log_info("the snapshot %s was taken", position_print(name, taken));
	return r == -EBUSY ? 0 : r;
}

/* Whether it had failed, and somebody else has taken one. */
static bool forget_failure(struct keeper *keeper)
{
	struct store_end end;
	struct position newest;

	store_end(keeper->store, &end);
	if (!keeper_has_failed(keeper) ||
	    snapshots_newest(store_dirfd(keeper->store), end.origin.generation, &newest, NULL) != 1)
		return false;
	set_status(keeper, "idle", "");
	return true;
}

static void *run(void *arg)
{
	struct keeper *keeper = arg;
	struct err err = {""}, said = {""};
	int pause_ms = PAUSE_FIRST_MS;

	while (worker_pause(keeper->worker.stop_fd, TICK_MS)) {
		if (!is_wanted(keeper)) {
			if (forget_failure(keeper)) {
				pause_ms = PAUSE_FIRST_MS;
				said.text[0] = 0;
			}
			continue;
		}
		int r = take(keeper, &err);
		if (r == 0) {
			pause_ms = PAUSE_FIRST_MS;
			said.text[0] = 0;
			set_status(keeper, "idle", "");
			continue;
		}
		if (r == -EINTR)
			break;
		if (!err_same(&err, &said))
			log_error("no snapshot can be taken: %s; trying again", err.text);
		said = err;
		set_status(keeper, "failed", err.text);
		if (!worker_pause(keeper->worker.stop_fd, pause_ms))
			break;
		pause_ms = 2 * pause_ms < PAUSE_MOST_MS ? 2 * pause_ms : PAUSE_MOST_MS;
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
