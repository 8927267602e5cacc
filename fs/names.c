#include "names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

size_t names_pairs(const char *name, char *out)
{
	char schema[NAME_RAW_MAX], table[NAME_RAW_MAX];
	size_t n = 0;

	if (!name_split(name, strlen(name), schema, table))
		return 0;
	if (strcmp(schema, "public") != 0) {
		memcpy(out, "_schema\t", 8);
		n = 8 + line_escape(out + 8, schema, strlen(schema));
		out[n++] = '\t';
	}
	memcpy(out + n, "_table\t", 7);
	n += 7;
	return n + line_escape(out + n, table, strlen(table));
}

static bool unescape_name(struct span value, char *out)
{
	char wide[2 * NAME_RAW_MAX];

	if (value.len >= sizeof wide)
		return false;
	long len = line_unescape(wide, value);
	if (len <= 0 || len >= NAME_RAW_MAX)
		return false;
	memcpy(out, wide, (size_t)len);
	out[len] = 0;
	return true;
}

/* The reverse of names_pairs; false for names that the format does not know. */
static bool name_of_pairs(struct span pairs, char *name)
{
	char schema[NAME_RAW_MAX] = "public", table[NAME_RAW_MAX] = "";
	struct span field, value;

	while (line_next(&pairs, &field, &value) == 1)
		if (!unescape_name(value, span_is(field, "_schema") ? schema : table))
			return false;
	return name_join(name, schema, table) > 0;
}

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

	if (!name_of_pairs(pairs, name))
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
	struct listing listing = {NULL};
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
