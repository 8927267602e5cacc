#include "held.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HELD_MEMORY = 1 << 20 };

int held_init(struct held *held, int out, struct err *err)
{
	*held = (struct held){.out = out, .buf = malloc(HELD_MEMORY), .cap = HELD_MEMORY, .rest = -1};
	return held->buf ? 0 : err_set(err, -ENOMEM, "out of memory");
}

void held_fini(struct held *held)
{
	held_drop(held);
	free(held->buf);
	*held = (struct held){.rest = -1};
}

static int write_all(int fd, const char *bytes, size_t len, const char *doing, struct err *err)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, "%s", doing);
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_out(const struct held *held, const char *bytes, size_t len, struct err *err)
{
	return write_all(held->out, bytes, len, "writing the output", err);
}

int held_flush(struct held *held, struct err *err)
{
	int r = write_out(held, held->buf, held->released, err);

	if (r == 0) {
		memmove(held->buf, held->buf + held->released, held->len - held->released);
		held->len -= held->released;
		held->released = 0;
	}
	return r;
}

/* Without a name: nobody else finds it, and it goes with us. */
static int unnamed(void)
{
	const char *folder = getenv("TMPDIR");
	char path[4096];

	folder = folder && *folder ? folder : "/tmp";
	int fd = open(folder, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
		return fd;
	/* Not all file systems have such files. */
	if ((size_t)snprintf(path, sizeof path, "%s/daystream.XXXXXX", folder) >= sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if ((fd = mkostemp(path, O_CLOEXEC)) >= 0)
		unlink(path);
	return fd;
}

/* Into the file: all that the buffer has of the transaction, and what does not fit. */
static int put_aside(struct held *held, const char *bytes, size_t len, struct err *err)
{
	static const char doing[] = "putting a large transaction aside (TMPDIR tells where)";

	if (held->rest < 0 && (held->rest = unnamed()) < 0)
		return err_errno(err, "%s", doing);
	int r = write_all(held->rest, held->buf, held->len, doing, err);
	if (r == 0)
		r = write_all(held->rest, bytes, len, doing, err);
	held->len = 0;
	return r;
}

int held_put(struct held *held, const char *bytes, size_t len, struct err *err)
{
	int r = 0;

	if (held->released > 0 && held->len + len > held->cap)
		r = held_flush(held, err);
	if (r == 0 && held->len + len > held->cap)
		return put_aside(held, bytes, len, err);
	if (r == 0) {
		memcpy(held->buf + held->len, bytes, len);
		held->len += len;
	}
	return r;
}

static void drop_rest(struct held *held)
{
	if (held->rest >= 0)
		close(held->rest);
	held->rest = -1;
}

static int write_rest(struct held *held, struct err *err)
{
	char piece[1 << 16];
	off_t off = 0;
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = pread(held->rest, piece, sizeof piece, off)) != 0) {
		if (n < 0)
			r = err_errno(err, "reading what was put aside");
		else
			r = write_out(held, piece, (size_t)n, err);
		off += n;
	}
	drop_rest(held);
	return r;
}

int held_release(struct held *held, struct err *err)
{
	int r = held->rest >= 0 ? write_rest(held, err) : 0;

	held->released = held->len;
	return r;
}

bool held_is_empty(const struct held *held)
{
	return held->len == 0 && held->rest < 0;
}

void held_drop(struct held *held)
{
	drop_rest(held);
	held->len = held->released;
}
