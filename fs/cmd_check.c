/*
 * daystream check - verifies every byte of a store.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bytes.h"
#include "commands.h"
#include "config.h"
#include "log.h"
#include "recover.h"
#include "snapshots.h"
#include "store.h"

static const struct argp argp = {NULL,
                                 command_parse_one,
                                 "STORE",
                                 "Reads every byte of the store and verifies its checksums, grammar and order. Exit "
                                 "status 0 only where it is sound. A running daemon is not disturbed.",
                                 NULL,
                                 NULL,
                                 NULL};

struct check {
	struct store *store;
	struct position mark; /* up to there all was synced once */
	struct position last; /* of the segment before; 0: not known */
	struct origin origin; /* of that one; generation 0: not known */
	uint64_t bytes;
	unsigned problems;
};

static void problem(struct check *check, const char *name, const char *what)
{
	check->problems++;
	log_error("segments/%s %s", name, what);
}

/* The last segment may end in what the daemon is just appending, or a crash left:
 * that is no damage, unless it was synced once or good transactions follow it. */
static bool unfinished(struct check *check, const struct segment *segment, uint64_t len, const struct segment_end *end)
{
	return position_cmp(end->last, check->mark) >= 0 &&
	       segment_commit_follows(segment->fd, end->off, len, NULL) == 0;
}

/* A newest segment without a whole commit is not among the store's: here is what it had. */
static void check_mark(struct check *check, const char *name, const struct segment_end *end)
{
	char mark[POSITION_TEXT_MAX];
	struct err err;

	if (position_cmp(end->last, check->mark) >= 0)
		return;
	err_set(&err, -EBADMSG,
	        "is the last that is whole, but the store was whole up to %s once: what came behind it is damaged",
	        position_print(mark, check->mark));
	problem(check, name, err.text);
}

static void check_index(struct check *check, const struct segment *segment)
{
	char name[SEGMENT_NAME_MAX];
	struct index *index;
	struct err err;

	segment_index_name(name, segment->first);
	int r = index_load(&index, store_segments_dirfd(check->store), name, segment->len, &err);
	if (r == 0)
		index_free(index);
	else if (r != -ENOENT) /* a missing one is built when it is needed */
		problem(check, name, "is damaged (it is built again from its segment when it is needed)");
}

/* A commit's checksum tells of its whole transaction; those in the index of 64 KiB. */
static void narrow(struct segment *segment, uint64_t len, struct err *err)
{
	struct err where, why = *err;

	if (bytes_compare(segment, segment->fd, len, &where) == -EBADMSG)
		err_set(err, -EBADMSG, "%.600s; its index: %.300s", why.text, where.text);
}

static void check_segment(struct check *check, struct segment *segment, bool newest)
{
	char name[SEGMENT_NAME_MAX];
	struct segment_end end;
	struct stat st;
	struct err err;

	segment_name(name, segment->first);
	if (fstat(segment->fd, &st) < 0) {
		err_errno(&err, "cannot be looked at");
		problem(check, name, err.text);
		return;
	}
	uint64_t len = (uint64_t)st.st_size;
	int r = segment_verify(segment->fd, segment->first, len, (struct position){0}, &end, &err);
	if (r == -EBADMSG && newest && end.off >= segment->len && unfinished(check, segment, len, &end))
		log_info("segments/%s ends with %" PRIu64 " bytes of an unfinished transaction", name, len - end.off);
	else if (r < 0) {
		if (!newest)
			narrow(segment, len, &err);
		problem(check, name, err.text);
	} else if (newest)
		check_mark(check, name, &end);
	if (check->last.epoch && !position_follows(check->last, segment->first))
		problem(check, name, "does not start where the segment before it ends: one is missing or not its own");
	struct origin origin;
	if (segment_origin(segment->fd, &origin)) {
		if (check->origin.generation && recover_same(&check->origin, segment->first, &origin, &err) < 0) {
			check->problems++;
			log_error("%s", err.text);
		}
		check->origin = origin;
	}
	if (!newest)
		check_index(check, segment);
	static const struct position unknown;
	check->last = r < 0 ? unknown : end.last;
	check->bytes += len;
}

static void check_missing(struct check *check)
{
	char name[SEGMENT_NAME_MAX];
	struct position lost;
	struct err err;
	int r = segment_find_lost(store_segments_dirfd(check->store), &lost, &err);

	if (r > 0)
		problem(check, segment_name(name, lost), "is missing, while its index is there");
	else if (r < 0)
		problem(check, "", err.text);
}

static void check_closed(struct check *check)
{
	char text[POSITION_TEXT_MAX];
	struct position *list;
	size_t count;
	struct err err;

	if (snapshots_list_closed(store_dirfd(check->store), &list, &count, &err) < 0)
		count = 0; /* told by who lists the others */
	for (size_t i = 0; i < count; i++) {
		check->problems++;
		log_error("snapshots/%s is closed to the user with the number %u: chown it back",
		          position_print(text, list[i]), (unsigned)geteuid());
	}
	free(list);
}

/* Returns how many there are. */
static size_t check_snapshots(struct check *check)
{
	int dirfd = store_dirfd(check->store);
	struct position *list;
	size_t count;
	struct err err;

	if (snapshots_list(dirfd, &list, &count, &err) < 0) {
		check->problems++;
		log_error("%s", err.text);
	}
	for (size_t i = 0; i < count; i++) {
		int r = snapshots_verify(dirfd, list[i], &check->bytes, &err);
		int fd = r < 0 ? snapshots_open(dirfd, list[i], ".", NULL) : -1;
		if (fd < 0) /* sound, or the daemon has just removed it */
			continue;
		close(fd);
		check->problems++;
		log_error("%s", err.text);
	}
	free(list);
	return count;
}

static int check_config(int dirfd, struct err *err)
{
	struct config config;
	int r = config_read(&config, dirfd, err);

	config_fini(&config);
	return r;
}

int cmd_check(int argc, char **argv)
{
	const char *path = NULL;
	struct check check = {0};
	struct err err = {""};

	argp_parse(&argp, argc, argv, 0, NULL, &path);
	if (store_open(&check.store, path, STORE_READ, &err) < 0) {
		log_error("%s", err.text);
		return EXIT_FAILURE;
	}
	check.mark = store_confirmed(check.store)->now.last;
	struct segments *segments = store_segments(check.store);
	size_t newest = segments_range(segments).newest, count = 0;
	for (size_t i = 0; i <= newest; i++) {
		struct segment *segment;
		int r = segments_hold(segments, i, &segment, &err);
		if (r == -ESTALE && check.bytes == 0) /* the daemon gave it up meanwhile */
			continue;
		count++;
		if (r < 0) {
			check.problems++;
			log_error("%s", err.text);
			check.last = (struct position){0};
			continue;
		}
		check_segment(&check, segment, i == newest);
		segments_release(segment);
	}
	check_missing(&check);
	if (check_config(store_dirfd(check.store), &err) < 0) {
		check.problems++;
		log_error("%s", err.text);
	}
	size_t snapshots = check_snapshots(&check);
	check_closed(&check);
	printf("%zu segments, %zu snapshots, %" PRIu64 " bytes, %u problems\n", count, snapshots, check.bytes,
	       check.problems);
	store_close(check.store);
	return check.problems ? EXIT_FAILURE : EXIT_SUCCESS;
}
