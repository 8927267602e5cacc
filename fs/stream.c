#include "stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "follower.h"
#include "mountpoint.h"

enum { WAIT_MS = 1000 };

struct stream {
	char *path;
	bool mount;
	struct store *store;
	struct table_set *tables;
	struct view_set *views;
	struct follower *follower; /* of a store that is followed */
	struct config config;      /* none: what it says is the writer's */
	atomic_bool ended;         /* there is no more to follow; the follower's */
};

struct stream_file {
	int fd; /* or: */
	struct view *view;
	char *path;
};

struct stream_lines {
	struct follow *follow;
	struct stream *stream;
	struct follow_source source; /* of a mount */
	struct stream_file *file;    /* of a store: */
	uint64_t off, seen;          /* the store's length when it was read last */
};

/* ---- opening ------------------------------------------------------------- */

static void on_end(void *ctx)
{
	struct stream *stream = ctx;

	stream->ended = true;
	store_wake(stream->store);
}

static int follow_store(struct stream *stream, struct err *err)
{
	const struct retain shown = {
	    .store = stream->store, .tables = stream->tables, .views = stream->views, .config = &stream->config};
	int r = follower_open(&stream->follower, &shown, err);

	return r < 0 ? err_prefix(err, r, "%s", stream->path) : follower_start(stream->follower, on_end, stream, err);
}

static int open_store(struct stream *stream, bool follow, struct err *err)
{
	int r = store_open(&stream->store, stream->path, follow ? STORE_FOLLOW : STORE_READ, err);

	if (r < 0)
		return r;
	stream->tables = table_set_new(stream->store);
	stream->views = view_set_new(stream->store);
	if (!stream->tables || !stream->views)
		return err_set(err, -ENOMEM, "out of memory");
	return follow ? follow_store(stream, err) : 0;
}

/* What has a /status is a mount. */
static int find_out(struct stream *stream, bool follow, struct err *err)
{
	char status[4096], segments[4096];

	snprintf(status, sizeof status, "%s/status", stream->path);
	snprintf(segments, sizeof segments, "%s/segments", stream->path);
	stream->mount = access(status, F_OK) == 0;
	if (stream->mount)
		return 0;
	if (access(stream->path, F_OK) < 0)
		return config_no_folder(stream->path, err);
	if (access(segments, F_OK) < 0 && errno != ENOENT)
		return err_errno(err, "%s", stream->path);
	if (access(segments, F_OK) < 0)
		return err_set(err, -ENOENT, "%s is no store, and nothing that daystreamfs serves now: is it running?",
		               stream->path);
	return open_store(stream, follow, err);
}

int stream_open(struct stream **out, const char *path, bool follow, struct err *err)
{
	struct stream *stream = calloc(1, sizeof *stream);
	int r;

	*out = NULL;
	if (!stream || !(stream->path = strdup(path)))
		r = err_set(err, -ENOMEM, "out of memory");
	else
		r = find_out(stream, follow, err);
	if (r < 0) {
		stream_close(stream);
		return r;
	}
	*out = stream;
	return 0;
}

void stream_close(struct stream *stream)
{
	if (!stream)
		return;
	follower_stop(stream->follower, NULL);
	view_set_free(stream->views);
	table_set_free(stream->tables);
	store_close(stream->store);
	free(stream->path);
	free(stream);
}

bool stream_is_mount(const struct stream *stream)
{
	return stream->mount;
}

bool stream_unsure(const struct stream *stream, struct position position)
{
	if (stream->mount || stream->follower)
		return false;
	struct position mark = store_confirmed(stream->store)->now.last;
	return (mark.epoch > 0 || mark.seq > 0) && position_cmp(position, mark) > 0;
}

uint64_t stream_generation(struct stream *stream)
{
	struct store_end end;

	if (stream->mount)
		return mountpoint_generation(stream->path);
	store_end(stream->store, &end);
	return end.origin.generation;
}

void stream_end(struct stream *stream, struct position *last, uint64_t *generation)
{
	struct store_end end;

	*last = (struct position){0};
	if (stream->mount) {
		char *value = mountpoint_status(stream->path, "position");
		if (value)
			position_parse(value, strlen(value), last);
		free(value);
	} else {
		store_end(stream->store, &end);
		*last = end.last;
	}
	*generation = stream_generation(stream);
}

/* ---- files --------------------------------------------------------------- */

static int open_view(struct stream_file *file, struct stream *stream, const char *table, const struct position *from,
                     struct err *err)
{
	char at[POSITION_TEXT_MAX], first[POSITION_TEXT_MAX];
	struct view_key key = {.start = from ? *from : segments_edge(store_segments(stream->store)).first};
	int r = table ? table_get(stream->tables, table, &key.table, err) : 1;

	if (r == 0)
		return -ENOENT;
	if (r < 0)
		return r;
	r = view_open(&file->view, stream->views, &key, err);
	if (r == -ESTALE)
		err_set(err, r, "the stream at %s is no longer retained: %s begins at %s",
		        position_print(at, key.start), stream->path,
		        position_print(first, segments_edge(store_segments(stream->store)).first));
	return r;
}

/* What an error means: the mount itself may be away. */
static int open_shown(struct stream_file *file, const struct stream *stream, const char *table,
                      const struct position *from, struct err *err)
{
	const struct follow_source source = {.mount = stream->path, .table = table};
	char path[4096], live[4096];

	follow_path(path, sizeof path, &source, from);
	if (!(file->path = strdup(path)))
		return err_set(err, -ENOMEM, "out of memory");
	file->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (file->fd >= 0)
		return 0;
	int r = err_errno(err, "cannot open %s", path);
	snprintf(live, sizeof live, "%s/live", stream->path);
	return r == -ESTALE || (r == -ENOENT && access(live, F_OK) == 0) ? r : -ENOTCONN;
}

int stream_file_open(struct stream_file **out, struct stream *stream, const char *table, const struct position *from,
                     struct err *err)
{
	struct stream_file *file = calloc(1, sizeof *file);

	*out = NULL;
	if (!file)
		return err_set(err, -ENOMEM, "out of memory");
	file->fd = -1;
	int r = stream->mount ? open_shown(file, stream, table, from, err) : open_view(file, stream, table, from, err);
	if (r < 0) {
		stream_file_close(file);
		return r == -ENOENT && table ? err_set(err, r, "%s has no line of a table %s", stream->path, table) : r;
	}
	*out = file;
	return 0;
}

void stream_file_close(struct stream_file *file)
{
	if (!file)
		return;
	if (file->view)
		view_close(file->view);
	if (file->fd >= 0)
		close(file->fd);
	free(file->path);
	free(file);
}

int stream_file_len(struct stream_file *file, uint64_t *len, struct err *err)
{
	uint64_t last_epoch;
	struct stat st;

	if (file->view)
		return view_len(file->view, len, &last_epoch, err);
	if (fstat(file->fd, &st) < 0) {
		err_errno(err, "looking at %s", file->path);
		return -ENOTCONN;
	}
	*len = (uint64_t)st.st_size;
	return 0;
}

long stream_file_read(struct stream_file *file, uint64_t off, char *buf, size_t len, struct err *err)
{
	size_t got = 0;

	if (file->view)
		return view_read(file->view, off, buf, len, err);
	while (got < len) {
		ssize_t n = pread(file->fd, buf + got, len - got, (off_t)(off + got));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			err_errno(err, "reading %s", file->path);
			return -ENOTCONN;
		}
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (long)got;
}

/* ---- lines --------------------------------------------------------------- */

static long read_on(void *ctx, char *buf, size_t len, struct err *err)
{
	struct stream_lines *lines = ctx;

	lines->seen = store_len(lines->stream->store);
	long n = stream_file_read(lines->file, lines->off, buf, len, err);

	lines->off += n > 0 ? (uint64_t)n : 0;
	if (n == -EBADMSG) {
		struct err reason = *err;
		err_set(err, -EBADMSG, "%s; restore the file from a copy (`daystream check` says what else is damaged)",
		        reason.text);
	}
	return n;
}

static int open_stored(struct stream_lines *lines, struct stream *stream, const char *table,
                       const struct position *from, bool within, struct err *err)
{
	const struct follow_read read = {.read = read_on, .ctx = lines, .table = table, .within = within};
	int r = stream_file_open(&lines->file, stream, table, from, err);

	return r < 0 ? r : follow_open_read(&lines->follow, &read, err);
}

static int open_lines(struct stream_lines **out, struct stream *stream, const char *table, const struct position *from,
                      const struct position *after, struct err *err)
{
	struct stream_lines *lines = calloc(1, sizeof *lines);
	struct position behind = {0};
	int r;

	*out = NULL;
	if (!lines)
		return err_set(err, -ENOMEM, "out of memory");
	if (after)
		behind = (struct position){after->epoch, after->seq + 1};
	lines->stream = stream;
	lines->source = (struct follow_source){.mount = stream->path, .table = table};
	if (!stream->mount)
		r = open_stored(lines, stream, table, after ? &behind : from, !after && from && from->seq > 0, err);
	else if (after)
		r = follow_open(&lines->follow, &lines->source, after, err);
	else
		r = follow_open_from(&lines->follow, &lines->source, from, err);
	if (r < 0) {
		stream_lines_close(lines);
		return r;
	}
	*out = lines;
	return 0;
}

int stream_lines_open(struct stream_lines **lines, struct stream *stream, const char *table,
                      const struct position *from, struct err *err)
{
	return open_lines(lines, stream, table, from, NULL, err);
}

int stream_lines_after(struct stream_lines **lines, struct stream *stream, const char *table, struct position after,
                       struct err *err)
{
	return open_lines(lines, stream, table, NULL, &after, err);
}

void stream_lines_close(struct stream_lines *lines)
{
	if (!lines)
		return;
	follow_close(lines->follow);
	stream_file_close(lines->file);
	free(lines);
}

struct follow *stream_lines_follow(struct stream_lines *lines)
{
	return lines->follow;
}

int stream_lines_wait(struct stream_lines *lines, struct err *err)
{
	struct stream *stream = lines->stream;

	if (stream->mount) {
		follow_wait(lines->follow, -1);
		return 0;
	}
	if (!stream->ended)
		store_wait(stream->store, lines->seen, WAIT_MS);
	if (!stream->ended || store_len(stream->store) > lines->seen)
		return 0;
	int r = follower_stop(stream->follower, err);
	stream->follower = NULL;
	return err_prefix(err, r, "%s", stream->path);
}
