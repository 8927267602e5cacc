#include "seek.h"

#include <errno.h>

#include "record.h"

struct found {
	struct position commit;
	uint64_t lsn;
};

/* The next commit line: 1, 0 at the end. */
static int next_commit(struct stream_lines *lines, struct found *found, struct err *err)
{
	struct follow_line line;
	struct commit commit;
	int r;

	while ((r = follow_next(stream_lines_follow(lines), &line, err)) == 1)
		if (line.commit && commit_parse(&line.head, &commit)) {
			*found = (struct found){line.head.position, commit.lsn};
			break;
		}
	return r;
}

/* The first commit line at or after a position; NULL: of all. */
static int first_commit(struct stream *stream, const struct position *from, struct found *found, struct err *err)
{
	struct stream_lines *lines;
	int r = stream_lines_open(&lines, stream, NULL, from, err);

	if (r == 0)
		r = next_commit(lines, found, err);
	stream_lines_close(lines);
	return r;
}

/* The last commit line from there on before the first that is behind the LSN. */
static int last_before(struct stream *stream, const struct position *from, uint64_t lsn, struct position *after,
                       struct err *err)
{
	struct stream_lines *lines;
	struct found found;
	int r = stream_lines_open(&lines, stream, NULL, from, err);

	while (r == 0 && (r = next_commit(lines, &found, err)) == 1) {
		if (found.lsn > lsn)
			break;
		*after = found.commit;
		r = 0;
	}
	stream_lines_close(lines);
	return r < 0 ? r : 1;
}

static int first_generation(struct stream *stream, uint64_t *generation, struct err *err)
{
	struct stream_lines *lines;
	struct follow_line line;
	struct origin origin;
	int r = stream_lines_open(&lines, stream, NULL, NULL, err);

	if (r == 0 && (r = follow_next(stream_lines_follow(lines), &line, err)) == 1)
		*generation = origin_parse(&line.head, &origin) ? origin.generation : 0;
	stream_lines_close(lines);
	return r < 0 ? r : 0;
}

/* Nothing at or before the LSN is retained: was there something? */
static int check_edge(struct stream *stream, uint64_t lsn, struct err *err)
{
	const struct position zero = {0};
	char text[LSN_TEXT_MAX];
	struct stream_lines *lines;
	int r = stream_lines_open(&lines, stream, NULL, &zero, err);

	stream_lines_close(lines);
	return r == -ESTALE
	           ? err_prefix(err, r, "what follows the LSN %s was given up, or may be", lsn_print(text, lsn))
	           : r;
}

int seek_lsn(struct stream *stream, uint64_t lsn, struct position *after, struct err *err)
{
	uint64_t generation, first = 0;
	struct position last;
	struct found found;
	int r = first_commit(stream, NULL, &found, err);

	if (r <= 0)
		return r;
	if (found.lsn > lsn)
		return check_edge(stream, lsn, err);
	*after = found.commit;
	stream_end(stream, &last, &generation);
	if ((r = first_generation(stream, &first, err)) < 0)
		return r;
	if (first == 0 || first != generation)
		return last_before(stream, NULL, lsn, after, err);
	/* The first commit at or after `low` is not behind it; that at or after `high` is, or there is none. */
	uint64_t oldest = found.commit.epoch, low = oldest, high = last.epoch + 1;
	while (high > low && high - low > 1) {
		struct position middle = {low + (high - low) / 2, 0};
		if ((r = first_commit(stream, &middle, &found, err)) < 0)
			return r;
		if (r == 0 || found.lsn > lsn)
			high = middle.epoch;
		else
			low = found.commit.epoch;
	}
	const struct position from = {low, 0};
	/* Of the oldest second, the first lines may be given up. */
	return last_before(stream, low == oldest ? NULL : &from, lsn, after, err);
}
