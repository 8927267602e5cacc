#include "run.h"

/* The last post at or before `at`, which counts in the file; without `blocks`, in the table's own bytes. */
static size_t last_post(const struct index_part *part, const struct index_block *blocks, uint64_t at)
{
	size_t low = 0, high = part->post_count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		const struct index_post *post = &part->posts[middle];
		if ((blocks ? blocks[post->block].off : post->before) <= at)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static struct filter_run run_from(struct segment *segment, const struct index *index, const struct index_part *part,
                                  size_t post)
{
	size_t block_count;
	const struct index_block *blocks = index_blocks(index, &block_count);
	struct filter_run run = {segment, blocks[part->posts[post].block].off, 0, part->posts[post].before};
	uint64_t block = part->posts[post].block;
	size_t low = post, high = part->post_count;

	while (high - low > 1) { /* the last one of as many blocks as posts */
		size_t middle = low + (high - low) / 2;
		if (part->posts[middle].block - block == middle - post)
			low = middle;
		else
			high = middle;
	}
	block = part->posts[low].block + 1;
	run.to = block < block_count && blocks[block].off < segment->len ? blocks[block].off : segment->len;
	return run;
}

int run_at(struct segments *segments, struct segment *segment, struct span pairs, uint64_t local,
           struct filter_run *run, struct err *err)
{
	const struct index *index;
	struct index_part part;
	int r = segments_lock_index(segments, segment, &index, err);

	if (r < 0)
		return r;
	if (index_part(index, pairs, &part) && local < part.bytes) {
		*run = run_from(segment, index, &part, last_post(&part, NULL, local));
		r = 1;
	}
	segments_unlock(segments);
	return r;
}

int run_before(struct segments *segments, struct segment *segment, struct span pairs, uint64_t off,
               struct filter_run *run, struct err *err)
{
	const struct index *index;
	struct index_part part;
	int r = segments_lock_index(segments, segment, &index, err);

	*run = (struct filter_run){0};
	if (r < 0)
		return r;
	if (index_part(index, pairs, &part)) {
		size_t block_count;
		const struct index_block *blocks = index_blocks(index, &block_count);
		*run = run_from(segment, index, &part, last_post(&part, blocks, off));
	}
	segments_unlock(segments);
	return 0;
}
