#include "resync.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "build.h"
#include "dbfile.h"
#include "exchange.h"
#include "filter.h"
#include "log.h"
#include "match.h"
#include "stop.h"

/* How long a thread whose read hangs is waited for. */
#define END_TRIES 50
#define END_TRY_MS 200

static int nothing_to_copy(const struct mirror_wish *wish, struct err *err)
{
	return err_set(err, -ENOENT,
	               "%s has no snapshot that %s could be brought anew from: take one (daystream snapshot)%s",
	               wish->source.mount ? wish->source.mount : wish->source.file, wish->path,
	               wish->source.table ? "" : ", or give --from");
}

static int resync_once(struct mirror *mirror, struct err *err)
{
	int filled = match_database(&mirror->database, &mirror->wish->source, err);

	if (filled == 0)
		filled = build_fill(mirror, err);
	if (filled <= 0)
		return filled < 0 ? filled : nothing_to_copy(mirror->wish, err);
	/* Readers are not to see the rows go back to where the snapshot stands. */
	mirror->whole = true;
	int rc = mirror_run_to_end(mirror, err);
	mirror->whole = false;
	/* Where there was nothing to follow. */
	return rc < 0 ? rc : apply_commit(mirror->apply, err);
}

int resync_all(struct mirror *mirror, struct err *err)
{
	const struct mirror_wish *wish = mirror->wish;
	struct build_tries tries = {0};
	struct err second;
	int rc;

	ahead_close(mirror->ahead);
	mirror->ahead = NULL;
	mirror->away = false;
	mirror->tries = 0;
	if ((rc = match_database(&mirror->database, &mirror->wish->source, err)) == -EINVAL)
		return rc;
	log_info("bringing %s anew; readers see the old copy until then", wish->path);
	rc = apply_rollback(mirror->apply, err);
	while (rc == 0 && (rc = resync_once(mirror, err)) < 0) {
		ahead_close(mirror->ahead);
		mirror->ahead = NULL;
		int undone = apply_rollback(mirror->apply, &second);
		rc = build_again(&tries, wish, rc, err);
		if (rc == 0 && undone < 0) {
			*err = second;
			return undone;
		}
		if (rc < 0)
			return rc;
	}
	if (rc == 0)
		log_info("%s is new", wish->path);
	return rc;
}

/* ---- some tables */

struct beside {
	struct mirror_wish wish;
	struct mirror mirror;
	char *path;
	struct err err;
	int rc;
	atomic_bool done; /* all above is the other thread's until then */
	pthread_t thread;
};

static void *build_thread(void *ctx)
{
	struct beside *beside = ctx;

	beside->rc = build_beside(&beside->mirror, &beside->wish, beside->path, &beside->err);
	/* It is to have all rows. */
	if (beside->rc == 0 && !beside->mirror.database.exact)
		beside->rc = nothing_to_copy(&beside->wish, &beside->err);
	atomic_store(&beside->done, true);
	return NULL;
}

/* After stop_ask. A read of a mount that hangs ends with a signal; false: it did not even so. */
static bool end_thread(struct beside *beside)
{
	for (int i = 0; i < END_TRIES; i++) {
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += END_TRY_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		if (pthread_timedjoin_np(beside->thread, NULL, &until) == 0)
			return true;
		pthread_kill(beside->thread, SIGTERM);
	}
	return false;
}

/* Brings both to the later one's commit. */
static int bring_together(struct mirror *one, struct mirror *other, struct err *err)
{
	struct mirror_goal goal = {.at = true};
	int rc = 0;

	for (int i = 0; i < 2 && rc == 0 && !stop_asked(); i++) {
		goal.position = one->database.position;
		rc = mirror_run(other, &goal, err);
		if (rc == 0) {
			goal.position = other->database.position;
			rc = mirror_run(one, &goal, err);
		}
	}
	if (rc == 0 && stop_asked())
		return -EINTR;
	if (rc == 0 && position_cmp(one->database.position, other->database.position) != 0)
		return err_set(err, -EIO, "%s and %s do not come to the same commit", one->database.path,
		               other->database.path);
	return rc;
}

/* While the mirror goes on. 0: what is beside is whole, and its thread has ended. */
static int build_meanwhile(struct mirror *mirror, struct beside *beside, struct err *err)
{
	struct mirror_goal goal = {.interrupt = &beside->done};

	if (pthread_create(&beside->thread, NULL, build_thread, beside) != 0)
		return err_set(err, -EAGAIN, "cannot start a thread");
	int rc = mirror_run(mirror, &goal, err);
	if (rc < 0 || stop_asked()) {
		stop_ask();
		/* What it uses is left to it until the program ends, which is now. */
		if (!end_thread(beside))
			return err_set(err, -EIO, "a read of %s hangs", mirror->wish->source.mount);
		return rc < 0 ? rc : -EINTR;
	}
	pthread_join(beside->thread, NULL);
	if (beside->rc < 0)
		*err = beside->err;
	return beside->rc;
}

static int check_list(const struct mirror_wish *wish, struct err *err)
{
	for (const char *at = wish->resync_tables; at;) {
		size_t len = strcspn(at, ",");
		if (!filter_has(wish->tables, at, len))
			return err_set(err, -ENOENT, "%s was made without table %.*s: --tables %s", wish->path,
			               (int)len, at, wish->tables);
		at = at[len] ? at + len + 1 : NULL;
	}
	return 0;
}

int resync_tables(struct mirror *mirror, struct err *err)
{
	const struct mirror_wish *wish = mirror->wish;
	struct beside *beside = calloc(1, sizeof *beside);

	int rc = beside ? check_list(wish, err) : err_set(err, -ENOMEM, "out of memory");
	/* What cannot be told now, mirror_run tells. */
	if (rc == 0 && (rc = match_database(&mirror->database, &mirror->wish->source, err)) != -EINVAL)
		rc = 0;
	if (rc == 0 && asprintf(&beside->path, "%s.resync", wish->path) < 0) {
		beside->path = NULL;
		rc = err_set(err, -ENOMEM, "out of memory");
	}
	if (rc == 0)
		rc = apply_tolerate(mirror->apply, wish->resync_tables, err);
	if (rc < 0) {
		if (beside)
			free(beside->path);
		free(beside);
		return rc;
	}
	beside->wish = *wish;
	beside->wish.tables = wish->resync_tables;
	beside->wish.numeric = value_print_numeric(mirror->database.numeric);
	beside->mirror.database.lock_fd = -1;
	rc = build_meanwhile(mirror, beside, err);
	if (rc == -EIO && !atomic_load(&beside->done))
		return rc;
	if (rc == 0)
		rc = bring_together(mirror, &beside->mirror, err);
	if (rc == 0)
		rc = exchange_tables(mirror, &beside->mirror, wish->resync_tables, err);
	if (rc == 0)
		log_info("%s is new in %s", wish->resync_tables, wish->path);
	apply_tolerate(mirror->apply, NULL, NULL);
	build_discard(&beside->mirror);
	mirror_close(&beside->mirror);
	free(beside->path);
	free(beside);
	return rc;
}
