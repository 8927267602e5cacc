#include "noted.h"

#include <errno.h>

#include "scan.h"

static int no_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory for the index");
}

static int start(struct noted *noted, struct index_end from, struct err *err)
{
	noted->from = from;
	noted->index = index_new_behind(from);
	return noted->index ? 0 : no_memory(err);
}

int noted_init(struct noted *noted, struct append *end, struct index_end from, struct err *err)
{
	noted->end = end;
	return start(noted, from, err);
}

void noted_fini(struct noted *noted)
{
	index_free(noted->index);
	*noted = (struct noted){0};
}

int noted_line(struct noted *noted, size_t len, struct position position, const struct line_head *head, struct err *err)
{
	return index_line(noted->index, noted->end->off - len, len, position, head) < 0 ? no_memory(err) : 0;
}

int noted_sum(struct noted *noted, struct err *err)
{
	const struct append *end = noted->end;
	size_t more = noted->index ? (size_t)(end->off - index_end(noted->index).len) : SIZE_MAX;

	if (more > end->len) /* reading again has failed, or what is buffered was not taken back */
		return err_set(err, -EIO, "not all of its lines are noted for the index");
	return index_bytes(noted->index, end->buf + end->len - more, more) < 0 ? no_memory(err) : 0;
}

/* ---- once more, for a part ---------------------------------------------- */

static long read_appended(void *ctx, uint64_t off, char *buf, size_t len, struct err *err)
{
	int r = append_read(ctx, off, buf, len, err);

	return r < 0 ? r : (long)len;
}

/* The same from the lines themselves: those between `from` and `off`. */
static int note_again(struct noted *noted, struct index_end from, uint64_t off, struct err *err)
{
	struct scan scan;
	const char *line;
	size_t len;
	uint64_t at;
	int r = start(noted, from, err);

	if (r < 0 || from.len == off || (r = scan_init_read(&scan, read_appended, noted->end, from.len, off, err)) < 0)
		return r;
	while ((r = scan_next(&scan, &line, &len, &at, err)) == 1) {
		struct line_head head;
		if (!line_parse(line, len, &head))
			r = err_set(err, -EBADMSG, "at %llu: not the line that was written", (unsigned long long)at);
		else if (index_add(noted->index, at, line, len + 1, &head) < 0)
			r = no_memory(err);
		if (r < 0)
			break;
	}
	scan_fini(&scan);
	return r;
}

int noted_take(struct noted *noted, uint64_t off, struct index **index, struct err *err)
{
	struct index_end from = noted->from;
	int r;

	*index = NULL;
	/* A transaction is open behind it. */
	if (off < noted->end->off) {
		index_free(noted->index);
		if ((r = note_again(noted, from, off, err)) < 0)
			return r;
	} else if ((r = noted_sum(noted, err)) < 0) {
		return r;
	}
	*index = noted->index;
	noted->index = NULL;
	if ((r = note_again(noted, index_end(*index), noted->end->off, err)) < 0) {
		index_free(noted->index);
		noted->index = *index;
		noted->from = from;
		*index = NULL;
	}
	return r;
}

int noted_back(struct noted *noted, struct err *err)
{
	index_free(noted->index);
	return note_again(noted, noted->from, noted->end->off, err);
}
