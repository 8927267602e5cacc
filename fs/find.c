#include "find.h"

#include <errno.h>

#include "bytes.h"

/* Where the block that holds `position` starts and ends, and where the segment does. */
static int find_block(struct segments *segments, struct segment *segment, struct position position, uint64_t *from,
                      uint64_t *to, uint64_t *len, struct err *err)
{
	const struct index *index;
	size_t count;
	int r = segments_lock_index(segments, segment, &index, err);

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
	*len = segment->len;
	*from = count ? blocks[low].off : *len;
	*to = low + 1 < count ? blocks[low + 1].off : *len;
	if (*to > *len) /* added, and not yet shown */
		*to = *len;
	if (*from > *to)
		*from = *to;
	segments_unlock(segments);
	return 0;
}

/* The first line at or after `position` in [from, to) of the segment; or the last one before it. */
static int scan_block(struct segment *segment, uint64_t from, uint64_t to, struct position position, bool before,
                      struct place *place, struct err *err)
{
	bool found = false;
	struct scan scan;
	const char *line;
	size_t len;
	uint64_t off;
	int r = bytes_scan(&scan, segment, from, to, err);

	if (r < 0)
		return r;
	while ((r = scan_next(&scan, &line, &len, &off, err)) == 1) {
		struct line_head head;
		if (!line_parse(line, len, &head)) {
			char name[SEGMENT_NAME_MAX];
			r = err_set(err, -EIO, "segments/%s at %llu: not a line of the format",
			            segment_name(name, segment->first), (unsigned long long)off);
			break;
		}
		bool behind = position_cmp(head.position, position) >= 0;
		if (behind != before) {
			*place = (struct place){head.position, segment->number, off, len + 1, segment->base + off};
			found = true;
		}
		if (behind)
			break;
	}
	scan_fini(&scan);
	return r < 0 ? r : found;
}

static int find_in(struct segments *segments, size_t number, struct position position, struct place *place,
                   struct err *err)
{
	struct segment *segment;
	uint64_t from, to, len;
	int r = segments_hold(segments, number, &segment, err);

	if (r < 0)
		return r;
	r = find_block(segments, segment, position, &from, &to, &len, err);
	if (r == 0)
		r = scan_block(segment, from, to, position, false, place, err);
	/* All of that block is before it; so is all of the segment, or the next block starts with it. */
	if (r == 0 && to < len)
		r = scan_block(segment, to, len, position, false, place, err);
	segments_release(segment);
	return r;
}

int find_line(struct store *store, struct position position, struct place *place, struct err *err)
{
	struct segments *segments = store_segments(store);
	/* Asked before the lines are: what the newest gets after that is none of a later segment's business. */
	struct segments_range range = segments_range(segments);
	size_t number = segments_find(segments, position);
	int r = 0;

	while (r == 0 && number <= range.newest) {
		r = find_in(segments, number, position, place, err);
		if (r == -ESTALE && number < segments_range(segments).oldest) {
			/* Given up meanwhile: the oldest there is now is the first. */
			range = segments_range(segments);
			number = range.oldest;
			r = 0;
		} else {
			number++;
		}
	}
	return r;
}

int find_before(struct store *store, struct position position, struct place *place, struct err *err)
{
	struct segments *segments = store_segments(store);
	struct position last = position.seq ? (struct position){position.epoch, position.seq - 1}
	                                    : (struct position){position.epoch - 1, UINT64_MAX};
	struct segment *segment;
	uint64_t from, to, len;

	if (position.epoch == 0 && position.seq == 0)
		return 0;
	int r = segments_hold(segments, segments_find(segments, last), &segment, err);
	if (r < 0)
		return r;
	r = find_block(segments, segment, last, &from, &to, &len, err);
	if (r == 0)
		r = scan_block(segment, from, to, position, true, place, err);
	segments_release(segment);
	return r;
}

bool find_given_up(struct store *store, struct position position)
{
	struct segments_edge edge = segments_edge(store_segments(store));

	return edge.follows && position_cmp(position, edge.first) < 0;
}
