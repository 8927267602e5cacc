#include "build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dbfile.h"
#include "direct.h"
#include "input.h"
#include "load.h"
#include "log.h"
#include "mountpoint.h"
#include "snapshot.h"
#include "stop.h"

/* What is wrong ten times is wrong; what changes all the time, who follows waits for. */
#define TRIES 10
#define PAUSE_MS 500
#define PAUSE_MOST_MS 10000

static int look(const char *mount, const char *name)
{
	char path[4200];

	snprintf(path, sizeof path, "%s/%s", mount, name);
	return input_look(path, NULL);
}

/* A folder that somebody copied has lines and no status; a mount that is away has neither. */
static bool is_copy(const char *mount)
{
	return look(mount, "live") == 0 && look(mount, "status") == -ENOENT && look(mount, "live") == 0;
}

/* What becomes of a mount without a snapshot: -EAGAIN: the daemon takes one by itself; -ENODATA: it would, but has
 * failed; -ENOTCONN: it is away; 0: there will be none. */
static int expect_snapshot(const char *mount, struct err *err)
{
	char *snapshots = mountpoint_status(mount, "snapshots"), *failure = mountpoint_status(mount, "snapshot_error");
	int rc = 0;

	if (!snapshots && !is_copy(mount))
		rc = err_set(err, -ENOTCONN, "%s/status cannot be read now", mount);
	else if (snapshots && strcmp(snapshots, "auto") == 0)
		rc = failure && *failure
		         ? err_set(err, -ENODATA,
		                   "%s has no snapshot: the daemon cannot take one: %s (--from copies from the server)",
		                   mount, failure)
		         : -EAGAIN;
	free(snapshots);
	free(failure);
	return rc;
}

static int fill_from_mount(struct mirror *mirror, struct err *err)
{
	const struct mirror_wish *wish = mirror->wish;
	const char *mount = wish->source.mount, *tables = mirror_tables(wish);
	/* A time that is over may be another generation's. */
	const struct snapshot_want want = {tables, wish->until ? 0 : mountpoint_generation(mount), wish->until};
	struct snapshot snapshot;

	int rc = snapshot_find(&snapshot, mount, &want, err);
	if (rc == -ENOENT) {
		rc = snapshot.later.epoch ? 0 : expect_snapshot(mount, err);
		if (rc == 0 && wish->until)
			rc = until_beginning(wish->until, mount, snapshot.later, err);
	} else if (rc == 0) {
		log_info("copying from %s", snapshot.folder);
		rc = load_snapshot(mirror->apply, &snapshot, tables, err);
		rc = rc < 0 ? rc : 1;
	}
	snapshot_close(&snapshot);
	return rc;
}

static void warn(const char *sentence)
{
	log_warn("%s", sentence);
}

int build_fill(struct mirror *mirror, struct err *err)
{
	const struct mirror_wish *wish = mirror->wish;

	if (!wish->source.mount)
		return 0;
	if (!wish->conninfo)
		return fill_from_mount(mirror, err);
	const char *tables = mirror_tables(wish);
	int rc = direct_load(mirror->apply, wish->source.mount, wish->conninfo,
	                     tables ? tables : mirror->database.stream_tables, warn, err);
	/* The server's; what the mount's means is said otherwise. */
	return rc == -EAGAIN ? -ENOTCONN : rc < 0 ? rc : 1;
}

/* What is away may be so for long, and each attempt may copy much before it finds out. */
static void pause_before(struct build_tries *tries, bool longer)
{
	tries->pause_ms = !longer || tries->pause_ms == 0       ? PAUSE_MS
	                  : 2 * tries->pause_ms < PAUSE_MOST_MS ? 2 * tries->pause_ms
	                                                        : PAUSE_MOST_MS;
	stop_pause(tries->pause_ms);
}

int build_again(struct build_tries *tries, const struct mirror_wish *wish, int code, struct err *err)
{
	bool stale = code == -ESTALE && !wish->until;

	if (stop_asked())
		return -EINTR;
	if (code == -EINTR)
		return 0; /* of a signal that was not for us */
	if (code == -EAGAIN) {
		if (!tries->waiting)
			log_info("%s; waiting for it, the daemon takes one by itself", err->text);
		tries->waiting = true;
	} else if (code == -ENODATA && !wish->once) {
		if (!tries->failing)
			log_warn("%s; waiting for it", err->text);
		tries->failing = true;
	} else if (code == -ENOTCONN && !wish->once) {
		if (!err_same(&tries->away, err))
			log_warn("%s; waiting for it, then beginning anew", err->text);
		tries->away = *err;
	} else if (stale && !wish->once) {
		tries->changed++;
		log_warn("%s; beginning anew", err->text);
	} else if ((stale || code == -EBADMSG) && ++tries->count < TRIES) {
		log_warn("%s; beginning anew", err->text);
	} else {
		return code;
	}
	pause_before(tries, code == -ENOTCONN || tries->changed >= TRIES);
	return stop_asked() ? -EINTR : 0;
}

/* One attempt. */
static int build_once(struct mirror *mirror, const struct mirror_wish *wish, const char *path, struct err *err)
{
	uint64_t newest_generation = wish->until ? 0 : mountpoint_generation(wish->source.mount);
	int rc = mirror_open(mirror, wish, path, true, newest_generation, err);

	if (rc < 0)
		return rc;
	if (mirror->database.leftovers)
		log_info("the building of %s was interrupted; it is begun anew", path);
	int filled = build_fill(mirror, err);
	if (filled < 0)
		return filled;
	if (!filled)
		log_warn("%s has no snapshot%s%s: rows that are older than the stream will be missing in %s%s",
		         wish->source.mount ? wish->source.mount : wish->source.file, wish->until ? " as old as " : "",
		         wish->until ? wish->until->text : "", wish->path,
		         wish->until ? "" : " (--from copies them from the server)");
	rc = apply_commit(mirror->apply, err);
	if (rc == 0)
		rc = database_filled(&mirror->database, err);
	return rc < 0 ? rc : mirror_run_to_end(mirror, err);
}

int build_beside(struct mirror *mirror, const struct mirror_wish *wish, const char *path, struct err *err)
{
	struct build_tries tries = {0};
	int rc;

	while ((rc = build_once(mirror, wish, path, err)) < 0 && (rc = build_again(&tries, wish, rc, err)) == 0) {
		build_discard(mirror);
		mirror_close(mirror);
	}
	return rc;
}

void build_discard(struct mirror *mirror)
{
	/* What another process has locked is not ours to remove. */
	if (mirror->database.lock_fd >= 0)
		dbfile_remove(mirror->database.path);
}

int build_new(const struct mirror_wish *wish, struct err *err)
{
	struct mirror mirror;
	char *path = NULL;

	if (asprintf(&path, "%s.building", wish->path) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	int rc = build_beside(&mirror, wish, path, err);
	if (rc == 0) {
		/* Nothing of it may be in use when it is closed. */
		ahead_close(mirror.ahead);
		apply_close(mirror.apply);
		mirror.ahead = NULL;
		mirror.apply = NULL;
		rc = database_rename(&mirror.database, wish->path, err);
	}
	if (rc < 0)
		build_discard(&mirror);
	mirror_close(&mirror);
	free(path);
	return rc;
}

void build_sweep(const struct mirror_wish *wish)
{
	static const char *const beside[] = {".building", ".resync"};
	char path[4200];

	for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
		snprintf(path, sizeof path, "%s%s", wish->path, beside[i]);
		dbfile_sweep(path);
	}
}
