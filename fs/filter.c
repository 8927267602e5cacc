#include "filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "chunks.h"

/* Whether that many bytes of the table are at least as many as are wanted still. */
static bool fills(const struct filter_sink *sink, size_t len)
{
	return len >= sink->skip && len - sink->skip >= sink->want - sink->len;
}

/* Of so many bytes of the table, those that are wanted. Returns how many that took. */
static size_t emit(struct filter_sink *sink, const char *bytes, size_t len)
{
	size_t skipped = sink->skip < len ? (size_t)sink->skip : len;
	size_t n = len - skipped < sink->want - sink->len ? len - skipped : sink->want - sink->len;

	if (sink->buf)
		memcpy(sink->buf + sink->len, bytes + skipped, n);
	sink->skip -= skipped;
	sink->len += n;
	return skipped + n;
}

/* Behind the stamp of the line that starts at `at`; NULL where that is not all there. */
static const char *behind_stamp(const char *at, const char *end)
{
	const size_t second = sizeof "_c\t1507507200" - 1; /* most have as many digits */
	int tabs = 4;                                      /* _c, its value, _s, its value */

	if ((size_t)(end - at) > second + 4 && memcmp(at + second, "\t_s\t", 4) == 0) {
		at += second + 4;
		tabs = 1;
	}
	for (; tabs > 0; tabs--, at++) {
		while (at < end && *at != '\t')
			at++;
		if (at == end)
			return NULL;
	}
	return at;
}

/* Whether `pairs` and a tab stand at `at`, where so many bytes are. Most lines of other tables differ at the end of the
 * name. */
static bool stands(struct span pairs, const char *at)
{
	uint64_t here, there;

	if (at[pairs.len] != '\t')
		return false;
	if (pairs.len < sizeof here)
		return memcmp(at, pairs.at, pairs.len) == 0;
	memcpy(&here, at + pairs.len - sizeof here, sizeof here);
	memcpy(&there, pairs.at + pairs.len - sizeof there, sizeof there);
	return here == there && memcmp(at, pairs.at, pairs.len) == 0;
}

/* Whether line[0..end) is enough to tell whose line starts there; if so, *ours says it. */
static bool head_complete(struct span pairs, const char *line, const char *end, bool *ours)
{
	const char *at = behind_stamp(line, end);

	*ours = false;
	if (!at)
		return memchr(line, '\n', (size_t)(end - line)) != NULL;
	if ((size_t)(end - at) > pairs.len) {
		*ours = stands(pairs, at);
		return true;
	}
	return memcmp(at, pairs.at, (size_t)(end - at)) != 0;
}

/* The line that the reading is within, if it is, and whose that is. */
struct within {
	bool line, ours;
};

/* Takes bytes[0..len), which start at the cursor, until the sink is full or a head is not all there; returns how many
 * it has taken. Adjacent lines of the table are copied at once. */
static size_t take(struct span pairs, struct filter_cursor *cursor, struct filter_sink *sink, struct within *within,
                   const char *bytes, size_t len)
{
	const char *at = bytes, *end = bytes + len, *from = NULL; /* of the adjacent ones */

	while (at < end && sink->len < sink->want) {
		if (!within->line && !head_complete(pairs, at, end, &within->ours))
			break;
		if (!within->ours && from) {
			cursor->taken += emit(sink, from, (size_t)(at - from));
			from = NULL;
		}
		if (within->ours && !from)
			from = at;
		if (within->ours && !within->line) {
			cursor->line_off = cursor->off + (uint64_t)(at - bytes);
			cursor->line_taken = cursor->taken + (uint64_t)(at - from);
		}
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		at = newline ? newline + 1 : end;
		within->line = !newline;
		if (within->ours && fills(sink, (size_t)(at - from))) {
			size_t taken = emit(sink, from, (size_t)(at - from));
			within->line |= taken < (size_t)(at - from);
			cursor->taken += taken;
			at = from + taken;
			from = NULL;
		}
	}
	if (from)
		cursor->taken += emit(sink, from, (size_t)(at - from));
	return (size_t)(at - bytes);
}

/* From the cursor on: to the end of a chunk of the segment, or of the run, so that no chunk is read twice. */
static size_t next_len(const struct filter_cursor *cursor, const struct filter_run *run, size_t most)
{
	size_t len = most - (size_t)(cursor->off % CHUNK_LEN);

	return run->to - cursor->off < len ? (size_t)(run->to - cursor->off) : len;
}

int filter_read(struct span pairs, struct filter_cursor *cursor, const struct filter_run *run, struct filter_sink *sink,
                struct err *err)
{
	enum { STRETCH = 4 * CHUNK_LEN };
	char *bytes = malloc(STRETCH);
	struct within within = {cursor->in_line, cursor->in_line};
	int r = bytes ? 0 : err_set(err, -ENOMEM, "out of memory");

	while (r == 0 && cursor->off < run->to && sink->len < sink->want) {
		long n = bytes_read(run->segment, cursor->off, bytes, next_len(cursor, run, STRETCH), err);
		if (n <= 0) {
			r = n < 0 ? (int)n : err_set(err, -EIO, "a segment ends within a run of a table's lines");
			break;
		}
		size_t taken = take(pairs, cursor, sink, &within, bytes, (size_t)n);
		if (taken == 0) /* a head is never that long */
			r = cursor->off + (uint64_t)n >= run->to
			        ? err_set(err, -EIO, "a segment ends within a line")
			        : err_set(err, -EIO, "not a line of the format at %llu",
			                  (unsigned long long)cursor->off);
		cursor->off += taken;
	}
	/* Within a line of another table nobody stops: it belongs to the run. */
	cursor->in_line = within.line;
	free(bytes);
	return r;
}
