#include "arrived.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "name.h"

/* One that is whole is looked through again after that time: somebody may be removing it. */
enum { AGAIN_MS = 10000 };

struct whole {
	struct position position;
	bool all_tables;
	uint64_t generation;
	int64_t looked_ms;
};

struct arrived {
	struct store *store;
	pthread_mutex_t lock; /* the list, ascending */
	struct whole *list;
	size_t count;
};

struct arrived *arrived_new(struct store *store)
{
	struct arrived *arrived = calloc(1, sizeof *arrived);

	if (arrived) {
		arrived->store = store;
		pthread_mutex_init(&arrived->lock, NULL);
	}
	return arrived;
}

void arrived_free(struct arrived *arrived)
{
	if (!arrived)
		return;
	pthread_mutex_destroy(&arrived->lock);
	free(arrived->list);
	free(arrived);
}

/* ---- looking ------------------------------------------------------------- */

static bool has_length(int dirfd, struct position position, const char *part, uint64_t bytes)
{
	int fd = snapshots_open(dirfd, position, part, NULL);
	struct stat st;

	if (fd < 0)
		return false;
	bool right = fstat(fd, &st) == 0 && (uint64_t)st.st_size == bytes;
	close(fd);
	return right;
}

static bool is_whole(int dirfd, struct position position, struct whole *whole)
{
	struct manifest manifest;
	bool so = snapshots_manifest(dirfd, position, &manifest, NULL) == 0;

	so = so && has_length(dirfd, position, "overlap", manifest.overlap_bytes) &&
	     (!manifest.sums_bytes || has_length(dirfd, position, "sums", manifest.sums_bytes));
	for (size_t i = 0; so && i < manifest.count; i++) {
		char part[NAME_PATH_MAX + 16];
		snprintf(part, sizeof part, "tables/%s", manifest.list[i].name);
		so = has_length(dirfd, position, part, manifest.list[i].bytes);
	}
	if (so)
		*whole = (struct whole){position, !manifest.tables, manifest.origin.generation, clock_ms()};
	manifest_fini(&manifest);
	return so;
}

/* It begins directly behind a commit, of which it is the next position at the earliest. */
static bool is_reached(struct position position, struct position last)
{
	last.seq++;
	return position_cmp(position, last) <= 0;
}

static const struct whole *find(const struct arrived *arrived, struct position position)
{
	for (size_t i = 0; i < arrived->count; i++)
		if (position_cmp(arrived->list[i].position, position) == 0)
			return &arrived->list[i];
	return NULL;
}

/* One thread changes the list, so it may read it without the lock. */
int arrived_look(struct arrived *arrived, struct err *err)
{
	int dirfd = store_dirfd(arrived->store);
	struct position *there;
	struct whole *list = NULL;
	struct store_end end;
	size_t there_count, count = 0;
	int r = snapshots_list(dirfd, &there, &there_count, err);

	store_end(arrived->store, &end);
	if (r == 0 && !(list = calloc(there_count + 1, sizeof *list)))
		r = err_set(err, -ENOMEM, "out of memory for the list of snapshots");
	for (size_t i = 0; r == 0 && i < there_count && is_reached(there[i], end.last); i++) {
		const struct whole *known = find(arrived, there[i]);
		if (known && clock_ms() - known->looked_ms < AGAIN_MS)
			list[count++] = *known;
		else if (is_whole(dirfd, there[i], &list[count]))
			count++;
	}
	free(there);
	if (r < 0)
		return r;
	pthread_mutex_lock(&arrived->lock);
	struct whole *before = arrived->list;
	arrived->list = list;
	arrived->count = count;
	pthread_mutex_unlock(&arrived->lock);
	free(before);
	return 0;
}

/* ---- asking -------------------------------------------------------------- */

int arrived_list(struct arrived *arrived, struct store *store, struct position **list, size_t *count, struct err *err)
{
	if (!arrived)
		return snapshots_list(store_dirfd(store), list, count, err);
	pthread_mutex_lock(&arrived->lock);
	*count = arrived->count;
	*list = calloc(*count + 1, sizeof **list);
	for (size_t i = 0; *list && i < *count; i++)
		(*list)[i] = arrived->list[i].position;
	pthread_mutex_unlock(&arrived->lock);
	return *list ? 0 : err_set(err, -ENOMEM, "out of memory for the list of snapshots");
}

int arrived_newest(struct arrived *arrived, struct store *store, uint64_t generation, struct position *newest,
                   struct err *err)
{
	int found = 0;

	if (!arrived)
		return snapshots_newest(store_dirfd(store), generation, newest, err);
	pthread_mutex_lock(&arrived->lock);
	for (size_t i = arrived->count; i-- > 0 && !found;) {
		const struct whole *whole = &arrived->list[i];
		found = whole->all_tables && whole->generation == generation;
		if (found)
			*newest = whole->position;
	}
	pthread_mutex_unlock(&arrived->lock);
	return found;
}

bool arrived_has(struct arrived *arrived, struct position position)
{
	if (!arrived)
		return true;
	pthread_mutex_lock(&arrived->lock);
	bool has = find(arrived, position);
	pthread_mutex_unlock(&arrived->lock);
	return has;
}
