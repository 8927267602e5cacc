#include "filter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bytes.h"
#include "chunks.h"
#include "ends.h"

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
	uint64_t here[2], there[2];
	const size_t part = sizeof here[0];

	if (at[pairs.len] != '\t')
		return false;
	if (pairs.len < part)
		return memcmp(at, pairs.at, pairs.len) == 0;
	memcpy(&here[1], at + pairs.len - part, part);
	memcpy(&there[1], pairs.at + pairs.len - part, part);
	memcpy(&here[0], at, part);
	memcpy(&there[0], pairs.at, part);
	return here[1] == there[1] && here[0] == there[0] &&
	       (pairs.len <= 2 * part || memcmp(at + part, pairs.at + part, pairs.len - 2 * part) == 0);
}

/* Whether line[0..end) is enough to tell whose line starts there; if so, *ours says it. The line does not end before
 * *behind. */
static bool head_complete(struct span pairs, const char *line, const char *end, bool *ours, const char **behind)
{
	const char *at = behind_stamp(line, end);

	*ours = false;
	*behind = at ? at : line;
	if (!at)
		return memchr(line, '\n', (size_t)(end - line)) != NULL;
	if ((size_t)(end - at) > pairs.len) {
		*ours = stands(pairs, at);
		*behind = *ours ? at + pairs.len : at;
		return true;
	}
	return memcmp(at, pairs.at, (size_t)(end - at)) != 0;
}

/* The line that the reading is within, if it is, and whose that is. */
struct within {
	bool line, ours;
};

/* Adjacent lines of the table, or pieces of them. */
struct adjacent {
	const char *from; /* NULL: none */
	const char *line; /* where the last line of them starts that starts in them; NULL: none does */
};

/* Gives them out, up to `to`, and knows the last line's place. `bytes` stand at the cursor. Returns how many were taken. */
static size_t give(struct filter_cursor *cursor, struct filter_sink *sink, struct adjacent *adjacent, const char *to,
                   const char *bytes)
{
	if (adjacent->line) {
		cursor->line_off = cursor->off + (uint64_t)(adjacent->line - bytes);
		cursor->line_taken = cursor->taken + (uint64_t)(adjacent->line - adjacent->from);
	}
	size_t taken = emit(sink, adjacent->from, (size_t)(to - adjacent->from));
	cursor->taken += taken;
	*adjacent = (struct adjacent){0};
	return taken;
}

/* Takes bytes[0..len), which start at the cursor, until the sink is full or a head is not all there; returns how many
 * it has taken. */
static size_t take(struct span pairs, struct filter_cursor *cursor, struct filter_sink *sink, struct within *within,
                   const char *bytes, size_t len)
{
	const char *at = bytes, *end = bytes + len;
	struct adjacent adjacent = {0};
	struct ends ends;

	ends_init(&ends, bytes, end);
	while (at < end && sink->len < sink->want) {
		const char *behind = at;
		if (!within->line && !head_complete(pairs, at, end, &within->ours, &behind))
			break;
		if (!within->ours && adjacent.from)
			give(cursor, sink, &adjacent, at, bytes);
		if (within->ours && !adjacent.from)
			adjacent.from = at;
		if (within->ours && !within->line)
			adjacent.line = at;
		const char *next = ends_next(&ends, behind);
		at = next ? next : end;
		within->line = !next;
		if (within->ours && fills(sink, (size_t)(at - adjacent.from))) {
			const char *from = adjacent.from;
			size_t taken = give(cursor, sink, &adjacent, at, bytes);
			within->line |= taken < (size_t)(at - from);
			at = from + taken;
		}
	}
	if (adjacent.from)
		give(cursor, sink, &adjacent, at, bytes);
	return (size_t)(at - bytes);
}

enum { STRETCH = 4 * CHUNK_LEN, HEAD_MOST = 4 << 10 }; /* what is read at once; a line's head is shorter */

/* From `off` on: to the end of a chunk of the segment, or of the run, so that no chunk is read twice. `enough`: no further
 * than to the end of the chunk where so many bytes are there. */
static size_t next_len(uint64_t off, const struct filter_run *run, uint64_t enough)
{
	uint64_t len = STRETCH - off % CHUNK_LEN;

	if (enough < len)
		len = chunks_count(off + enough) * CHUNK_LEN - off;
	return (size_t)(run->to - off < len ? run->to - off : len);
}

/* Whether it goes on. Within a line of another table nobody stops: where one does stop, the line belongs to the run. */
static bool goes_on(const struct filter_cursor *cursor, const struct filter_run *run, const struct filter_sink *sink,
                    const struct within *within)
{
	return cursor->off < run->to && sink->len < sink->want &&
	       (sink->len < sink->least || (within->line && !within->ours));
}

int filter_read(struct span pairs, struct filter_cursor *cursor, const struct filter_run *run, struct filter_sink *sink,
                struct err *err)
{
	char *bytes = malloc(HEAD_MOST + STRETCH);
	struct within within = {cursor->in_line, cursor->in_line};
	/* If all lines are the table's; where they were not, as much as can be. */
	uint64_t left = sink->least - sink->len, enough = left < STRETCH ? left + sink->skip + HEAD_MOST : STRETCH;
	size_t had = 0; /* of a head whose end is in the next stretch */
	int r = bytes ? 0 : err_set(err, -ENOMEM, "out of memory");

	while (r == 0 && goes_on(cursor, run, sink, &within)) {
		uint64_t off = cursor->off + had;
		if (off >= run->to) {
			r = err_set(err, -EIO, "a segment ends within a line");
			break;
		}
		long n = bytes_read(run->segment, off, bytes + had, next_len(off, run, enough), err);
		if (n <= 0) {
			r = n < 0 ? (int)n : err_set(err, -EIO, "a segment ends within a run of a table's lines");
			break;
		}
		size_t taken = take(pairs, cursor, sink, &within, bytes, had + (size_t)n);
		cursor->off += taken;
		had = had + (size_t)n - taken;
		enough = STRETCH;
		if (had < HEAD_MOST)
			memmove(bytes, bytes + taken, had);
		else if (sink->len < sink->want)
			r = err_set(err, -EIO, "not a line of the format at %llu", (unsigned long long)cursor->off);
	}
	cursor->in_line = within.line;
	free(bytes);
	return r;
}
