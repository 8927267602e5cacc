#include "ahead.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"

/* A view is held for so much at once, and the reader's next request waits for so long at most, but where it helps. */
#define STEP_LEN ((size_t)128 << 10)
/* Where a part begins: FUSE copies a reply page by page, each in two where these begin elsewhere than the reader's. */
#define PAGE_LEN ((size_t)4096)
enum {
	LONG_US = 20000,
	SLOW_US = 100, /* for a step: most lines are others', or come from the disk */
};
/* Who reads ahead looks up after so much at the latest, and is not helped with less. */
#define STEP_MOST (2 * STEP_LEN)
#define HELP_LEAST (2 * STEP_LEN)

void ahead_init(struct ahead *ahead, atomic_uint *used)
{
	*ahead = (struct ahead){.used = used};
	pthread_mutex_init(&ahead->lock, NULL);
	pthread_cond_init(&ahead->changed, NULL);
}

/* What nobody uses: of who reads on, what he has read, where others may need it. */
static void drop(struct ahead *ahead)
{
	bool all = ahead->onwards < 2 || ahead->closing;

	for (int i = 0; i < 2; i++) {
		struct ahead_part *part = &ahead->parts[i];
		if (!part->buf || part->replies > 0 || part->helped || part == ahead->filling)
			continue;
		if (!all && (ahead->filling || part->off + part->len > ahead->next || *ahead->used <= AHEAD_MOST / 2))
			continue;
		free(part->buf);
		*part = (struct ahead_part){0};
		--*ahead->used;
	}
}

void ahead_fini(struct ahead *ahead)
{
	pthread_mutex_lock(&ahead->lock);
	ahead->closing = true;
	while (ahead->uses > 0)
		pthread_cond_wait(&ahead->changed, &ahead->lock);
	drop(ahead);
	pthread_mutex_unlock(&ahead->lock);
	pthread_cond_destroy(&ahead->changed);
	pthread_mutex_destroy(&ahead->lock);
}

static bool holds(const struct ahead_part *part, uint64_t off)
{
	return off >= part->off && off < part->off + part->len;
}

/* The part that holds `off`; NULL where none does. */
static struct ahead_part *part_of(struct ahead *ahead, uint64_t off)
{
	return holds(&ahead->parts[0], off) ? &ahead->parts[0] : holds(&ahead->parts[1], off) ? &ahead->parts[1] : NULL;
}

/* As far as it is read, or about to be by who helps. */
static size_t extent(const struct ahead_part *part)
{
	return part->helped && part->len == part->rest ? AHEAD_LEN : part->len;
}

/* Both have come to where they were to. */
static void join_rest(struct ahead_part *part)
{
	if (part->helped || part->rest == AHEAD_LEN || part->len != part->rest)
		return;
	part->len += part->rest_len;
	part->rest = AHEAD_LEN;
}

/* What reads it just now may bring STEP_MOST. */
static bool wants_help(const struct ahead_part *part, uint64_t until)
{
	return part->slow && part->rest == AHEAD_LEN && AHEAD_LEN - part->len >= STEP_MOST + HELP_LEAST &&
	       until > part->off + part->len + STEP_MOST;
}

/* Who waits for it reads the second half of what it lacks. */
static void help(struct ahead *ahead, struct file *file, struct ahead_part *part)
{
	size_t rest = part->len + STEP_MOST + (AHEAD_LEN - part->len - STEP_MOST) / 2;
	struct err err;
	long n = 1;

	part->rest = rest;
	part->rest_len = 0;
	part->helped = true;
	while (n > 0 && rest + part->rest_len < AHEAD_LEN && ahead->onwards >= 2 && !ahead->closing) {
		size_t at = rest + part->rest_len, left = AHEAD_LEN - at;
		pthread_mutex_unlock(&ahead->lock);
		n = file_beside(file, part->off + at, part->buf + at, left < STEP_MOST ? left : STEP_MOST, &err);
		pthread_mutex_lock(&ahead->lock);
		if (n > 0)
			part->rest_len += (size_t)n;
	}
	part->helped = false;
	join_rest(part);
}

static bool lacks(const struct ahead_part *part, uint64_t off, size_t len)
{
	return off >= part->off && off - part->off < AHEAD_LEN && off + len > part->off + part->len;
}

/* The same, once it has all of `len` bytes that it is about to get. */
static struct ahead_part *await_part(struct ahead *ahead, struct file *file, uint64_t off, size_t len)
{
	struct ahead_part *filling;

	while ((filling = ahead->filling) && lacks(filling, off, len)) {
		ahead->awaited = off + len;
		if (wants_help(filling, off + len))
			help(ahead, file, filling);
		else
			pthread_cond_wait(&ahead->changed, &ahead->lock);
	}
	return part_of(ahead, off);
}

/* Takes what has been read ahead: the whole of it where it is, or copies of pieces. */
static size_t take(struct ahead *ahead, struct file *file, uint64_t off, char *own, size_t len, struct ahead_got *got)
{
	struct ahead_part *part;
	size_t taken = 0;

	while (taken < len && (part = await_part(ahead, file, off + taken, len - taken))) {
		size_t at = (size_t)(off + taken - part->off), n = part->len - at;
		if (n >= len && taken == 0) {
			part->replies++;
			*got = (struct ahead_got){.bytes = part->buf + at, .part = part};
			return len;
		}
		n = n < len - taken ? n : len - taken;
		memcpy(own + taken, part->buf + at, n);
		taken += n;
	}
	return taken;
}

long ahead_read(struct ahead *ahead, struct file *file, uint64_t off, char *own, size_t len, struct ahead_got *got,
                struct err *err)
{
	*got = (struct ahead_got){.bytes = own};
	pthread_mutex_lock(&ahead->lock);
	ahead->uses++;
	ahead->onwards = off == ahead->next ? ahead->onwards + 1 : 0;
	if (ahead->onwards == 0)
		ahead->start = off;
	size_t n = take(ahead, file, off, own, len, got);
	pthread_mutex_unlock(&ahead->lock);

	long rest = 0;
	if (n == 0 && file_recent(file, off, len, &got->recent))
		n = got->recent.len;
	else if (n < len)
		rest = file_peek(file, off + n, own + n, len - n, err);
	if (rest >= 0)
		file_passed(file, off + (n += (size_t)rest));

	pthread_mutex_lock(&ahead->lock);
	/* Who comes to the end, or leaves his way, has no more use for it; nor has who gets what others get, too. */
	ahead->next = off + n;
	if (n < len || got->recent.len > 0)
		ahead->onwards = 0;
	got->more = part_of(ahead, ahead->next);
	pthread_mutex_unlock(&ahead->lock);
	return rest < 0 ? rest : (long)n;
}

/* A second one only while there is plenty: who pauses keeps what he has. */
static bool get_buffer(struct ahead *ahead, struct ahead_part *part)
{
	const struct ahead_part *other = &ahead->parts[part == &ahead->parts[0]];

	if (part->buf)
		return true;
	if (other->buf && *ahead->used >= AHEAD_MOST / 2)
		return false;
	if (++*ahead->used <= AHEAD_MOST && (part->buf = aligned_alloc(PAGE_LEN, AHEAD_LEN)))
		return true;
	--*ahead->used;
	return false;
}

/* A part for what comes next, and where that begins. NULL: there is enough, or no memory for it. */
static struct ahead_part *next_part(struct ahead *ahead, uint64_t *off)
{
	const struct ahead_part *has = part_of(ahead, ahead->next);
	struct ahead_part *part = &ahead->parts[has ? has == &ahead->parts[0] : ahead->parts[0].replies > 0];

	*off = has ? has->off + extent(has) : ahead->next;
	if (part->replies > 0 || part->helped ||
	    (has && (extent(has) < AHEAD_LEN || ahead->next - ahead->start < AHEAD_LEN || holds(part, *off))))
		return NULL;
	return get_buffer(ahead, part) ? part : NULL;
}

/* Without the lock meanwhile. False where it did not become full: there is no more, or it takes long. */
static bool fill(struct ahead *ahead, struct file *file, struct ahead_part *part, uint64_t off)
{
	int64_t since = clock_us();
	struct err err;
	long n = 1;

	part->off = off;
	part->len = 0;
	part->rest = AHEAD_LEN;
	part->rest_len = 0;
	part->slow = false;
	ahead->filling = part;
	while (n > 0 && part->len < part->rest && ahead->onwards >= 2 && !ahead->closing &&
	       (clock_us() - since < LONG_US || part->rest < AHEAD_LEN)) {
		size_t len = part->len, left = part->rest - len, step = STEP_LEN < left ? STEP_LEN : left;
		int64_t began = clock_us();
		pthread_mutex_unlock(&ahead->lock);
		n = file_some(file, off + len, part->buf + len, step, STEP_MOST < left ? STEP_MOST : left, &err);
		pthread_mutex_lock(&ahead->lock);
		part->slow = clock_us() - began >= SLOW_US;
		if (n > 0)
			part->len += (size_t)n;
		/* Not for each step: who is woken takes the processor from who reads. */
		if (off + len < ahead->awaited &&
		    (off + part->len >= ahead->awaited || wants_help(part, ahead->awaited)))
			pthread_cond_broadcast(&ahead->changed);
	}
	ahead->filling = NULL;
	join_rest(part);
	pthread_cond_broadcast(&ahead->changed);
	return extent(part) == AHEAD_LEN;
}

void ahead_go(struct ahead *ahead, struct file *file, struct ahead_got *got)
{
	struct ahead_part *part;
	uint64_t off;

	if (got->recent.len > 0)
		file_release(file, &got->recent);
	pthread_mutex_lock(&ahead->lock);
	if (got->part)
		got->part->replies--;
	while (!ahead->filling && ahead->onwards >= 2 && !ahead->closing && (part = next_part(ahead, &off)) &&
	       fill(ahead, file, part, off))
		;
	drop(ahead);
	if (--ahead->uses == 0)
		pthread_cond_broadcast(&ahead->changed);
	pthread_mutex_unlock(&ahead->lock);
}
