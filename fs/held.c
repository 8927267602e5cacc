#include "held.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HELD_MEMORY = 1 << 20 };

int held_init(struct held *held, int out, struct err *err)
{
	*held = (struct held){.out = out, .buf = malloc(HELD_MEMORY), .cap = HELD_MEMORY};
	return held->buf ? 0 : err_set(err, -ENOMEM, "out of memory");
}

void held_fini(struct held *held)
{
	held_drop(held);
	free(held->buf);
	*held = (struct held){0};
}

static int write_out(const struct held *held, const char *bytes, size_t len, struct err *err)
{
	while (len > 0) {
		ssize_t n = write(held->out, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, "writing the output");
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
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

/* Into the file: all that the buffer has of the transaction, and what does not fit. */
static int put_aside(struct held *held, const char *bytes, size_t len, struct err *err)
{
	if (!held->rest && !(held->rest = tmpfile()))
		return err_errno(err, "making a file for a large transaction (TMPDIR tells where)");
	if (fwrite(held->buf, 1, held->len, held->rest) != held->len || fwrite(bytes, 1, len, held->rest) != len)
		return err_errno(err, "putting a large transaction aside (TMPDIR tells where)");
	held->len = 0;
	return 0;
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

static int write_rest(struct held *held, struct err *err)
{
	char piece[1 << 16];
	size_t n;
	int r = 0;

	rewind(held->rest);
	while (r == 0 && (n = fread(piece, 1, sizeof piece, held->rest)) > 0)
		r = write_out(held, piece, n, err);
	if (r == 0 && ferror(held->rest))
		r = err_errno(err, "reading what was put aside");
	fclose(held->rest);
	held->rest = NULL;
	return r;
}

int held_release(struct held *held, struct err *err)
{
	int r = held->rest ? write_rest(held, err) : 0;

	held->released = held->len;
	return r;
}

void held_drop(struct held *held)
{
	if (held->rest)
		fclose(held->rest);
	held->rest = NULL;
	held->len = held->released;
}
