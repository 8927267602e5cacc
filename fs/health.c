#include "health.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"
#include "worker.h"

/* At a start, when the stream itself connects; after an answer; where the slot is not in use; after many answers that did
 * not come. */
enum { PAUSE_FIRST_MS = 300, PAUSE_MS = 10000, PAUSE_INACTIVE_MS = 2000, PAUSE_MOST_MS = 60000 };

struct health {
	const struct config *config;
	struct worker worker;

	pthread_mutex_t lock; /* all below */
	struct health_status status;
	int64_t answered_ms;
};

static int ask(struct health *health, struct server_slot *slot, struct err *err)
{
	PGconn *conn;
	int r = pg_connect(&conn, health->config->conninfo, false, health->worker.stop_fd, err);

	if (r < 0)
		return r;
	r = server_slot(conn, health->config->slot, health->worker.stop_fd, slot, err);
	PQfinish(conn);
	return r;
}

static void keep(struct health *health, const struct server_slot *slot, int r, const struct err *err)
{
	pthread_mutex_lock(&health->lock);
	health->status.known = r == 0;
	if (r == 0) {
		health->status.slot = *slot;
		health->answered_ms = clock_ms();
	}
	snprintf(health->status.error, sizeof health->status.error, "%s", r == 0 ? "" : err->text);
	pthread_mutex_unlock(&health->lock);
}

/* Says nothing: that the server is away is told by who streams. */
static void *run(void *arg)
{
	struct health *health = arg;
	int pause_ms = PAUSE_FIRST_MS;

	while (worker_pause(health->worker.stop_fd, pause_ms)) {
		struct server_slot slot;
		struct err err = {""};
		int r = ask(health, &slot, &err);
		if (r == -EINTR)
			break;
		keep(health, &slot, r, &err);
		if (r == 0)
			pause_ms = slot.active ? PAUSE_MS : PAUSE_INACTIVE_MS;
		else
			pause_ms = pause_ms * 2 < PAUSE_MOST_MS ? pause_ms * 2 : PAUSE_MOST_MS;
	}
	return NULL;
}

int health_start(struct health **out, const struct config *config, struct err *err)
{
	struct health *health = calloc(1, sizeof *health);

	*out = NULL;
	if (!health)
		return err_set(err, -ENOMEM, "out of memory");
	health->config = config;
	pthread_mutex_init(&health->lock, NULL);
	int r = worker_start(&health->worker, run, health, "asks for the slot", err);
	if (r < 0)
		health_stop(health);
	else
		*out = health;
	return r;
}

void health_stop(struct health *health)
{
	if (!health)
		return;
	worker_stop(&health->worker);
	pthread_mutex_destroy(&health->lock);
	free(health);
}

void health_status(struct health *health, struct health_status *status)
{
	*status = (struct health_status){.known = false};
	if (!health)
		return;
	pthread_mutex_lock(&health->lock);
	*status = health->status;
	if (status->known)
		status->age_seconds = (uint64_t)(clock_ms() - health->answered_ms) / 1000;
	pthread_mutex_unlock(&health->lock);
}
