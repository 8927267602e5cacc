#include "recent.h"

#include <pthread.h>
#include <stdlib.h>

#include "bytes.h"

/* So near the end; some blocks more are for those who are held up in a reply. */
#define NEAR ((uint64_t)(RECENT_BLOCKS - 2) * RECENT_LEN)

struct recent_block {
	uint64_t at; /* in the stream: a segment's start, and some RECENT_LEN more; under the set's lock, as the next */
	unsigned holds;
	char *buf; /* NULL: none */
	pthread_mutex_t filling;
	_Atomic size_t len; /* grows under `filling`; what is before it stays as it is */
};

struct recent {
	struct segments *segments;
	pthread_mutex_t lock;
	size_t users;
	struct recent_block blocks[RECENT_BLOCKS];
};

struct recent *recent_new(struct segments *segments)
{
	struct recent *recent = calloc(1, sizeof *recent);

	if (!recent)
		return NULL;
	recent->segments = segments;
	pthread_mutex_init(&recent->lock, NULL);
	for (int i = 0; i < RECENT_BLOCKS; i++)
		pthread_mutex_init(&recent->blocks[i].filling, NULL);
	return recent;
}

void recent_free(struct recent *recent)
{
	if (!recent)
		return;
	for (int i = 0; i < RECENT_BLOCKS; i++) {
		free(recent->blocks[i].buf);
		pthread_mutex_destroy(&recent->blocks[i].filling);
	}
	pthread_mutex_destroy(&recent->lock);
	free(recent);
}

/* The one that begins there; or the one to be taken for it: NULL where all are held, or newer. Under the lock. */
static struct recent_block *find(struct recent *recent, uint64_t at)
{
	struct recent_block *oldest = NULL;

	for (int i = 0; i < RECENT_BLOCKS; i++) {
		struct recent_block *block = &recent->blocks[i];
		if (block->buf && block->at == at)
			return block;
		if (block->holds == 0 && (!oldest || !block->buf || (oldest->buf && block->at < oldest->at)))
			oldest = block;
	}
	return oldest && (!oldest->buf || oldest->at < at) ? oldest : NULL;
}

/* Nobody holds it. */
static bool start(struct recent_block *block, uint64_t at)
{
	if (!block->buf && !(block->buf = malloc(RECENT_LEN)))
		return false;
	block->at = at;
	block->len = 0;
	return true;
}

static struct recent_block *hold(struct recent *recent, uint64_t at)
{
	pthread_mutex_lock(&recent->lock);
	struct recent_block *block = find(recent, at);
	if (block && (!block->buf || block->at != at) && !start(block, at))
		block = NULL;
	if (block)
		block->holds++;
	pthread_mutex_unlock(&recent->lock);
	return block;
}

static void release(struct recent *recent, struct recent_block *block)
{
	pthread_mutex_lock(&recent->lock);
	block->holds--;
	pthread_mutex_unlock(&recent->lock);
}

/* Up to `need`, or as much more as is shown, `most`. Of the segment, at `from`. Who finds his bytes there does not wait for
 * who reads more, which a disk may hold up. */
static bool fill(struct recent_block *block, struct segment *segment, uint64_t from, size_t need, size_t most)
{
	long n = 1;

	if (block->len >= need)
		return true;
	pthread_mutex_lock(&block->filling);
	while (n > 0 && block->len < need) {
		size_t len = block->len;
		n = bytes_read(segment, from + len, block->buf + len, most - len, NULL);
		if (n > 0)
			block->len = len + (size_t)n;
	}
	pthread_mutex_unlock(&block->filling);
	return n > 0;
}

/* From `off` of the stream on, of one block. */
static bool add_piece(struct recent *recent, struct segment *segment, uint64_t off, size_t len, struct recent_got *got)
{
	uint64_t at = off - segment->base, from = at - at % RECENT_LEN,
	         shown = segments_shown(recent->segments, segment);
	size_t skip = (size_t)(at - from), most = shown - from < RECENT_LEN ? (size_t)(shown - from) : RECENT_LEN;

	if (at >= shown || got->count == RECENT_PIECES)
		return false;
	struct recent_block *block = hold(recent, segment->base + from);
	if (!block)
		return false;
	size_t n = most - skip < len ? most - skip : len;
	if (!fill(block, segment, from, skip + n, most)) {
		release(recent, block);
		return false;
	}
	got->pieces[got->count] = (struct iovec){block->buf + skip, n};
	got->blocks[got->count++] = block;
	got->len += n;
	return true;
}

bool recent_read(struct recent *recent, uint64_t off, size_t len, struct recent_got *got)
{
	uint64_t end = segments_len(recent->segments);
	struct segment *segment;
	bool good = true;

	*got = (struct recent_got){.count = 0};
	if (off >= end || end - off > NEAR)
		return false;
	len = len < end - off ? len : (size_t)(end - off);
	while (good && got->len < len) {
		uint64_t at = off + got->len;
		good = segments_hold(recent->segments, segments_at(recent->segments, at), &segment, NULL) == 0;
		if (good) {
			good = add_piece(recent, segment, at, len - got->len, got);
			segments_release(segment);
		}
	}
	if (!good)
		recent_release(recent, got);
	return good;
}

void recent_release(struct recent *recent, struct recent_got *got)
{
	for (size_t i = 0; i < got->count; i++)
		release(recent, got->blocks[i]);
	*got = (struct recent_got){.count = 0};
}

void recent_join(struct recent *recent)
{
	pthread_mutex_lock(&recent->lock);
	recent->users++;
	pthread_mutex_unlock(&recent->lock);
}

void recent_leave(struct recent *recent)
{
	pthread_mutex_lock(&recent->lock);
	recent->users--;
	for (int i = 0; i < RECENT_BLOCKS && recent->users == 0; i++) {
		free(recent->blocks[i].buf);
		recent->blocks[i].buf = NULL;
	}
	pthread_mutex_unlock(&recent->lock);
}
