#include "lines.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "crc32c.h"

#define READ_SIZE ((size_t)1 << 20)
#define READ_SMALL ((size_t)4096)
#define BUFFER_SIZE (2 * READ_SIZE)
/* PostgreSQL sends no message above 1 GiB, which escaping at most doubles. */
#define LINE_MAX_LEN ((size_t)1 << 31)

int lines_open_read(struct lines *lines, lines_read *read, void *ctx, struct err *err)
{
	*lines = (struct lines){.input = {.fd = -1}, .read = read, .ctx = ctx, .size = BUFFER_SIZE};
	if (!(lines->buffer = malloc(BUFFER_SIZE)))
		return err_set(err, -ENOMEM, "out of memory for a buffer of %zu bytes", BUFFER_SIZE);
	return 0;
}

int lines_open(struct lines *lines, const char *path, struct err *err)
{
	int rc = lines_open_read(lines, NULL, NULL, err);

	if (rc < 0)
		return rc;
	if (!(lines->path = strdup(path)))
		return err_set(err, -ENOMEM, "out of memory");
	return input_open(&lines->input, path, err);
}

void lines_close(struct lines *lines)
{
	input_close(&lines->input);
	free(lines->buffer);
	free(lines->path);
	*lines = (struct lines){.input = {.fd = -1}};
}

uint32_t lines_sum(const struct lines *lines, const char *upto)
{
	size_t end = upto ? (size_t)(upto - lines->buffer) : lines->start;

	return crc32c(lines->crc, lines->buffer + lines->summed, end - lines->summed);
}

void lines_sum_begin(struct lines *lines)
{
	lines->crc = 0;
	lines->summed = lines->start;
}

/* Makes room for one read behind the unfinished line. */
static int make_room(struct lines *lines, struct err *err)
{
	size_t kept = lines->end - lines->start;

	lines->crc = lines_sum(lines, NULL);
	lines->summed = lines->start;
	if (lines->start > 0) {
		memmove(lines->buffer, lines->buffer + lines->start, kept);
		lines->scanned -= lines->start;
		lines->start = lines->summed = 0;
		lines->end = kept;
	}
	if (kept > LINE_MAX_LEN)
		return err_set(err, -EBADMSG, "a line has no end");

	size_t size = lines->size;
	if (kept + READ_SIZE > size)
		size = 2 * size;
	else if (kept + READ_SIZE <= BUFFER_SIZE)
		size = BUFFER_SIZE;
	if (size != lines->size) {
		char *buffer = realloc(lines->buffer, size);
		if (!buffer)
			return err_set(err, -ENOMEM, "out of memory for a line of more than %zu bytes", kept);
		lines->buffer = buffer;
		lines->size = size;
	}
	return 0;
}

int lines_more(struct lines *lines, struct err *err)
{
	if (lines->size - lines->end < READ_SIZE) {
		int rc = make_room(lines, err);
		if (rc < 0)
			return rc;
	}
	/* What stands before a damaged place can be read by itself. */
	if (lines->read) {
		long got = lines->read(lines->ctx, lines->buffer + lines->end, lines->size - lines->end, err);
		for (size_t len = READ_SMALL; got == -EBADMSG && len > 0; len /= 8)
			got = lines->read(lines->ctx, lines->buffer + lines->end, len, err);
		lines->end += got > 0 ? (size_t)got : 0;
		return got < 0 ? (int)got : got > 0;
	}
	long n = input_read(&lines->input, lines->buffer + lines->end, lines->size - lines->end);
	for (size_t len = READ_SMALL; n == -EIO && len > 0; len /= 8)
		n = input_read(&lines->input, lines->buffer + lines->end, len);
	if (n < 0)
		return err_set(err, n == -EINTR ? -EINTR : -ENOTCONN, "cannot read %s: %s", lines->path,
		               strerror((int)-n));
	lines->end += (size_t)n;
	return n > 0;
}

int lines_next(struct lines *lines, const char **text, size_t *len, struct err *err)
{
	char *newline;

	while (!(newline = memchr(lines->buffer + lines->scanned, '\n', lines->end - lines->scanned))) {
		lines->scanned = lines->end;
		int rc = lines_more(lines, err);
		if (rc <= 0)
			return rc;
	}
	*text = lines->buffer + lines->start;
	*len = (size_t)(newline - *text);
	lines->start = lines->scanned = (size_t)(newline - lines->buffer) + 1;
	return 1;
}

size_t lines_rest(const struct lines *lines, const char **rest)
{
	*rest = lines->buffer + lines->start;
	return lines->end - lines->start;
}
