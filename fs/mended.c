#include "mended.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes.h"
#include "chunks.h"
#include "clock.h"
#include "log.h"
#include "name.h"
#include "worker.h"

enum { TICK_MS = 1000 };

/* ---- a look -------------------------------------------------------------- */

static bool is_segment_whole(struct segment *segment, int stop)
{
	uint64_t len = segments_shown(segment->of, segment), off = 0;
	char buf[CHUNK_LEN];
	long n = 1;

	while (n > 0 && off < len && worker_pause(stop, 0)) {
		n = bytes_read(segment, off, buf, sizeof buf, NULL);
		off += n > 0 ? (uint64_t)n : 0;
	}
	return off >= len;
}

static bool look_at_segment(struct store *store, struct position first, int stop)
{
	struct segments *segments = store_segments(store);
	struct segment *segment;
	bool sound = false;

	if (position_cmp(first, segments_edge(segments).first) < 0)
		return true; /* given up */
	if (segments_hold(segments, segments_find(segments, first), &segment, NULL) < 0)
		return false;
	if (segments_renew(segments, segment, NULL) == 0)
		sound = is_segment_whole(segment, stop);
	segments_release(segment);
	return sound;
}

static bool is_part_whole(struct part_set *parts, struct position position, const char *name, int stop)
{
	struct part *part;
	char buf[CHUNK_LEN];
	uint64_t off = 0;
	long n = 1;

	if (part_open(&part, parts, position, name, NULL) < 0)
		return false;
	while (n > 0 && off < part_len(part) && worker_pause(stop, 0)) {
		n = part_read(part, off, buf, sizeof buf, NULL);
		off += n > 0 ? (uint64_t)n : 0;
	}
	bool whole = off >= part_len(part);
	part_close(part);
	return whole;
}

/* What is said of each file is found to be right where that is opened. */
static bool are_sums_whole(struct part_set *parts, struct position position, const struct manifest *manifest)
{
	char name[NAME_PATH_MAX + 16] = "overlap";
	struct part *part;

	for (size_t i = 0; i <= manifest->count; i++) {
		if (i > 0)
			snprintf(name, sizeof name, "tables/%s", manifest->list[i - 1].name);
		if (part_open(&part, parts, position, name, NULL) < 0)
			return false;
		part_close(part);
	}
	return true;
}

static bool look_at_snapshot(struct store *store, struct part_set *parts, struct position position, const char *name,
                             int stop)
{
	int folder = snapshots_open(store_dirfd(store), position, ".", NULL);
	struct manifest manifest;
	bool sound;

	if (folder < 0)
		return folder == -ENOENT; /* given up */
	close(folder);
	sound = snapshots_manifest(store_dirfd(store), position, &manifest, NULL) == 0;
	if (sound && strcmp(name, "sums") == 0)
		sound = are_sums_whole(parts, position, &manifest);
	else if (sound && strcmp(name, "manifest") != 0)
		sound = is_part_whole(parts, position, name, stop);
	manifest_fini(&manifest);
	return sound;
}

bool mended_is(struct store *store, struct part_set *parts, const char *name, int stop)
{
	const char *at = strchr(name, '/') ? strchr(name, '/') + 1 : name;
	const char *end = strncmp(name, "segments/", strlen("segments/")) == 0 ? strstr(at, ".day") : strchr(at, '/');
	struct position position;

	if (!end || !position_parse(at, (size_t)(end - at), &position))
		return false;
	return *end == '/' ? look_at_snapshot(store, parts, position, end + 1, stop)
	                   : look_at_segment(store, position, stop);
}

/* ---- the thread ---------------------------------------------------------- */

struct mended {
	struct store *store;
	struct part_set *parts;
	struct worker worker;
};

static void *run(void *arg)
{
	struct mended *mended = arg;
	struct damage *damage = store_damage(mended->store);
	int stop_fd = mended->worker.stop_fd;
	char *name;

	while (worker_pause(stop_fd, TICK_MS))
		while (worker_pause(stop_fd, 0) && (name = damage_due(damage, store_dirfd(mended->store)))) {
			int64_t began_ms = clock_ms();
			if (mended_is(mended->store, mended->parts, name, stop_fd)) {
				damage_over(damage, name);
				log_info("%s is no longer damaged", name);
			} else {
				damage_stays(damage, name, store_dirfd(mended->store), clock_ms() - began_ms);
			}
			free(name);
		}
	return NULL;
}

int mended_start(struct mended **out, struct store *store, struct part_set *parts, struct err *err)
{
	struct mended *mended = calloc(1, sizeof *mended);

	*out = NULL;
	if (!mended)
		return err_set(err, -ENOMEM, "out of memory");
	mended->store = store;
	mended->parts = parts;
	int r = worker_start(&mended->worker, run, mended, "looks at damaged files again", err);
	if (r < 0)
		mended_stop(mended);
	else
		*out = mended;
	return r;
}

void mended_stop(struct mended *mended)
{
	if (!mended)
		return;
	worker_stop(&mended->worker);
	free(mended);
}
