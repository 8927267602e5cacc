#include "names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"
#include "name.h"

struct listing {
	struct listed {
		char *name;
		UT_hash_handle hh;
	} * seen;
};

static int list_one(struct span pairs, void *ctx)
{
	struct listing *listing = ctx;
	struct listed *listed;
	char name[NAME_PATH_MAX];

	if (!name_of_pairs(name, pairs))
		return 0;
	HASH_FIND_STR(listing->seen, name, listed);
	if (listed)
		return 0;
	if (!(listed = calloc(1, sizeof *listed)) || !(listed->name = strdup(name))) {
		free(listed);
		return -ENOMEM;
	}
	HASH_ADD_KEYPTR(hh, listing->seen, listed->name, strlen(listed->name), listed);
	return 0;
}

static int list_segment(struct segments *segments, size_t number, struct listing *listing, struct err *err)
{
	const struct index *index;
	struct segment *segment;
	int r = segments_hold(segments, number, &segment, err);

	if (r < 0)
		return r;
	if ((r = segments_lock_index(segments, segment, &index, err)) == 0) {
		if ((r = index_tables(index, list_one, listing)) < 0)
			err_set(err, r, "out of memory for the list of tables");
		segments_unlock(segments);
	}
	segments_release(segment);
	return r;
}

int names_list(struct store *store, int (*each)(const char *name, void *ctx), void *ctx, struct err *err)
{
	struct segments *segments = store_segments(store);
	struct listing listing = {0};
	struct listed *listed, *next;
	size_t newest = segments_range(segments).newest;
	int r = 0;

	for (size_t i = segments_range(segments).oldest; i <= newest && r == 0; i++) {
		r = list_segment(segments, i, &listing, err);
		if (r == -ESTALE && i < segments_range(segments).oldest) /* given up meanwhile */
			r = 0;
	}
	HASH_ITER(hh, listing.seen, listed, next)
	{
		if (r == 0)
			r = each(listed->name, ctx);
		HASH_DEL(listing.seen, listed);
		free(listed->name);
		free(listed);
	}
	return r;
}
