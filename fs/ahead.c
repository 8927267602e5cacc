#include "ahead.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"

/* A view is held for so much at once, and the reader's next request waits for so long at most. */
#define STEP_LEN ((size_t)128 << 10)
enum { LONG_MS = 20 };

void ahead_init(struct ahead *ahead, atomic_uint *used)
{
	*ahead = (struct ahead){.used = used};
	pthread_mutex_init(&ahead->lock, NULL);
}

static void drop(struct ahead *ahead)
{
	if (ahead->buf)
		--*ahead->used;
	free(ahead->buf);
	ahead->buf = NULL;
	ahead->len = 0;
}

void ahead_fini(struct ahead *ahead)
{
	ahead_lock(ahead);
	drop(ahead);
	ahead_unlock(ahead);
	pthread_mutex_destroy(&ahead->lock);
}

void ahead_lock(struct ahead *ahead)
{
	pthread_mutex_lock(&ahead->lock);
}

void ahead_unlock(struct ahead *ahead)
{
	pthread_mutex_unlock(&ahead->lock);
}

/* What was read ahead from `off` on, and, where that is less than `len`, what comes behind it. */
static long read_on(struct ahead *ahead, struct file *file, uint64_t off, size_t len, const char **bytes,
                    struct err *err)
{
	size_t passed = (size_t)(off - ahead->off);

	ahead->off = off;
	ahead->from += passed;
	ahead->len -= passed;
	if (ahead->len < len && ahead->from + len > AHEAD_LEN) {
		memmove(ahead->buf, ahead->buf + ahead->from, ahead->len);
		ahead->from = 0;
	}
	char *at = ahead->buf + ahead->from;
	*bytes = at;
	if (ahead->len < len) {
		long n = file_peek(file, off + ahead->len, at + ahead->len, len - ahead->len, err);
		if (n < 0)
			return n;
		ahead->len += (size_t)n;
	}
	return (long)(len < ahead->len ? len : ahead->len);
}

long ahead_read(struct ahead *ahead, struct file *file, uint64_t off, char *own, size_t len, const char **bytes,
                struct err *err)
{
	bool has = ahead->len > 0 && off >= ahead->off && off - ahead->off < ahead->len && len <= AHEAD_LEN;

	ahead->onwards = off == ahead->next ? ahead->onwards + 1 : 0;
	*bytes = own;
	long n = has ? read_on(ahead, file, off, len, bytes, err) : file_peek(file, off, own, len, err);
	if (n >= 0)
		file_passed(file, off + (uint64_t)n);
	/* Who comes to the end, or leaves his way, has no more use for it. */
	ahead->next = off + (n > 0 ? (size_t)n : 0);
	if (n < (long)len)
		ahead->onwards = 0;
	return n;
}

static bool get_buffer(struct ahead *ahead)
{
	if (ahead->buf)
		return true;
	if (++*ahead->used <= AHEAD_MOST && (ahead->buf = malloc(AHEAD_LEN)))
		return true;
	--*ahead->used;
	return false;
}

void ahead_go(struct ahead *ahead, struct file *file)
{
	struct err err;

	if (ahead->onwards < 2) {
		drop(ahead);
		return;
	}
	if ((ahead->len > 0 && ahead->next < ahead->off + ahead->len) || !get_buffer(ahead))
		return;
	int64_t since = clock_ms();
	long n = 1;
	ahead->off = ahead->next;
	ahead->from = ahead->len = 0;
	for (size_t step = STEP_LEN; n > 0 && ahead->len < AHEAD_LEN && clock_ms() - since < LONG_MS;
	     ahead->len += (size_t)n) {
		step = step < AHEAD_LEN - ahead->len ? step : AHEAD_LEN - ahead->len;
		n = file_peek(file, ahead->off + ahead->len, ahead->buf + ahead->len, step, &err);
		if (n < 0)
			break;
	}
}
