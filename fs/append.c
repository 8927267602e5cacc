#include "append.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crc32c.h"

enum { CAP_FIRST = 512 << 10, CAP_KEPT = 4 << 20 };

int append_init(struct append *append, int fd, uint64_t off, struct err *err)
{
	*append = (struct append){.fd = fd, .off = off, .cap = CAP_FIRST};
	append->buf = malloc(append->cap);
	return append->buf ? 0 : err_set(err, -ENOMEM, "out of memory");
}

void append_fini(struct append *append)
{
	if (append->fd >= 0)
		close(append->fd);
	free(append->buf);
	*append = (struct append){.fd = -1};
}

int append_switch(struct append *append, int fd)
{
	int old = append->fd;

	append->fd = fd;
	append->off = 0;
	append_restart_sum(append);
	return old;
}

char *append_room(struct append *append, size_t len, struct err *err)
{
	size_t cap = append->cap;

	while (cap - append->len < len)
		cap *= 2;
	if (cap > append->cap) {
		char *more = realloc(append->buf, cap);
		if (!more) {
			err_set(err, -ENOMEM, "out of memory for a line of %zu bytes", len);
			return NULL;
		}
		append->buf = more;
		append->cap = cap;
	}
	return append->buf + append->len;
}

void append_added(struct append *append, size_t len)
{
	append->len += len;
	append->off += len;
}

uint32_t append_sum(struct append *append, size_t short_of)
{
	size_t to = append->len - short_of;

	append->crc = crc32c(append->crc, append->buf + append->summed, to - append->summed);
	append->summed = to;
	return append->crc;
}

void append_restart_sum(struct append *append)
{
	append->crc = 0;
	append->summed = append->len;
}

/* After a very long line. */
static void give_back(struct append *append)
{
	char *less = append->len <= CAP_FIRST && append->cap > CAP_KEPT ? realloc(append->buf, CAP_FIRST) : NULL;

	if (less) {
		append->buf = less;
		append->cap = CAP_FIRST;
	}
}

/* Up to `end`. */
static int write_to(struct append *append, uint64_t end, struct err *err)
{
	uint64_t written = append->off - append->len;
	size_t len = (size_t)(end - written), done = 0;
	int r = 0;

	append_sum(append, 0);
	while (done < len) {
		ssize_t n = pwrite(append->fd, append->buf + done, len - done, (off_t)(written + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r = err_errno(err, "appending to a segment");
			break;
		}
		done += (size_t)n;
	}
	memmove(append->buf, append->buf + done, append->len - done);
	append->len -= done;
	append->summed = append->len;
	give_back(append);
	return r;
}

int append_write(struct append *append, struct err *err)
{
	return write_to(append, append->off, err);
}

int append_write_blocks(struct append *append, struct err *err)
{
	return write_to(append, append->off - append->off % APPEND_BLOCK, err);
}

struct append_mark append_mark(struct append *append)
{
	return (struct append_mark){append->off, append_sum(append, 0)};
}

int append_back(struct append *append, struct append_mark mark, struct err *err)
{
	uint64_t written = append->off - append->len;

	if (mark.off < written && ftruncate(append->fd, (off_t)mark.off) < 0)
		return err_errno(err, "cutting off a transaction that broke off");
	append->len = mark.off < written ? 0 : (size_t)(mark.off - written);
	append->off = mark.off;
	append->crc = mark.crc;
	append->summed = append->len;
	return 0;
}

int append_read(const struct append *append, uint64_t off, char *out, size_t len, struct err *err)
{
	uint64_t written = append->off - append->len, end = off + len;
	size_t from_file = off >= written ? 0 : (size_t)((end < written ? end : written) - off);

	if (from_file && pread(append->fd, out, from_file, (off_t)off) != (ssize_t)from_file)
		return err_set(err, -EIO, "a segment cannot be read back at %llu", (unsigned long long)off);
	if (from_file < len)
		memcpy(out + from_file, append->buf + (off + from_file - written), len - from_file);
	return 0;
}
