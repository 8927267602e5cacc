#include "filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"

static void emit(struct filter_sink *sink, const char *bytes, size_t len, size_t *taken)
{
	size_t skipped = sink->skip < len ? (size_t)sink->skip : len;
	size_t n = len - skipped < sink->want - sink->len ? len - skipped : sink->want - sink->len;

	if (sink->buf)
		memcpy(sink->buf + sink->len, bytes + skipped, n);
	sink->skip -= skipped;
	sink->len += n;
	*taken = skipped + n;
}

/* Whether buf[0..len) is enough to tell whose line starts there; if so, *ours says it. */
static bool head_complete(struct span pairs, const char *buf, size_t len, bool *ours)
{
	const char *at = buf, *end = buf + len;

	*ours = false;
	for (int tabs = 0; tabs < 4; tabs++) { /* _c, its value, _s, its value */
		at = memchr(at, '\t', (size_t)(end - at));
		if (!at)
			return memchr(buf, '\n', len) != NULL;
		at++;
	}
	size_t have = (size_t)(end - at) < pairs.len ? (size_t)(end - at) : pairs.len;
	if (memcmp(at, pairs.at, have) != 0)
		return true;
	if ((size_t)(end - at) <= pairs.len)
		return false;
	*ours = at[pairs.len] == '\t';
	return true;
}

int filter_read(struct span pairs, struct filter_cursor *cursor, const struct filter_run *run, struct filter_sink *sink,
                struct err *err)
{
	enum { CHUNK = 256 << 10 };
	char *chunk = malloc(CHUNK);
	bool ours = cursor->in_line, within = cursor->in_line;
	int r = chunk ? 0 : err_set(err, -ENOMEM, "out of memory");

	while (r == 0 && cursor->off < run->to && sink->len < sink->want) {
		size_t len = run->to - cursor->off < CHUNK ? (size_t)(run->to - cursor->off) : CHUNK, at = 0;
		long n = bytes_read(run->segment, cursor->off, chunk, len, err);
		if (n <= 0) {
			r = n < 0 ? (int)n : err_set(err, -EIO, "a segment ends within a run of a table's lines");
			break;
		}
		while (at < (size_t)n && sink->len < sink->want) {
			if (!within && !head_complete(pairs, chunk + at, (size_t)n - at, &ours)) {
				if (at == 0 && cursor->off + (uint64_t)n >= run->to)
					r = err_set(err, -EIO, "a segment ends within a line");
				break;
			}
			char *newline = memchr(chunk + at, '\n', (size_t)n - at);
			size_t piece = newline ? (size_t)(newline - (chunk + at)) + 1 : (size_t)n - at, taken = piece;
			if (ours && !within) {
				cursor->line_off = cursor->off + at;
				cursor->line_taken = cursor->taken;
			}
			if (ours) {
				emit(sink, chunk + at, piece, &taken);
				cursor->taken += taken;
			}
			within = !newline || taken < piece;
			at += taken;
		}
		if (at == 0 && r == 0) /* a head is never that long */
			r = err_set(err, -EIO, "not a line of the format at %llu", (unsigned long long)cursor->off);
		cursor->off += at;
	}
	/* Within a line of another table nobody stops: it belongs to the run. */
	cursor->in_line = within;
	free(chunk);
	return r;
}
