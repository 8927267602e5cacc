#include "scan.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SCAN_BUFFER = 256 << 10 };

int scan_init(struct scan *scan, int fd, uint64_t off, uint64_t end, struct err *err)
{
	*scan = (struct scan){.fd = fd, .off = off, .end = end, .cap = SCAN_BUFFER};
	scan->buf = malloc(scan->cap);
	if (!scan->buf)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

int scan_init_read(struct scan *scan, scan_read *read, void *ctx, uint64_t off, uint64_t end, struct err *err)
{
	int r = scan_init(scan, -1, off, end, err);

	scan->read = read;
	scan->ctx = ctx;
	return r;
}

static long read_bytes(struct scan *scan, uint64_t off, char *buf, size_t len, struct err *err)
{
	ssize_t n;

	if (scan->read)
		return scan->read(scan->ctx, off, buf, len, err);
	do
		n = pread(scan->fd, buf, len, (off_t)off);
	while (n < 0 && errno == EINTR);
	return n < 0 ? err_errno(err, "reading at %llu", (unsigned long long)off) : n;
}

/* Reads more behind buf[len); doubles the buffer where a line fills it. */
static int fill(struct scan *scan, struct err *err)
{
	if (scan->at > 0) {
		memmove(scan->buf, scan->buf + scan->at, scan->len - scan->at);
		scan->len -= scan->at;
		scan->at = 0;
	}
	if (scan->len == scan->cap) {
		char *more = realloc(scan->buf, scan->cap * 2);
		if (!more)
			return err_set(err, -ENOMEM, "out of memory for a line of more than %zu bytes", scan->cap);
		scan->buf = more;
		scan->cap *= 2;
	}

	uint64_t left = scan->end - scan->off - scan->len;
	size_t want = scan->cap - scan->len;
	if (want > left)
		want = (size_t)left;
	long n = read_bytes(scan, scan->off + scan->len, scan->buf + scan->len, want, err);
	if (n < 0)
		return (int)n;
	if (n == 0) /* shorter than it was: what is left cannot be had */
		scan->end = scan->off + scan->len;
	scan->len += (size_t)n;
	return 0;
}

int scan_next(struct scan *scan, const char **line, size_t *len, uint64_t *off, struct err *err)
{
	size_t seen = 0;

	for (;;) {
		char *start = scan->buf + scan->at;
		char *newline = memchr(start + seen, '\n', scan->len - scan->at - seen);
		if (newline) {
			*line = start;
			*len = (size_t)(newline - start);
			*off = scan->off;
			scan->at += *len + 1;
			scan->off += *len + 1;
			return 1;
		}
		seen = scan->len - scan->at;
		if (scan->off + seen >= scan->end)
			return seen > 0 ? err_set(err, -ENODATA, "a line without an end at %llu",
			                          (unsigned long long)scan->off)
			                : 0;
		int r = fill(scan, err);
		if (r < 0)
			return r;
	}
}

void scan_fini(struct scan *scan)
{
	free(scan->buf);
	scan->buf = NULL;
}
