#include "snapshot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "await.h"
#include "clock.h"
#include "copy.h"
#include "dump.h"
#include "name.h"
#include "overlap.h"
#include "regular.h"
#include "scan.h"
#include "segment.h"
#include "snapshots.h"
#include "sums.h"

enum {
	TRIES = 10,    /* where tables are truncated or rewritten again and again */
	STEP_MS = 100, /* between two looks at the stream */
};

struct snapshot {
	int store_dirfd;
	const struct config *config;
	const struct snapshot_request *request;
	const char *tables; /* what is to be copied; "" for all */
	struct origin origin;
	int stop_fd, wake_fd; /* ours; and what wakes up: that or the request's */
	uint64_t before;      /* bytes of tries that came to nothing */

	/* One try. */
	struct copy *copy;
	struct snapshots_draft draft;
	struct dump *dump;
	struct overlap *overlap;
	int overlap_fd;
	struct manifest manifest; /* its list's names are the copy's */
	struct chunks *chunks;    /* of each table in it */
};

/* ---- before ------------------------------------------------------------- */

/* daystreamfs holds the store's lock. */
static bool is_served(int store_dirfd)
{
	int fd = openat(store_dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	bool served = fd >= 0 && flock(fd, LOCK_SH | LOCK_NB) < 0;

	if (fd >= 0)
		close(fd);
	return served;
}

/* The `origin` line that a segment opens with: 1; 0 where there is none (yet). */
static int read_origin(int segments_dirfd, struct position first, struct origin *origin, struct err *err)
{
	char name[SEGMENT_NAME_MAX];
	struct scan scan;
	struct line_head head;
	const char *line;
	size_t len;
	uint64_t off;
	int fd = openat(segments_dirfd, segment_name(name, first), O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return errno == ENOENT ? 0 : err_errno(err, "opening segments/%s", name);
	int r = scan_init(&scan, fd, 0, (uint64_t)lseek(fd, 0, SEEK_END), err);
	if (r == 0) {
		r = scan_next(&scan, &line, &len, &off, err);
		if (r == -ENODATA)
			r = 0;
		if (r == 1 && (!line_parse(line, len, &head) || !origin_parse(&head, origin)))
			r = err_set(err, -EBADMSG, "segments/%s does not begin with an origin line", name);
		scan_fini(&scan);
	}
	close(fd);
	return r;
}

/* Of the newest segment that has one. */
static int find_origin(struct snapshot *s, struct err *err)
{
	struct position *list = NULL;
	size_t count = 0;
	int dirfd = openat(s->store_dirfd, "segments", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = dirfd < 0 ? err_errno(err, "opening the segments of the store")
	                  : segment_list(dirfd, false, &list, &count, err);

	while (r == 0 && count-- > 0)
		r = read_origin(dirfd, list[count], &s->origin, err);
	if (r == 0)
		r = err_set(err, -ENOENT, "no whole segment in the store");
	free(list);
	if (dirfd >= 0)
		close(dirfd);
	return r < 0 ? r : 0;
}

/* A narrower list names tables that the stream has. */
static int check_tables(const struct snapshot *s, struct err *err)
{
	char schema[NAME_RAW_MAX], table[NAME_RAW_MAX];

	for (const char *at = s->request->tables; at; at = *at ? at + 1 : NULL) {
		size_t len = strcspn(at, ",");
		if (!name_split(at, len, schema, table))
			return err_set(err, -EINVAL, "\"%.*s\" is no table's name as /tables spells it", (int)len, at);
		if (*s->config->tables && !name_listed(s->config->tables, at, len))
			return err_set(err, -ENOENT,
			               "the store does not have table \"%.*s\": its `tables` in daystream.conf "
			               "leaves it out",
			               (int)len, at);
		at += len;
	}
	return 0;
}

static int check_server(const struct snapshot *s, struct err *err)
{
	const struct origin *server = copy_origin(s->copy);

	if (server->system == s->origin.system && strcmp(server->database, s->origin.database) == 0)
		return 0;
	return err_set(err, -EPROTO,
	               "the server is another one: database \"%s\" of system %llu, and the store is of database "
	               "\"%s\" of system %llu",
	               server->database, (unsigned long long)server->system, s->origin.database,
	               (unsigned long long)s->origin.system);
}

static int check_space(const struct snapshot *s, uint64_t *total, struct err *err)
{
	enum { MARGIN_MB = 64, MB = 1 << 20 };
	size_t count;
	const struct published_table *tables = copy_tables(s->copy, &count);
	struct statvfs st;

	*total = 0;
	for (size_t i = 0; i < count; i++)
		*total += tables[i].bytes;
	if (fstatvfs(s->draft.dirfd, &st) < 0)
		return err_errno(err, "asking for the space on the store's disk");
	uint64_t space = (uint64_t)st.f_bavail * st.f_frsize / MB, need = *total / MB + MARGIN_MB;
	if (space >= need)
		return 0;
	return err_set(
	    err, -ENOSPC,
	    "a snapshot takes about %llu MB, and the store's disk has %llu MB free: make room, or name fewer "
	    "tables (--tables)",
	    (unsigned long long)need, (unsigned long long)space);
}

/* ---- one try ------------------------------------------------------------ */

static void wake(void *ctx)
{
	const struct snapshot *s = ctx;
	struct err err;
	uint64_t one = 1;

	/* A copy that failed ends the others, too; that all went well is seen soon enough. */
	if (dump_done(s->dump, &err) < 0 && write(s->stop_fd, &one, sizeof one) < 0) {
		/* it is readable already */
	}
}

static int prepare(struct snapshot *s, struct err *err)
{
	const struct snapshot_request *request = s->request;
	size_t count;
	uint64_t total;
	int r;

	if ((r = find_origin(s, err)) < 0 || (r = snapshots_begin(s->store_dirfd, &s->draft, err)) < 0 ||
	    (r = copy_open(&s->copy, s->config->conninfo, s->tables, request->tables != NULL, request->warn, s->wake_fd,
	                   err)) < 0 ||
	    (r = check_server(s, err)) < 0 || (r = check_space(s, &total, err)) < 0)
		return r;
	progress_expect(request->progress, s->before + total);
	if (*s->tables && (r = copy_existing(s->copy, &s->manifest.existing, err)) < 0)
		return r;
	s->overlap_fd = openat(s->draft.fd, "overlap", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (s->overlap_fd < 0)
		return err_errno(err, "creating the snapshot's file overlap");

	const struct published_table *tables = copy_tables(s->copy, &count);
	s->manifest.list = calloc(count + 1, sizeof *s->manifest.list);
	s->chunks = calloc(count + 1, sizeof *s->chunks);
	if (!s->manifest.list || !s->chunks)
		return err_set(err, -ENOMEM, "out of memory for a list of %zu tables", count);
	for (; s->manifest.count < count; s->manifest.count++)
		s->manifest.list[s->manifest.count].name = tables[s->manifest.count].name;
	return overlap_open(&s->overlap, s->store_dirfd, s->origin.generation, copy_visible(s->copy),
	                    copy_lacking(s->copy), s->overlap_fd, err);
}

/* A look at the stream, and a pause. 1: the marker has come. */
static int step(struct snapshot *s, uint64_t marker_xid, struct overlap_end *end, struct err *err)
{
	struct pollfd fd = {.fd = s->wake_fd, .events = POLLIN};
	int r = overlap_step(s->overlap, marker_xid, end, err);

	if (r != 0)
		return r;
	if (!is_served(s->store_dirfd))
		return err_set(
		    err, -ENOTCONN,
		    "daystreamfs does not serve the store%s, so what a snapshot needs of the stream would not "
		    "come: start it",
		    marker_xid ? " any more" : "");
	return await(&fd, 1, STEP_MS) > 0 ? err_set(err, -EINTR, "stopped") : 0;
}

static int copy_tables_and_stream(struct snapshot *s, struct err *err)
{
	struct overlap_end end;
	int r = dump_start(&s->dump, s->copy, s->draft.tables, s->request->jobs, s->manifest.list, s->chunks,
	                   s->request->progress, wake, s, err);
	int done = 0;

	while (r == 0 && (done = dump_done(s->dump, err)) == 0)
		r = step(s, 0, &end, err);
	/* A copy that failed says more than that it woke us up. */
	if (r == -EINTR)
		done = dump_done(s->dump, err);
	return done < 0 ? done : r;
}

static int write_sums(struct snapshot *s, const struct overlap_end *end, struct err *err)
{
	size_t count = s->manifest.count;
	struct sums_part *parts = calloc(count + 1, sizeof *parts);
	char(*names)[NAME_PATH_MAX + 8] = calloc(count + 1, sizeof *names);
	int r = parts && names ? 0 : err_set(err, -ENOMEM, "out of memory for the snapshot's sums");

	for (size_t i = 0; r == 0 && i < count; i++) {
		snprintf(names[i], sizeof *names, "tables/%s", s->manifest.list[i].name);
		parts[i] = (struct sums_part){names[i], &s->chunks[i]};
	}
	if (r == 0) {
		parts[count] = (struct sums_part){"overlap", end->chunks};
		r = sums_write(s->draft.fd, end->position, parts, count + 1, &s->manifest.sums_bytes,
		               &s->manifest.sums_crc, err);
	}
	free(parts);
	free(names);
	return r;
}

static int write_manifest(struct snapshot *s, struct err *err)
{
	char *text;
	size_t len;
	int r = manifest_print(&s->manifest, &text, &len, err);

	if (r < 0)
		return r;
	int fd = openat(s->draft.fd, "manifest", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || regular_write(fd, text, len) < 0 || fsync(fd) < 0)
		r = err_errno(err, "writing the snapshot's file manifest");
	if (fd >= 0)
		close(fd);
	free(text);
	return r;
}

static int finish(struct snapshot *s, struct err *err)
{
	char content[200];
	struct overlap_end end;
	uint64_t xid, lsn;

	snprintf(content, sizeof content, "snapshot %.150s", copy_visible(s->copy)->text);
	int r = copy_mark(s->copy, content, &xid, &lsn, err);
	if (r < 0)
		return r;
	progress_at(s->request->progress, "waiting for the stream");
	while ((r = step(s, xid, &end, err)) == 0)
		;
	if (r < 0)
		return r;
	if (fsync(s->overlap_fd) < 0)
		return err_errno(err, "syncing the snapshot's file overlap");
	s->manifest.position = end.position;
	s->manifest.lsn = end.lsn;
	s->manifest.origin = end.origin;
	s->manifest.visible = copy_visible(s->copy)->text;
	s->manifest.tables = (char *)(uintptr_t)s->request->tables;
	s->manifest.overlap_bytes = end.bytes;
	s->manifest.overlap_crc = end.crc;
	r = write_sums(s, &end, err);
	if (r == 0)
		r = write_manifest(s, err);
	return r < 0 ? r : snapshots_finish(&s->draft, end.position, err);
}

/* Leaves nothing of a try; of a finished one the snapshot. */
static void clean_up(struct snapshot *s)
{
	uint64_t count;

	if (s->dump && write(s->stop_fd, &(uint64_t){1}, sizeof count) < 0) {
		/* it is readable already */
	}
	dump_stop(s->dump);
	overlap_close(s->overlap);
	if (s->overlap_fd >= 0)
		close(s->overlap_fd);
	copy_close(s->copy);
	snapshots_end(&s->draft);
	for (size_t i = 0; i < s->manifest.count; i++)
		s->before += s->manifest.list[i].bytes;
	for (size_t i = 0; s->chunks && i < s->manifest.count; i++)
		chunks_fini(&s->chunks[i]);
	free(s->chunks);
	s->chunks = NULL;
	free(s->manifest.list);
	free(s->manifest.existing);
	s->manifest = (struct manifest){0};
	s->dump = NULL;
	s->overlap = NULL;
	s->copy = NULL;
	s->overlap_fd = -1;
	if (read(s->stop_fd, &count, sizeof count) < 0) {
		/* nobody had stopped */
	}
}

static int try_once(struct snapshot *s, struct position *taken, struct err *err)
{
	int r = prepare(s, err);

	if (r == 0)
		r = copy_tables_and_stream(s, err);
	if (r == 0)
		r = finish(s, err);
	*taken = s->manifest.position;
	clean_up(s);
	return r;
}

/* ---- all of it ---------------------------------------------------------- */

/* Both wake up: the caller's, and ours. */
static int open_wake(struct snapshot *s, struct err *err)
{
	struct epoll_event event = {.events = EPOLLIN};

	s->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	s->wake_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->stop_fd < 0 || s->wake_fd < 0 || epoll_ctl(s->wake_fd, EPOLL_CTL_ADD, s->stop_fd, &event) < 0 ||
	    (s->request->wakefd >= 0 && epoll_ctl(s->wake_fd, EPOLL_CTL_ADD, s->request->wakefd, &event) < 0))
		return err_errno(err, "preparing to wait");
	return 0;
}

int snapshot_take(int store_dirfd, const struct config *config, const struct snapshot_request *request,
                  struct position *taken, struct err *err)
{
	struct snapshot s = {.store_dirfd = store_dirfd,
	                     .config = config,
	                     .request = request,
	                     .tables = request->tables ? request->tables : config->tables,
	                     .stop_fd = -1,
	                     .wake_fd = -1,
	                     .draft = {-1, -1, -1},
	                     .overlap_fd = -1};
	int r = open_wake(&s, err);

	if (r == 0)
		r = check_tables(&s, err);
	if (r == 0 && !is_served(store_dirfd))
		r = err_set(
		    err, -ENOTCONN,
		    "daystreamfs does not serve the store, so what a snapshot needs of the stream would not come: "
		    "start it first");
	for (int tries = 0; r == 0; tries++) {
		struct pollfd fd = {.fd = s.wake_fd, .events = POLLIN};
		r = try_once(&s, taken, err);
		if (r != -ESTALE || tries + 1 == TRIES)
			break;
		r = await(&fd, 1, tries * STEP_MS) > 0 ? err_set(err, -EINTR, "stopped") : 0;
	}
	if (s.wake_fd >= 0)
		close(s.wake_fd);
	if (s.stop_fd >= 0)
		close(s.stop_fd);
	return err_full(err, r);
}
