#include "recover.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REWRITE_STEP = 1 << 20 };

/* What to do without a copy of the file. */
#define OF_NEWEST                                                                                                      \
	"; where there is none, move it out of the store and run `daystream init` on that, for a new generation"
#define OF_ONLY                                                                                                        \
	"; where there is none, this store is lost: run `daystream drop` on it, remove it, and run `daystream init` "  \
	"anew"
#define OF_SEALED                                                                                                      \
	"; where there is none, remove it and all segments before it, as retention would (mirrors that stand there "   \
	"need --resync)"

static int rewrite(int fd, uint64_t from, uint64_t to, struct err *err)
{
	char *buf = malloc(REWRITE_STEP);
	int r = buf ? 0 : err_set(err, -ENOMEM, "out of memory");

	while (r == 0 && from < to) {
		size_t want = to - from < REWRITE_STEP ? (size_t)(to - from) : REWRITE_STEP;
		ssize_t n = pread(fd, buf, want, (off_t)from);
		if (n > 0)
			n = pwrite(fd, buf, (size_t)n, (off_t)from);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			r = err_errno(err, "writing the end again at %llu", (unsigned long long)from);
		else if (n == 0)
			r = err_set(err, -EIO, "shorter than it was, at %llu", (unsigned long long)from);
		else
			from += (uint64_t)n;
	}
	free(buf);
	return r;
}

static int remove_segment(int dirfd, struct position first, struct err *err)
{
	char name[SEGMENT_NAME_MAX];

	if (unlinkat(dirfd, segment_name(name, first), 0) < 0 || fsync(dirfd) < 0)
		return err_errno(err, "removing segments/%s, which holds no whole transaction", name);
	return 0;
}

int recover_newest(int dirfd, int fd, struct position first, uint64_t len, struct position synced, bool only,
                   struct segment_end *end, struct learnt *learnt, struct err *err)
{
	char name[SEGMENT_NAME_MAX], mark[POSITION_TEXT_MAX], has[POSITION_TEXT_MAX];
	bool known = synced.epoch != 0;
	struct err why = {""};
	struct position origin;
	int r = segment_read(fd, first, len, synced, end, learnt, &why);

	segment_name(name, first);
	if (r < 0 && r != -EBADMSG)
		return err_set(err, r, "segments/%s: %s", name, why.text);
	if (known && r == 0 && end->off > 0 && position_cmp(end->last, synced) < 0)
		return err_set(err, -EBADMSG,
		               "segments/%s ends at %s; the store was whole up to %s once, so its end, or a segment "
		               "behind it, is missing: restore that from a copy; where there is none, run `daystream "
		               "init` on the store, for a new generation",
		               name, position_print(has, end->last), position_print(mark, synced));
	if (known && position_cmp(synced, first) >= 0 && (end->off == 0 || position_cmp(end->last, synced) < 0))
		return err_set(
		    err, -EBADMSG,
		    "segments/%s %s; it was whole up to %s once, so this is damage: restore the file from a copy%s",
		    name, r < 0 ? why.text : "is empty", position_print(mark, synced), only ? OF_ONLY : OF_NEWEST);
	int follows = !known && r < 0 ? segment_commit_follows(fd, end->off, len, err) : 0;
	if (follows < 0)
		return err_prefix(err, follows, "segments/%s", name);
	if (follows)
		return err_set(
		    err, -EBADMSG,
		    "segments/%s %s, and whole transactions follow, so this is damage: restore the file from a copy%s",
		    name, why.text, only ? OF_ONLY : OF_NEWEST);
	/* No crash does that, so it is not ours to remove. */
	if (end->off == 0 && segment_is_renamed(fd, first, &origin))
		return err_set(
		    err, -EBADMSG,
		    "segments/%s begins with the line %s, so it is another segment's file: give it the name %s.day "
		    "again, or restore it from a copy",
		    name, position_print(mark, origin), position_print(mark, origin));
	if (end->off == 0 && only)
		return err_set(
		    err, -EBADMSG,
		    "segments/%s %s; it is the only one and was whole once, so this is damage: restore the file "
		    "from a copy" OF_ONLY,
		    name, r < 0 ? why.text : "is empty");
	if (end->off == 0)
		return remove_segment(dirfd, first, err);

	if (end->off < len && ftruncate(fd, (off_t)end->off) < 0)
		return err_errno(err, "segments/%s: cutting off its torn end", name);
	/* What the mark covers was synced without an error. */
	if ((r = rewrite(fd, end->mark_off, end->off, err)) < 0)
		return err_prefix(err, r, "segments/%s", name);
	/* Its name as well: the crash may have come between the two syncs of a new one. */
	if (fdatasync(fd) < 0 || fsync(dirfd) < 0)
		return err_errno(err, "segments/%s: syncing", name);
	return 0;
}

int recover_sealed(int fd, struct position first, uint64_t len, struct position next, struct err *err)
{
	char name[SEGMENT_NAME_MAX], at[POSITION_TEXT_MAX];
	struct position last;
	struct err why = {""};
	int r = segment_sealed_end(fd, len, &last, &why);

	segment_name(name, first);
	if (r == 0 && (position_cmp(last, first) <= 0 || position_cmp(last, next) >= 0))
		r = err_set(&why, -EBADMSG, "at %llu: its end does not fit between its start and the next segment's",
		            (unsigned long long)len);
	if (r == 0 && !position_follows(last, next))
		return err_set(
		    err, -EBADMSG,
		    "behind segments/%s, which ends at %s, a segment is missing: restore it from a copy; where "
		    "there is none, remove this one and all before it, as retention would (mirrors that stand "
		    "there need --resync)",
		    name, position_print(at, last));
	if (r == -EBADMSG)
		return err_set(err, r, "segments/%s %s, so this is damage: restore the file from a copy" OF_SEALED,
		               name, why.text);
	return r < 0 ? err_set(err, r, "segments/%s: %s", name, why.text) : 0;
}

int recover_same(const struct origin *before, struct position first, const struct origin *origin, struct err *err)
{
	char name[SEGMENT_NAME_MAX];

	if (origin->generation > before->generation ||
	    (origin->generation == before->generation && origin->system == before->system &&
	     strcmp(origin->database, before->database) == 0 && strcmp(origin->slot, before->slot) == 0))
		return 0;
	return err_set(
	    err, -EBADMSG,
	    "segments/%s is of slot \"%s\" (database \"%s\", system %llu, generation %llu), and what stands before "
	    "it of slot \"%s\" (\"%s\", %llu, %llu), so one of them is another store's: move it out of this one",
	    segment_name(name, first), origin->slot, origin->database, (unsigned long long)origin->system,
	    (unsigned long long)origin->generation, before->slot, before->database, (unsigned long long)before->system,
	    (unsigned long long)before->generation);
}
