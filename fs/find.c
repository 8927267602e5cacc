#include "find.h"

#include <errno.h>

#include "scan.h"

/* The last segment that starts at or before `position`, or the first. */
static size_t segment_of(struct store *store, struct position position)
{
	size_t low = 0, high = store_segment_count(store);

	store_lock(store);
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (position_cmp(store_segment_locked(store, middle)->first, position) <= 0)
			low = middle;
		else
			high = middle;
	}
	store_unlock(store);
	return low;
}

/* Where the block that holds `position` starts, and where it ends. */
static int find_block(struct store *store, size_t i, struct position position, uint64_t *from, uint64_t *to,
                      struct err *err)
{
	const struct index *index;
	size_t count;
	int r = store_lock_index(store, i, &index, err);

	if (r < 0)
		return r;
	const struct index_block *blocks = index_blocks(index, &count);
	size_t low = 0, high = count;
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (position_cmp(blocks[middle].first, position) <= 0)
			low = middle;
		else
			high = middle;
	}
	uint64_t len = store_segment_locked(store, i)->len;
	*from = count ? blocks[low].off : len;
	*to = low + 1 < count ? blocks[low + 1].off : len;
	if (*to > len) /* added, and not yet shown */
		*to = len;
	if (*from > *to)
		*from = *to;
	store_unlock(store);
	return 0;
}

/* The first line at or after `position` in [from, to) of segment i. */
static int scan_block(struct store *store, size_t i, uint64_t from, uint64_t to, struct position position,
                      struct place *place, struct err *err)
{
	struct scan scan;
	const char *line;
	size_t len;
	uint64_t off;
	int r = scan_init(&scan, store_segment(store, i)->fd, from, to, err);

	if (r < 0)
		return r;
	while ((r = scan_next(&scan, &line, &len, &off, err)) == 1) {
		struct line_head head;
		if (!line_parse(line, len, &head)) {
			r = err_set(err, -EIO, "segment %zu at %llu: not a line of the format", i,
			            (unsigned long long)off);
			break;
		}
		if (position_cmp(head.position, position) >= 0) {
			*place = (struct place){head.position, i, off, len + 1};
			break;
		}
	}
	scan_fini(&scan);
	return r;
}

int find_line(struct store *store, struct position position, struct place *place, struct err *err)
{
	size_t count = store_segment_count(store);

	for (size_t i = segment_of(store, position); i < count; i++) {
		uint64_t from, to;
		int r = find_block(store, i, position, &from, &to, err);
		if (r < 0)
			return r;
		if ((r = scan_block(store, i, from, to, position, place, err)) != 0)
			return r;
		/* All of that block is before it; so is all of the segment, or the
		 * next block starts with it. */
		store_lock(store);
		uint64_t len = store_segment_locked(store, i)->len;
		store_unlock(store);
		if (to < len && (r = scan_block(store, i, to, len, position, place, err)) != 0)
			return r;
	}
	return 0;
}

uint64_t find_offset(struct store *store, const struct place *place)
{
	return store_segment(store, place->segment)->base + place->off;
}
