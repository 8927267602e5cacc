#include "segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "crc32c.h"
#include "scan.h"

char *segment_name(char *name, struct position first)
{
	char text[POSITION_TEXT_MAX];

	snprintf(name, SEGMENT_NAME_MAX, "%s.day", position_print(text, first));
	return name;
}

char *segment_index_name(char *name, struct position first)
{
	char text[POSITION_TEXT_MAX];

	snprintf(name, SEGMENT_NAME_MAX, "%s.idx", position_print(text, first));
	return name;
}

/* True where `name` is a segment's, spelt as segment_name does. */
static bool parse_name(const char *name, struct position *first)
{
	size_t len = strlen(name);

	return len > 4 && strcmp(name + len - 4, ".day") == 0 && position_parse(name, len - 4, first);
}

static int by_first(const void *a, const void *b)
{
	return position_cmp(*(const struct position *)a, *(const struct position *)b);
}

/* "<position>.day.new" and ".idx.new" */
static bool is_unfinished(const char *name)
{
	struct position first;
	size_t len = strlen(name);

	return len > 8 && strcmp(name + len - 4, ".new") == 0 &&
	       (memcmp(name + len - 8, ".day", 4) == 0 || memcmp(name + len - 8, ".idx", 4) == 0) &&
	       position_parse(name, len - 8, &first);
}

/* The position in the name of an index. */
static bool index_name_parse(const char *name, struct position *first)
{
	size_t len = strlen(name);

	return len > 4 && strcmp(name + len - 4, ".idx") == 0 && position_parse(name, len - 4, first);
}

/* Removes the indexes from before the oldest segment: a crash came between the removal of one and of its
 * index. */
static void remove_orphans(int dirfd, DIR *dir, struct position oldest)
{
	struct dirent *entry;

	rewinddir(dir);
	while ((entry = readdir(dir))) {
		struct position first;
		if (index_name_parse(entry->d_name, &first) && position_cmp(first, oldest) < 0)
			unlinkat(dirfd, entry->d_name, 0);
	}
}

int segment_list(int dirfd, bool clean, struct position **list, size_t *count, struct err *err)
{
	size_t cap = 0;
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	*list = NULL;
	*count = 0;
	if (!dir)
		return err_errno(err, "opening segments");
	while ((errno = 0, entry = readdir(dir))) {
		struct position first;
		if (clean && is_unfinished(entry->d_name))
			unlinkat(dirfd, entry->d_name, 0);
		if (!parse_name(entry->d_name, &first))
			continue;
		if (*count == cap) {
			cap = cap ? cap * 2 : 64;
			struct position *more = realloc(*list, cap * sizeof **list);
			if (!more) {
				closedir(dir);
				return err_set(err, -ENOMEM, "out of memory for the list of segments");
			}
			*list = more;
		}
		(*list)[(*count)++] = first;
	}
	int r = errno ? err_errno(err, "listing segments") : 0;
	if (*count)
		qsort(*list, *count, sizeof **list, by_first);
	if (*count && r == 0 && clean)
		remove_orphans(dirfd, dir, (*list)[0]);
	closedir(dir);
	return r;
}

/* Whether it is sound, and of the segment that its name says. */
static bool is_its_index(int dirfd, const char *name, struct position first)
{
	struct index *index;
	size_t count;

	if (index_load(&index, dirfd, name, 0, NULL) < 0)
		return false;
	const struct index_block *blocks = index_blocks(index, &count);
	bool its = count > 0 && position_cmp(blocks[0].first, first) == 0;
	index_free(index);
	return its;
}

/* The newest index whose segment is not there. */
static int newest_orphan(int dirfd, struct position *orphan, struct err *err)
{
	int fd = openat(dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), found = 0;
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	char name[SEGMENT_NAME_MAX];
	struct dirent *entry;
	struct position first;

	if (!dir)
		return err_errno(err, "opening segments");
	while ((entry = readdir(dir)))
		if (index_name_parse(entry->d_name, &first) && (!found || position_cmp(first, *orphan) > 0) &&
		    faccessat(dirfd, segment_name(name, first), F_OK, 0) < 0 && errno == ENOENT &&
		    is_its_index(dirfd, entry->d_name, first)) {
			*orphan = first;
			found = 1;
		}
	closedir(dir);
	return found;
}

int segment_find_lost(int dirfd, struct position *lost, struct err *err)
{
	struct position *list;
	size_t count;
	int found = newest_orphan(dirfd, lost, err);

	if (found <= 0)
		return found;
	/* Listed after it was seen: what retention removes just now is older than all that are left. */
	int r = segment_list(dirfd, false, &list, &count, err);
	found = r == 0 && count > 0 && position_cmp(*lost, list[0]) > 0;
	free(list);
	return r < 0 ? r : found;
}

/* What the walk over the lines of a segment carries from one to the next. */
struct walk {
	struct position first, last;
	bool started, origin; /* a line was read; it was an origin */
	uint32_t crc;         /* since the last commit line's end */
	uint32_t sum;         /* segment_end's */
};

/* It tells of its whole transaction. */
static const char sum_differs[] = "checksum differs";

/* Why a line cannot stand where it does; NULL where it can. commit->has_crc
 * tells a good commit line. */
static const char *check_line(struct walk *walk, const char *line, size_t len, struct line_head *head,
                              struct origin *origin, struct commit *commit)
{
	commit->has_crc = false;
	if (!line_parse(line, len, head) || !head->stamped)
		return "not a line of the format";
	if (!walk->started && position_cmp(head->position, walk->first) != 0)
		return "the first line's position is not the file's name";
	if (walk->started && !position_follows(walk->last, head->position))
		return "the position does not follow that of the line before";
	bool is_origin = span_is(head->action, "origin");
	if (is_origin ? !origin_parse(head, origin) : !walk->started)
		return is_origin ? "not a line of the format" : "the first line is not an origin";
	bool of_init = walk->origin;
	walk->started = true;
	walk->origin = is_origin;
	walk->last = head->position;
	if (!span_is(head->action, "commit")) {
		walk->crc = crc32c(crc32c(walk->crc, line, len), "\n", 1);
		return NULL;
	}

	if (!commit_parse(head, commit) || !commit->has_crc)
		return "not a line of the format";
	if (crc32c(walk->crc, line, (size_t)(commit->crc_at - line)) != commit->crc)
		return sum_differs;
	walk->crc = 0;
	const char *sent = head->xid.at ? head->xid.at - strlen("_xid\t") : NULL; /* as the source sent it */
	walk->sum = of_init || !sent ? 0 : crc32c(0, sent, (size_t)(commit->crc_at - 1 - sent));
	return NULL;
}

/* From *end on, which is zeros or whole. `learnt`, which may be NULL, gets every line; it is of use only where 0 is
 * returned. */
static int verify(int fd, struct position first, uint64_t len, struct position mark, struct segment_end *end,
                  struct learnt *learnt, struct err *err)
{
	struct walk walk = {.first = first, .last = end->last, .started = end->off > 0};
	struct scan scan;
	struct commit commit;
	struct origin origin = end->origin;
	const char *line, *reason;
	size_t line_len;
	uint64_t off;
	int r;

	if ((r = scan_init(&scan, fd, end->off, len, err)) < 0)
		return r;
	while ((r = scan_next(&scan, &line, &line_len, &off, err)) == 1) {
		struct line_head head;
		if ((reason = check_line(&walk, line, line_len, &head, &origin, &commit))) {
			r = err_set(err, -EBADMSG, "at %llu: %s", (unsigned long long)off, reason);
			if (reason == sum_differs)
				r = err_set(err, r, "at %llu: %s, so the damage is between %llu and there",
				            (unsigned long long)off, reason, (unsigned long long)end->off);
			break;
		}
		if (learnt && (r = learnt_line(learnt, off, line, line_len, &head, err)) < 0)
			break;
		if (commit.has_crc) {
			uint64_t mark_off = position_cmp(walk.last, mark) <= 0 ? scan.off : end->mark_off;
			*end = (struct segment_end){scan.off, walk.last, commit.lsn, origin, walk.sum, mark_off};
		}
	}
	if (r == -ENODATA)
		r = err_set(err, -EBADMSG, "at %llu: the last line has no end", (unsigned long long)scan.off);
	if (r == 0 && end->off != scan.off)
		r = err_set(err, -EBADMSG, "at %llu: a transaction without its commit", (unsigned long long)end->off);
	scan_fini(&scan);
	return r;
}

int segment_verify(int fd, struct position first, uint64_t len, struct position mark, struct segment_end *end,
                   struct err *err)
{
	*end = (struct segment_end){0};
	return verify(fd, first, len, mark, end, NULL, err);
}

/* Of bytes 0..len, which were found whole. */
static int learn_again(int fd, struct position first, uint64_t len, struct learnt *learnt, struct err *err)
{
	struct segment_end end = {0};
	int r = learnt_init(learnt, err);

	return r < 0 ? r : verify(fd, first, len, (struct position){0}, &end, learnt, err);
}

int segment_read(int fd, struct position first, uint64_t len, struct position mark, struct segment_end *end,
                 struct learnt *learnt, struct err *err)
{
	*end = (struct segment_end){0};
	int r = learnt_init(learnt, err), again = 0;

	if (r == 0)
		r = verify(fd, first, len, mark, end, learnt, err);
	if (r == 0 && end->off > 0)
		return 0;
	learnt_fini(learnt);
	if (r == -EBADMSG && end->off > 0)
		again = learn_again(fd, first, end->off, learnt, err);
	if (again < 0)
		learnt_fini(learnt);
	return again < 0 ? again : r;
}

int segment_verify_more(int fd, struct position first, const struct segment_end *from, uint64_t len,
                        struct segment_end *end, struct err *err)
{
	*end = *from;
	return verify(fd, first, len, (struct position){0}, end, NULL, err);
}

int segment_sealed_end(int fd, uint64_t len, struct position *last, struct err *err)
{
	char tail[1024]; /* a commit line is far shorter */
	size_t want = len < sizeof tail ? (size_t)len : sizeof tail;
	ssize_t n = pread(fd, tail, want, (off_t)(len - want));
	struct line_head head;
	struct commit commit;

	if (n < 0)
		return err_errno(err, "reading its end at %llu", (unsigned long long)(len - want));
	const char *end = n > 0 && (size_t)n == want && tail[n - 1] == '\n' ? tail + n - 1 : NULL;
	const char *before = end ? memrchr(tail, '\n', (size_t)(end - tail)) : NULL;
	if (!before || !line_parse(before + 1, (size_t)(end - before - 1), &head) || !head.stamped ||
	    !commit_parse(&head, &commit) || !commit.has_crc)
		return err_set(err, -EBADMSG, "at %llu: it does not end on a commit", (unsigned long long)len);
	*last = head.position;
	return 0;
}

/* A segment that follows another opens with definitions, or none was in force yet: then it follows
 * lines of no table. */
bool segment_is_first(int fd)
{
	struct scan scan;
	const char *line;
	size_t len;
	uint64_t off;
	struct line_head head;
	struct origin origin;
	struct commit commit;
	bool first = false;

	if (scan_init(&scan, fd, 0, UINT64_MAX, NULL) < 0)
		return false;
	if (scan_next(&scan, &line, &len, &off, NULL) == 1 && line_parse(line, len, &head) &&
	    origin_parse(&head, &origin) && origin.generation == 1)
		first = scan_next(&scan, &line, &len, &off, NULL) == 1 && line_parse(line, len, &head) &&
		        commit_parse(&head, &commit);
	scan_fini(&scan);
	return first;
}

bool segment_origin(int fd, struct origin *origin)
{
	struct scan scan;
	const char *line;
	size_t len;
	uint64_t off;
	struct line_head head;

	if (scan_init(&scan, fd, 0, UINT64_MAX, NULL) < 0)
		return false;
	bool found = scan_next(&scan, &line, &len, &off, NULL) == 1 && line_parse(line, len, &head) &&
	             origin_parse(&head, origin);
	scan_fini(&scan);
	return found;
}

bool segment_is_renamed(int fd, struct position first, struct position *origin)
{
	struct scan scan;
	const char *line;
	size_t len;
	uint64_t off;
	struct line_head head;
	bool renamed = false;

	if (scan_init(&scan, fd, 0, UINT64_MAX, NULL) < 0)
		return false;
	if (scan_next(&scan, &line, &len, &off, NULL) == 1 && line_parse(line, len, &head) && head.stamped &&
	    span_is(head.action, "origin")) {
		*origin = head.position;
		renamed = position_cmp(head.position, first) != 0;
	}
	scan_fini(&scan);
	return renamed;
}

int segment_commit_follows(int fd, uint64_t off, uint64_t len, struct err *err)
{
	struct scan scan;
	const char *line;
	size_t line_len;
	uint32_t crc = 0;
	bool found = false, after_commit = false;

	int r = scan_init(&scan, fd, off, len, err);
	if (r < 0)
		return r;
	while (!found && (r = scan_next(&scan, &line, &line_len, &off, err)) == 1) {
		struct line_head head;
		struct commit commit;
		if (line_parse(line, line_len, &head) && commit_parse(&head, &commit) && commit.has_crc) {
			found = after_commit && crc32c(crc, line, (size_t)(commit.crc_at - line)) == commit.crc;
			after_commit = true;
			crc = 0;
		} else {
			crc = crc32c(crc32c(crc, line, line_len), "\n", 1);
		}
	}
	scan_fini(&scan);
	return found ? 1 : r == -ENODATA ? 0 : r;
}

int segment_index(int fd, uint64_t *from, uint64_t to, struct index *index, struct err *err)
{
	struct scan scan;
	const char *line;
	size_t len;
	uint64_t off;
	int r;

	if ((r = scan_init(&scan, fd, *from, to, err)) < 0)
		return r;
	while ((r = scan_next(&scan, &line, &len, &off, err)) == 1) {
		struct line_head head;
		if (!line_parse(line, len, &head)) {
			r = err_set(err, -EBADMSG, "at %llu: not a line of the format", (unsigned long long)off);
			break;
		}
		if ((r = index_add(index, off, line, len + 1, &head)) < 0) {
			err_set(err, r, "out of memory for the index");
			break;
		}
		*from = scan.off;
	}
	scan_fini(&scan);
	return r == -ENODATA ? 0 : r;
}

int segment_build_index(int fd, struct position first, uint64_t len, struct index **out, struct err *err)
{
	struct segment_end end = {0};
	struct learnt learnt;
	int r = learnt_init(&learnt, err);

	if (r == 0)
		r = verify(fd, first, len, (struct position){0}, &end, &learnt, err);
	*out = NULL;
	if (r == 0) {
		*out = learnt.index;
		learnt.index = NULL;
		index_show(*out);
	}
	learnt_fini(&learnt);
	return r;
}

static long index_sums_of(void *ctx, uint64_t chunk, uint32_t *sums, size_t most, uint64_t *len, struct err *err)
{
	(void)err;
	return index_sums(ctx, chunk, sums, most, len);
}

/* Another segment of the same length (of another store, say) has other bytes at its start, its origin, and at
 * its end, its last commit. */
static bool is_of(struct index *index, int fd, uint64_t len)
{
	const struct chunks_file file = {fd, index_sums_of, index};
	char byte;

	return chunks_read(&file, 0, &byte, 1, NULL) == 1 && chunks_read(&file, len - 1, &byte, 1, NULL) == 1;
}

int segment_open_index(int dirfd, int fd, struct position first, uint64_t len, struct index **index, bool *built,
                       struct err *err)
{
	char name[SEGMENT_NAME_MAX];
	struct index *again;

	*built = false;
	bool loaded = index_load(index, dirfd, segment_index_name(name, first), len, NULL) == 0;
	if (loaded && is_of(*index, fd, len))
		return 0;
	int r = segment_build_index(fd, first, len, &again, err);
	if (r == -EBADMSG && loaded)
		return 0;
	index_free(*index);
	*index = again;
	*built = r == 0;
	return r;
}
