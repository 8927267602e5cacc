#include "growth.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "regular.h"

/* A segment that is to be shown. */
struct arrival {
	struct position first;
	int fd;
	uint64_t len;           /* of the newest: as the mark says */
	struct segment_end end; /* where it was verified */
};

void growth_init(struct growth *growth, const struct retain *shown)
{
	*growth = (struct growth){.shown = *shown};
}

static struct segments *segments_of(const struct growth *growth)
{
	return store_segments(growth->shown.store);
}

static int dirfd_of(const struct growth *growth)
{
	return store_segments_dirfd(growth->shown.store);
}

static int waiting(struct position first, struct err *err, const char *why)
{
	char name[SEGMENT_NAME_MAX];

	return err_set(err, -EAGAIN, "segments/%s %s", segment_name(name, first), why);
}

/* ---- the newest one ------------------------------------------------------ */

/* Whether the file, which stands in the place of the newest segment, has what was shown of that. */
static int compare(const struct growth *growth, int fd, struct err *err)
{
	struct segment *segment = segments_last(segments_of(growth));
	struct err why;
	char name[SEGMENT_NAME_MAX];
	int r = bytes_compare(segment, fd, growth->end.off, &why);

	if (r != -EBADMSG)
		return r < 0 ? err_set(err, r, "%s", why.text) : 0;
	return err_set(
	    err, -EPROTO,
	    "segments/%s is another one than was shown (%s): was the store exchanged, or an older copy put back? "
	    "Start again to show what is there now; mirrors that it does not fit say so",
	    segment_name(name, segment->first), why.text);
}

/* rsync puts a new file in the old one's place: that is read from now on. */
static int exchange(const struct growth *growth, const char *name, struct err *err)
{
	struct segment *segment = segments_last(segments_of(growth));
	int fd = regular_open(dirfd_of(growth), "segments/", name, O_RDONLY, err);

	if (fd < 0)
		return fd;
	int r = compare(growth, fd, err);
	/* Whoever reads at this moment reads the same bytes from the one or the other. */
	if (r == 0 && dup3(fd, segment->fd, O_CLOEXEC) < 0)
		r = err_errno(err, "taking segments/%s anew", name);
	close(fd);
	return r;
}

static int check_newest(const struct growth *growth, struct err *err)
{
	struct segment *segment = segments_last(segments_of(growth));
	char name[SEGMENT_NAME_MAX];
	struct stat st, own;

	segment_name(name, segment->first);
	if (fstatat(dirfd_of(growth), name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? waiting(segment->first, err, "is not there any more")
		                       : err_errno(err, "looking at segments/%s", name);
	if ((uint64_t)st.st_size < growth->end.off)
		return waiting(segment->first, err, "is shorter than what was shown of it");
	if (fstat(segment->fd, &own) == 0 && st.st_ino == own.st_ino && st.st_dev == own.st_dev)
		return 0;
	return exchange(growth, name, err);
}

/* ---- arrivals ------------------------------------------------------------ */

/* Verifies what is to be shown of it, from `arrival->end` on. */
static int verify(const struct growth *growth, struct arrival *arrival, struct err *err)
{
	const struct segment_end from = arrival->end;
	struct err why;
	int r = segment_verify_more(arrival->fd, arrival->first, &from, arrival->len, &arrival->end, &why);

	if (r == -EBADMSG && from.off > 0 && (r = compare(growth, arrival->fd, err)) < 0)
		return r;
	if (r == -EBADMSG)
		return waiting(arrival->first, err, why.text);
	/* Over NFS, ESTALE is a file that was removed, not what it means to us. */
	return r < 0 ? err_set(err, r == -ENOMEM ? r : -EIO, "%s", why.text) : 0;
}

/* Opens it (the newest of those that are shown is open), and sees that there are as many bytes as it needs; 0: all that
 * there are. */
static int open_arrival(const struct growth *growth, struct arrival *arrival, struct err *err)
{
	char name[SEGMENT_NAME_MAX];
	struct stat st;

	segment_name(name, arrival->first);
	if (arrival->end.off > 0)
		arrival->fd = fcntl(segments_last(segments_of(growth))->fd, F_DUPFD_CLOEXEC, 0);
	else
		arrival->fd = regular_open(dirfd_of(growth), "segments/", name, O_RDONLY, err);
	if (arrival->fd < 0)
		return arrival->fd == -ENOENT ? waiting(arrival->first, err, "is not there yet") : -EIO;
	if (fstat(arrival->fd, &st) < 0)
		return err_errno(err, "looking at segments/%s", name);
	if (arrival->len == 0)
		arrival->len = (uint64_t)st.st_size;
	return (uint64_t)st.st_size < arrival->len ? waiting(arrival->first, err, "has not come wholly yet") : 0;
}

/* The newest one ends as the mark says. */
static int check_mark(const struct arrival *newest, const struct confirmed *mark, struct err *err)
{
	if (position_cmp(newest->end.last, mark->last) == 0 && newest->end.sum == mark->sum)
		return 0;
	return waiting(newest->first, err,
	               "has another commit than STORE/confirmed says: it is of before or behind that");
}

static int show(struct growth *growth, const struct arrival *arrival, struct err *err)
{
	const struct segment_end *end = &arrival->end;
	struct store_end shown = {arrival->first, end->off, end->last, end->lsn, end->origin, end->sum};
	int r = store_show(growth->shown.store, &shown, arrival->fd, NULL, err);

	if (r == 0)
		growth->end = *end;
	return r < 0 ? err_prefix(err, -ENOMEM, "showing what has come") : 0;
}

/* More of the newest segment. */
static int grow(struct growth *growth, const struct confirmed *mark, struct err *err)
{
	struct segment *segment = segments_last(segments_of(growth));
	struct arrival more = {segment->first, segment->fd, mark->off, growth->end};
	struct stat st;
	int r;

	if (mark->off <= growth->end.off)
		return err_set(
		    err, -EPROTO,
		    "STORE/confirmed ends before what was shown: was the store exchanged, or an older copy put back? "
		    "Start again to show what is there now");
	if (fstat(segment->fd, &st) < 0)
		return err_errno(err, "looking at the newest segment");
	if ((uint64_t)st.st_size < mark->off)
		return waiting(segment->first, err, "has not come wholly yet");
	if ((r = verify(growth, &more, err)) < 0 || (r = check_mark(&more, mark, err)) < 0)
		return r;
	return show(growth, &more, err);
}

/* ---- new segments -------------------------------------------------------- */

/* Bytes that are known of the segments from the mark's oldest one up to the newest that is shown. */
static int known_bytes(const struct growth *growth, const struct confirmed *mark, uint64_t *bytes, struct err *err)
{
	struct segments *segments = segments_of(growth);
	struct segments_range range = segments_range(segments);
	uint64_t base = segments_last(segments)->base;

	for (size_t i = range.newest;; i--) {
		struct segments_edge edge = segments_start(segments, i);
		if (position_cmp(edge.first, mark->oldest) == 0) {
			*bytes = base - edge.base;
			return 0;
		}
		if (i == range.readable)
			return err_set(
			    err, -EAGAIN,
			    "STORE/confirmed counts segments that are not here any more: a newer one has to come");
	}
}

/* From the mark's oldest one up to its newest; where something is shown already, from the one on that grew. */
static int list_arrivals(const struct growth *growth, const struct confirmed *mark, struct arrival **arrivals,
                         size_t *count, struct err *err)
{
	struct position *list, from = mark->oldest;
	size_t listed;
	int r = segment_list(dirfd_of(growth), false, &list, &listed, err);

	*count = 0;
	*arrivals = r < 0 ? NULL : calloc(listed + 1, sizeof **arrivals);
	if (r == 0 && !*arrivals)
		r = err_set(err, -ENOMEM, "out of memory for the list of segments");
	if (growth->started)
		from = segments_last(segments_of(growth))->first;
	for (size_t i = 0; r == 0 && i < listed; i++)
		if (position_cmp(list[i], from) >= 0 && position_cmp(list[i], mark->segment) <= 0)
			(*arrivals)[(*count)++] = (struct arrival){.first = list[i], .fd = -1};
	free(list);
	if (r == 0 && (*count == 0 || position_cmp((*arrivals)[*count - 1].first, mark->segment) != 0))
		r = waiting(mark->segment, err, "is not there yet");
	if (r == 0)
		(*arrivals)[*count - 1].len = mark->off;
	return r;
}

/* Sealed ones that are there when the watching starts. */
static int measure_first(const struct growth *growth, const struct confirmed *mark, struct arrival *arrivals,
                         size_t count, struct err *err)
{
	char name[SEGMENT_NAME_MAX];
	uint64_t bytes = 0;

	if (position_cmp(arrivals[0].first, mark->oldest) != 0)
		return waiting(mark->oldest, err, "is not there (yet), the oldest one by STORE/confirmed");
	for (size_t i = 0; i + 1 < count; i++) {
		int64_t len = regular_len(dirfd_of(growth), "segments/", segment_name(name, arrivals[i].first), err);
		if (len < 0)
			return (int)len;
		arrivals[i].len = (uint64_t)len;
		bytes += arrivals[i].len;
	}
	return proof_sum(mark, bytes, err);
}

/* Those that come while it watches are opened and verified, each joining the one before. */
static int measure_next(const struct growth *growth, const struct confirmed *mark, struct arrival *arrivals,
                        size_t count, struct err *err)
{
	uint64_t bytes = 0;
	int r = known_bytes(growth, mark, &bytes, err);

	for (size_t i = 0; r == 0 && i + 1 < count; i++) {
		if (i == 0)
			arrivals[i].end = growth->end;
		r = open_arrival(growth, &arrivals[i], err);
		bytes += arrivals[i].len;
	}
	if (r == 0)
		r = proof_sum(mark, bytes, err);
	for (size_t i = 0; r == 0 && i + 1 < count; i++)
		if ((r = verify(growth, &arrivals[i], err)) == 0 &&
		    !position_follows(arrivals[i].end.last, arrivals[i + 1].first))
			r = waiting(arrivals[i].first, err, "does not go on with the next one");
	return r;
}

/* Nothing of this fails but for memory. */
static int show_arrivals(struct growth *growth, const struct arrival *arrivals, size_t count, struct err *err)
{
	struct segments *segments = segments_of(growth);
	int r = 0;

	for (size_t i = 0; r == 0 && i + 1 < count; i++) {
		if (i > 0 || !growth->started) {
			r = segments_add(segments, arrivals[i].first, arrivals[i].len, err);
			continue;
		}
		r = show(growth, &arrivals[0], err);
		if (r == 0 && count > 2)
			segments_seal(segments, segments_last(segments));
	}
	return r < 0 ? r : show(growth, &arrivals[count - 1], err);
}

static int take_arrivals(struct growth *growth, const struct confirmed *mark, struct arrival *arrivals, size_t count,
                         struct err *err)
{
	struct segment *oldest;
	struct arrival *newest = &arrivals[count - 1];
	int r = growth->started ? measure_next(growth, mark, arrivals, count, err)
	                        : measure_first(growth, mark, arrivals, count, err);

	if (r < 0 || (r = open_arrival(growth, newest, err)) < 0 || (r = verify(growth, newest, err)) < 0 ||
	    (r = check_mark(newest, mark, err)) < 0 || (r = show_arrivals(growth, arrivals, count, err)) < 0)
		return r;
	if (!growth->started && segments_hold(segments_of(growth), 0, &oldest, err) == 0) {
		segments_of(growth)->whole = segment_is_first(oldest->fd);
		segments_release(oldest);
	}
	growth->started = true;
	/* While the files are there: nobody can count them when they are removed. */
	table_set_count(growth->shown.tables);
	return 0;
}

static int stride(struct growth *growth, const struct confirmed *mark, struct err *err)
{
	struct arrival *arrivals;
	size_t count;
	int r = list_arrivals(growth, mark, &arrivals, &count, err);

	if (r == 0)
		r = take_arrivals(growth, mark, arrivals, count, err);
	for (size_t i = 0; i < count; i++)
		if (arrivals[i].fd >= 0)
			close(arrivals[i].fd);
	free(arrivals);
	return r;
}

/* ---- looking ------------------------------------------------------------- */

int growth_look(struct growth *growth, struct err *err)
{
	int r = proof_look(&growth->proof, store_dirfd(growth->shown.store), growth->end.last, err);

	if (r == 0 && growth->started &&
	    position_cmp(growth->proof.oldest, segments_last(segments_of(growth))->first) > 0)
		r = err_set(
		    err, -ESTALE,
		    "what follows was given up where the store is written, before it came here: start again to show "
		    "what there is now");
	if (r == 0 && growth->started)
		r = check_newest(growth, err);
	if (r < 0)
		return r;
	for (size_t i = growth->proof.count; i-- > 0;) {
		const struct confirmed *mark = &growth->proof.marks[i];
		bool same =
		    growth->started && position_cmp(mark->segment, segments_last(segments_of(growth))->first) == 0;
		if ((r = same ? grow(growth, mark, err) : stride(growth, mark, err)) == 0) {
			proof_drop(&growth->proof, growth->end.last);
			return 1;
		}
		if (r != -EAGAIN)
			return r;
	}
	return growth->proof.count ? -EAGAIN
	       : growth->started   ? 0
	                           : err_set(err, -EAGAIN, "STORE/confirmed tells of nothing");
}

/* ---- removed ------------------------------------------------------------- */

/* A listing may miss what is there; so each that is missing in it is asked for. */
static bool is_gone(const struct growth *growth, const struct position *list, size_t count, struct position first)
{
	char name[SEGMENT_NAME_MAX];
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = position_cmp(list[middle], first);
		if (order == 0)
			return false;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return faccessat(dirfd_of(growth), segment_name(name, first), F_OK, 0) < 0 && errno == ENOENT;
}

int growth_removed(struct growth *growth, struct err *err)
{
	struct segments *segments = segments_of(growth);
	struct segments_range range = segments_range(segments);
	struct position *list;
	size_t count, edge = range.oldest;
	int r = segment_list(dirfd_of(growth), false, &list, &count, err);

	/* Who removes them need not begin with the oldest: what is before one that is gone is of no use. */
	for (size_t i = range.oldest; r == 0 && i < range.newest; i++) {
		struct position first = segments_start(segments, i).first;
		if (position_cmp(first, growth->proof.oldest) < 0 || is_gone(growth, list, count, first))
			edge = i + 1;
	}
	free(list);
	/* Also where nothing is: somebody may have closed a file. */
	return r == 0 && (edge > range.oldest || range.readable < range.oldest)
	           ? retain_give_up(&growth->shown, edge, err)
	           : r;
}
