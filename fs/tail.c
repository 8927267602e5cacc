#include "tail.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "confirmed.h"
#include "crc32c.h"
#include "regular.h"
#include "scan.h"
#include "segment.h"

/* A segment that is to be read. */
struct part {
	struct position first;
	int fd;
};

struct tail {
	int dirfd, segments_dirfd;
	uint64_t generation;
	struct position mark; /* durable up to there, which ends a transaction */

	struct part *parts; /* ascending, without a gap; those before `at` are read and closed */
	size_t count, cap, at;
	struct scan scan; /* of parts[at], while there is a buffer */
	uint64_t off;     /* in parts[at]: all before is taken */

	bool started;         /* a line was taken: */
	struct position last; /* its position */
	bool opening;         /* no line of a transaction was taken from parts[at] yet */
	uint64_t xid;         /* of the transaction that is not at its end; 0: none */
	uint32_t crc;         /* of the bytes since the last commit line */
	struct origin origin;
};

/* ---- segments ------------------------------------------------------------ */

static int open_segment(const struct tail *tail, struct position first, int *fd, uint64_t *len, struct err *err)
{
	char name[SEGMENT_NAME_MAX];
	struct stat st;

	*fd = regular_open(tail->segments_dirfd, "segments/", segment_name(name, first), O_RDONLY, err);
	if (*fd < 0)
		return *fd;
	if (fstat(*fd, &st) < 0) {
		int r = err_errno(err, "looking at segments/%s", name);
		close(*fd);
		return r;
	}
	*len = (uint64_t)st.st_size;
	return 0;
}

static int add_part(struct tail *tail, struct position first, int fd, struct err *err)
{
	if (tail->count == tail->cap) {
		size_t cap = tail->cap ? tail->cap * 2 : 16;
		struct part *more = realloc(tail->parts, cap * sizeof *more);
		if (!more)
			return err_set(err, -ENOMEM, "out of memory for the list of segments");
		tail->parts = more;
		tail->cap = cap;
	}
	tail->parts[tail->count++] = (struct part){first, fd};
	return 0;
}

static int given_up(struct position first, struct err *err)
{
	char name[SEGMENT_NAME_MAX];

	return err_set(err, -ESTALE, "retention gave up segments/%s, or what follows it, before it was read",
	               segment_name(name, first));
}

/* Opens list[0..count). Segments are given up from the oldest on: where `oldest` is still there at
 * the end, so was all behind it, and no listing can have missed one. */
static int open_parts(struct tail *tail, const struct position *list, size_t count, struct position oldest,
                      struct err *err)
{
	char name[SEGMENT_NAME_MAX];
	uint64_t len;
	int r, fd;

	for (size_t i = 0; i < count; i++) {
		if ((r = open_segment(tail, list[i], &fd, &len, err)) < 0)
			return r == -ENOENT ? given_up(list[i], err) : r;
		if ((r = add_part(tail, list[i], fd, err)) < 0) {
			close(fd);
			return r;
		}
	}
	if (count == 0 || faccessat(tail->segments_dirfd, segment_name(name, oldest), F_OK, 0) == 0)
		return 0;
	return errno == ENOENT ? given_up(oldest, err) : err_errno(err, "looking for segments/%s", name);
}

/* The segments that begin at or before the mark. All of them were there before the mark was
 * written; so a listing that begins after it was read shows them, however the store grows. */
static int list_durable(struct tail *tail, struct position **list, size_t *count, struct err *err)
{
	struct confirmed_file confirmed;
	int r = confirmed_open(&confirmed, tail->dirfd, false, err);

	confirmed_close(&confirmed);
	*list = NULL;
	*count = 0;
	if (r < 0)
		return r;
	if (position_cmp(confirmed.now.last, tail->mark) > 0)
		tail->mark = confirmed.now.last;
	r = segment_list(tail->segments_dirfd, false, list, count, err);
	while (r == 0 && *count > 0 && position_cmp((*list)[*count - 1], tail->mark) > 0)
		--*count;
	return r;
}

int tail_look(struct tail *tail, struct err *err)
{
	struct position *list, newest = tail->parts[tail->count - 1].first;
	size_t count, known = 0;
	int r = list_durable(tail, &list, &count, err);

	while (known < count && position_cmp(list[known], newest) <= 0)
		known++;
	if (r == 0)
		r = open_parts(tail, list + known, count - known, newest, err);
	free(list);
	return r;
}

/* ---- lines --------------------------------------------------------------- */

static int bad(struct err *err, const char *reason)
{
	return err_set(err, -EBADMSG, "%s, so this is damage: restore the file from a copy", reason);
}

/* Whether the line can stand where it does. */
static int check_place(struct tail *tail, const struct line_head *head, struct err *err)
{
	bool first = tail->off == 0;

	if (first && position_cmp(head->position, tail->parts[tail->at].first) != 0)
		return bad(err, "the first line's position is not the file's name");
	if (tail->started && !position_follows(tail->last, head->position))
		return bad(err, "the position does not follow that of the line before");
	if (position_cmp(head->position, tail->mark) > 0)
		return bad(err, "the last commit that was synced is missing before it");
	if (first != span_is(head->action, "origin"))
		return bad(err, first ? "the first line is not an origin" : "an origin that is not the first line");
	bool opens = tail->opening && (span_is(head->action, "schema") || span_is(head->action, "message"));
	if (!head->xid.at && !first && !opens)
		return bad(err, "a line of no transaction");
	return 0;
}

static int take_commit(struct tail *tail, struct tail_line *line, struct err *err)
{
	if (!commit_parse(&line->head, &line->commit) || !line->commit.has_crc)
		return bad(err, "not a line of the format");
	if (crc32c(tail->crc, line->at, (size_t)(line->commit.crc_at - line->at)) != line->commit.crc)
		return bad(err, "checksum differs");
	tail->crc = 0;
	tail->xid = 0;
	if (tail->origin.generation != tail->generation)
		return err_set(err, -ESTALE, "generation %llu of the stream has begun: %llu is over",
		               (unsigned long long)tail->origin.generation, (unsigned long long)tail->generation);
	return 0;
}

static int take_line(struct tail *tail, struct tail_line *line, struct err *err)
{
	const struct line_head *head = &line->head;
	int r;

	line->xid = 0;
	line->commit = (struct commit){0};
	if (!line_parse(line->at, line->len, &line->head) || !head->stamped)
		return bad(err, "not a line of the format");
	if ((r = check_place(tail, head, err)) < 0)
		return r;
	tail->started = true;
	tail->last = head->position;
	if (head->xid.at) {
		size_t n = position_parse_number(head->xid.at, head->xid.len, &line->xid);
		if (n != head->xid.len || line->xid == 0)
			return bad(err, "not a line of the format");
		if (tail->xid && tail->xid != line->xid)
			return bad(err, "lines of two transactions in one");
		tail->xid = line->xid;
		tail->opening = false;
		if (span_is(head->action, "commit"))
			return take_commit(tail, line, err);
	}
	tail->crc = crc32c(crc32c(tail->crc, line->at, line->len), "\n", 1);
	return tail->off > 0 || origin_parse(head, &tail->origin) ? 0 : bad(err, "not a line of the format");
}

static bool at_mark(const struct tail *tail)
{
	return position_cmp(tail->last, tail->mark) >= 0;
}

static int start_scan(struct tail *tail, struct err *err)
{
	struct stat st;
	int fd = tail->parts[tail->at].fd;

	if (fstat(fd, &st) < 0)
		return err_errno(err, "looking at it");
	return scan_init(&tail->scan, fd, tail->off, (uint64_t)st.st_size, err);
}

/* The segment is at its end, and the mark is not reached. */
static int next_part(struct tail *tail, struct err *err)
{
	char mark[POSITION_TEXT_MAX];

	if (tail->xid || tail->opening)
		return bad(err, "it does not end on a commit");
	if (tail->at + 1 == tail->count)
		return err_set(err, -EBADMSG, "the store was whole up to %s once, what came behind this is missing",
		               position_print(mark, tail->mark));
	scan_fini(&tail->scan);
	close(tail->parts[tail->at++].fd);
	tail->off = 0;
	tail->opening = true;
	return 0;
}

static int next_line(struct tail *tail, struct tail_line *line, struct err *err)
{
	uint64_t off;
	int r = 0;

	while (r == 0) {
		if (!tail->scan.buf && (r = start_scan(tail, err)) < 0)
			return r;
		r = scan_next(&tail->scan, &line->at, &line->len, &off, err);
		if (r == 0)
			r = next_part(tail, err);
		else if (r == -ENODATA)
			r = bad(err, "the last line has no end");
	}
	if (r == 1 && (r = take_line(tail, line, err)) == 0) {
		tail->off = tail->scan.off;
		r = 1;
	}
	return r;
}

int tail_next(struct tail *tail, struct tail_line *line, struct err *err)
{
	char name[SEGMENT_NAME_MAX];
	int r;

	if (!at_mark(tail))
		r = next_line(tail, line, err);
	else if (tail->xid || tail->opening)
		r = bad(err, "the last commit that was synced is missing");
	else
		r = 0;
	if (r == 0) /* what was read ahead may change until the mark is behind it */
		scan_fini(&tail->scan);
	if (r < 0)
		err_prefix(err, r, "segments/%s at %llu", segment_name(name, tail->parts[tail->at].first),
		           (unsigned long long)tail->off);
	return r;
}

const struct origin *tail_origin(const struct tail *tail)
{
	return &tail->origin;
}

/* ---- opening ------------------------------------------------------------- */

static int read_generation(int fd, uint64_t len, uint64_t *generation, struct err *err)
{
	struct scan scan;
	struct line_head head;
	struct origin origin;
	const char *line;
	size_t line_len;
	uint64_t off;
	int r = scan_init(&scan, fd, 0, len, err);

	if (r < 0)
		return r;
	r = scan_next(&scan, &line, &line_len, &off, err);
	if (r == 1 && line_parse(line, line_len, &head) && origin_parse(&head, &origin)) {
		*generation = origin.generation;
		r = 0;
	} else if (r >= 0 || r == -ENODATA) {
		r = bad(err, "the first line is not an origin");
	}
	scan_fini(&scan);
	return r;
}

/* 1 where the segment is of the generation. One that is not there any more is as if retention had
 * been before us. */
static int of_generation(const struct tail *tail, struct position first, struct err *err)
{
	char name[SEGMENT_NAME_MAX];
	uint64_t len, generation = 0;
	int fd, r = open_segment(tail, first, &fd, &len, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = read_generation(fd, len, &generation, err);
	close(fd);
	return r < 0 ? err_prefix(err, r, "segments/%s", segment_name(name, first)) : generation == tail->generation;
}

/* What is of another generation is passed over: that has to be true. */
static int verify(const struct tail *tail, struct position first, struct err *err)
{
	char name[SEGMENT_NAME_MAX];
	struct segment_end end;
	uint64_t len;
	int fd, r = open_segment(tail, first, &fd, &len, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	r = segment_verify(fd, first, len, (struct position){0}, &end, err);
	close(fd);
	return r < 0 ? err_prefix(err, r, "segments/%s", segment_name(name, first)) : 0;
}

/* The first segment of the generation: they ascend, and the newest is of it. */
static int find_generation(const struct tail *tail, const struct position *list, size_t count, size_t *found,
                           struct err *err)
{
	size_t low = 0, high = count;
	int r;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if ((r = of_generation(tail, list[middle], err)) < 0)
			return r;
		if (r)
			high = middle;
		else
			low = middle + 1;
	}
	*found = low;
	if (low == count)
		return err_set(err, -ESTALE, "generation %llu is not the one that the stream is in",
		               (unsigned long long)tail->generation);
	return low > 0 ? verify(tail, list[low - 1], err) : 0;
}

/* 1 where the sealed segment holds a transaction of `xmin` or later. */
static int may_hold(const struct tail *tail, struct position first, uint64_t xmin, struct err *err)
{
	struct index *index;
	uint64_t len;
	char name[SEGMENT_NAME_MAX];
	bool built;
	int fd, r = open_segment(tail, first, &fd, &len, err);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	if ((r = segment_open_index(tail->segments_dirfd, fd, first, len, &index, &built, err)) == 0) {
		r = index_max_xid(index) >= xmin;
		index_free(index);
	}
	close(fd);
	return r < 0 ? err_prefix(err, r, "segments/%s", segment_name(name, first)) : r;
}

/* Opens all segments from the first on that may hold one. */
static int begin(struct tail *tail, uint64_t xmin, struct err *err)
{
	struct position *list;
	size_t count, i = 0;
	int r = list_durable(tail, &list, &count, err);

	if (r == 0 && count == 0)
		r = err_set(err, -ENOENT, "nothing in the store is known to be on disk yet: start daystreamfs on it");
	if (r == 0)
		r = find_generation(tail, list, count, &i, err);
	for (; r == 0 && i + 1 < count; i += r == 0)
		r = may_hold(tail, list[i], xmin, err);
	if (r >= 0)
		r = open_parts(tail, list + i, count - i, list[i], err);
	free(list);
	return r;
}

int tail_open(struct tail **out, int store_dirfd, uint64_t generation, uint64_t xmin, struct err *err)
{
	struct tail *tail = calloc(1, sizeof *tail);

	*out = NULL;
	if (!tail)
		return err_set(err, -ENOMEM, "out of memory");
	tail->generation = generation;
	tail->opening = true;
	tail->dirfd = openat(store_dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	tail->segments_dirfd = openat(store_dirfd, "segments", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = tail->dirfd < 0 || tail->segments_dirfd < 0 ? err_errno(err, "opening the store's folders")
	                                                    : begin(tail, xmin, err);
	if (r < 0) {
		tail_close(tail);
		return r;
	}
	*out = tail;
	return 0;
}

void tail_close(struct tail *tail)
{
	if (!tail)
		return;
	scan_fini(&tail->scan);
	for (size_t i = tail->at; i < tail->count; i++)
		close(tail->parts[i].fd);
	free(tail->parts);
	if (tail->segments_dirfd >= 0)
		close(tail->segments_dirfd);
	if (tail->dirfd >= 0)
		close(tail->dirfd);
	free(tail);
}
