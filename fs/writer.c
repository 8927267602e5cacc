#include "writer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "catalog.h"
#include "crc32c.h"
#include "scan.h"

enum {
	FLUSH_LEN = 256 << 10, /* buffered bytes that are worth a write */
	MARK_MS = 1000,        /* how old the mark in STORE/confirmed may grow under load */
	DAY = 86400,
};

/* A place in the stream that one can go back to. */
struct place {
	uint64_t off; /* in the segment */
	struct position last;
	uint32_t crc; /* since the last commit line's end */
};

struct writer {
	struct store *store;
	uint64_t segment_bytes;

	/* thread A: appending */
	int fd;
	struct position first; /* of the newest segment */
	struct origin origin;
	struct catalog catalog, catalog_before; /* as of now; at writer_begin, where changed since */
	bool catalog_changed;
	bool open;         /* in a transaction */
	bool has_commit;   /* the segment holds one */
	bool roll;         /* at the next writer_begin, whatever the size */
	struct place now, begun;
	uint64_t second;   /* of the transaction */
	size_t crc_at;     /* buf[0..crc_at) is in now.crc */
	struct store_end commit; /* the last one, buffered or not */
	char *buf;         /* appended, and not yet written: ends at now.off */
	size_t len, cap;

	/* both */
	pthread_mutex_t lock;
	pthread_cond_t wake;
	struct store_end flushed; /* last commit that the kernel has */
	int flushed_fd;
	struct store_end synced;
	uint64_t idle_wanted, durable_lsn;
	bool stop;

	/* thread B: syncing */
	uint64_t marked_ms; /* when STORE/confirmed was written */
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* ---- the buffer --------------------------------------------------------- */

static char *reserve(struct writer *w, size_t len, struct err *err)
{
	if (w->cap - w->len < len) {
		size_t cap = w->cap;
		while (cap - w->len < len)
			cap *= 2;
		char *more = realloc(w->buf, cap);
		if (!more) {
			err_set(err, -ENOMEM, "out of memory for a line of %zu bytes", len);
			return NULL;
		}
		w->buf = more;
		w->cap = cap;
	}
	return w->buf + w->len;
}

static size_t print_number(char *out, uint64_t number)
{
	char digits[20];
	size_t n = 0;

	do
		digits[n++] = (char)('0' + number % 10);
	while (number /= 10);
	for (size_t i = 0; i < n; i++)
		out[i] = digits[n - 1 - i];
	return n;
}

enum { STAMP_MAX = 4 + 20 + 4 + 20 + 1 };

/* "_c\t<epoch>\t_s\t<seq>\t" */
static size_t print_stamp(char *out, struct position position)
{
	size_t n = 0;

	memcpy(out, "_c\t", 3);
	n = 3 + print_number(out + 3, position.epoch);
	memcpy(out + n, "\t_s\t", 4);
	n += 4;
	n += print_number(out + n, position.seq);
	out[n++] = '\t';
	return n;
}

static struct position next_position(struct position last, uint64_t second)
{
	bool same = last.epoch >= second;

	return same ? (struct position){last.epoch, last.seq + 1} : (struct position){second, 0};
}

/* Brings the checksum up to the buffer's byte `to`. */
static void sum_to(struct writer *w, size_t to)
{
	w->now.crc = crc32c(w->now.crc, w->buf + w->crc_at, to - w->crc_at);
	w->crc_at = to;
}

/* Appends a stamped line in pieces: `line`, then `tail`, then '\n'. */
static int put(struct writer *w, uint64_t second, const char *line, size_t len, const char *tail, size_t tail_len,
               struct err *err)
{
	char *out = reserve(w, STAMP_MAX + len + tail_len + 1, err);

	if (!out)
		return -ENOMEM;
	w->now.last = next_position(w->now.last, second);
	size_t n = print_stamp(out, w->now.last);
	memcpy(out + n, line, len);
	n += len;
	memcpy(out + n, tail, tail_len);
	n += tail_len;
	out[n++] = '\n';
	w->len += n;
	w->now.off += n;
	return 0;
}

/* Writes all that is buffered; what the disk takes of it is taken off. */
static int write_out(struct writer *w, struct err *err)
{
	size_t done = 0;
	int r = 0;

	sum_to(w, w->len);
	while (done < w->len) {
		ssize_t n = pwrite(w->fd, w->buf + done, w->len - done, (off_t)(w->now.off - w->len + done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			r = err_errno(err, "appending to a segment");
			break;
		}
		done += (size_t)n;
	}
	memmove(w->buf, w->buf + done, w->len - done);
	w->len -= done;
	w->crc_at = w->len;
	if (w->len == 0 && w->cap > 16 * FLUSH_LEN) { /* after a very long line */
		char *less = realloc(w->buf, 2 * FLUSH_LEN);
		if (less) {
			w->buf = less;
			w->cap = 2 * FLUSH_LEN;
		}
	}
	return r;
}

/* Hands the commits that are written to thread B. */
static void tell_flushed(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	if (position_cmp(w->flushed.last, w->commit.last) != 0) {
		w->flushed = w->commit;
		w->flushed_fd = w->fd;
		pthread_cond_signal(&w->wake);
	}
	pthread_mutex_unlock(&w->lock);
}

int writer_flush(struct writer *w, struct err *err)
{
	int r = w->len > 0 ? write_out(w, err) : 0;

	if (r == 0)
		tell_flushed(w);
	return r;
}

/* ---- definitions -------------------------------------------------------- */

/* Reads the line of a definition back: from the file, from the buffer, or, when
 * the disk took only a part of it, from both. */
static char *read_definition(struct writer *w, int fd, const struct catalog_entry *entry, struct err *err)
{
	uint64_t written = fd == w->fd ? w->now.off - w->len : UINT64_MAX, end = entry->off + entry->len;
	size_t from_file = entry->off >= written ? 0 : (size_t)((end < written ? end : written) - entry->off);
	char *line = malloc((size_t)entry->len + 1);

	if (!line) {
		err_set(err, -ENOMEM, "out of memory for a definition");
		return NULL;
	}
	if (from_file && pread(fd, line, from_file, (off_t)entry->off) != (ssize_t)from_file) {
		err_set(err, -EIO, "a definition in force cannot be read back at %llu", (unsigned long long)entry->off);
		free(line);
		return NULL;
	}
	if (from_file < entry->len)
		memcpy(line + from_file, w->buf + (entry->off + from_file - written), entry->len - from_file);
	return line;
}

/* 1 where the table's definition in force says the same as the line. */
static int in_force(struct writer *w, const struct line_head *head, struct err *err)
{
	const struct catalog_entry *entry = catalog_find(&w->catalog, head);
	struct line_head stored;

	if (!entry)
		return 0;
	char *line = read_definition(w, w->fd, entry, err);
	if (!line)
		return -EIO;
	int same = line_parse(line, entry->len, &stored) && catalog_same(&stored, head);
	free(line);
	return same;
}

static int put_definition(struct writer *w, uint64_t second, const char *line, size_t len, struct err *err)
{
	struct line_head head;
	uint64_t off = w->now.off;
	size_t at = w->len;
	int r = put(w, second, line, len, "", 0, err);

	if (r < 0)
		return r;
	size_t stored_len = w->len - at - 1;
	if (!line_parse(w->buf + at, stored_len, &head) || (r = catalog_put(&w->catalog, &head, off, stored_len)) < 0)
		return err_set(err, r ? r : -EBADMSG, "the schema line \"%.*s\" does not follow the format",
		               len < 200 ? (int)len : 200, line);
	return 0;
}

/* Takes the pseudo-columns off that an opening definition does not have. */
static size_t strip_definition(const char *line, size_t len, char *out)
{
	struct line_head head;

	if (!line_parse(line, len, &head) || !head.table_pairs.at || !head.relid.at)
		return 0;
	const char *said = head.relid.at - strlen("_relid\t");
	size_t n = head.table_pairs.len;
	memcpy(out, head.table_pairs.at, n);
	out[n++] = '\t';
	memcpy(out + n, said, (size_t)(line + len - said));
	return n + (size_t)(line + len - said);
}

/* ---- segments ----------------------------------------------------------- */

static size_t print_origin(char *out, size_t size, const struct origin *origin)
{
	char database[2 * sizeof origin->database], slot[2 * sizeof origin->slot];
	size_t database_len = line_escape(database, origin->database, strlen(origin->database));
	size_t slot_len = line_escape(slot, origin->slot, strlen(origin->slot));

	int n = snprintf(out, size, "_action\torigin\tsystem\t%llu\ttimeline\t%u\tdatabase\t%.*s\tslot\t%.*s\tgeneration\t%llu",
	                 (unsigned long long)origin->system, origin->timeline, (int)database_len, database, (int)slot_len,
	                 slot, (unsigned long long)origin->generation);
	return (size_t)n;
}
enum { ORIGIN_MAX = 2048 };

/* The definitions in force, copied from the segment that ends. */
static int put_definitions(struct writer *w, int old_fd, const struct catalog *old, uint64_t second, struct err *err)
{
	for (size_t i = 0; i < old->count; i++) {
		char *line = read_definition(w, old_fd, &old->entries[i], err);
		if (!line)
			return -EIO;
		char *bare = malloc((size_t)old->entries[i].len + 1);
		size_t len = bare ? strip_definition(line, old->entries[i].len, bare) : 0;
		int r = len ? put_definition(w, second, bare, len, err)
		            : err_set(err, -EIO, "a definition in force cannot be read back");
		free(bare);
		free(line);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Starts the next segment: all of the one before is synced. */
static int roll(struct writer *w, uint64_t second, struct err *err)
{
	char name[SEGMENT_NAME_MAX], text[ORIGIN_MAX];
	struct position first = next_position(w->now.last, second);
	int dirfd = store_segments_dirfd(w->store);
	int fd = openat(dirfd, segment_name(name, first), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0640);

	if (fd < 0)
		return err_errno(err, "creating segments/%s", name);
	int old_fd = w->fd;
	struct catalog old = w->catalog;
	w->catalog = (struct catalog){0};
	w->fd = fd;
	w->first = first;
	w->now.off = 0;
	w->now.crc = 0;
	w->has_commit = w->roll = false;
	size_t len = print_origin(text, sizeof text, &w->origin);
	int r = put(w, second, text, len, "", 0, err);
	if (r == 0)
		r = put_definitions(w, old_fd, &old, second, err);
	catalog_fini(&old);
	close(old_fd);
	return r;
}

static bool all_synced(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	bool synced = position_cmp(w->synced.last, w->commit.last) == 0;
	pthread_mutex_unlock(&w->lock);
	return synced;
}

int writer_begin(struct writer *w, uint64_t second, struct err *err)
{
	int r;

	if (second < w->now.last.epoch)
		second = w->now.last.epoch;
	if (w->has_commit &&
	    (w->roll || w->now.off >= w->segment_bytes || second / DAY != w->first.epoch / DAY)) {
		if ((r = writer_flush(w, err)) < 0)
			return r;
		if (!all_synced(w))
			return err_set(err, -EAGAIN, "the full segment is being synced");
		if ((r = roll(w, second, err)) < 0)
			return r;
	}
	/* The checksum runs behind the buffer: bring it up, to have it to go back to. */
	sum_to(w, w->len);
	w->begun = w->now;
	w->second = second;
	w->commit.first = w->first;
	w->commit.origin = w->origin;
	w->open = true;
	w->catalog_changed = false;
	return 0;
}

int writer_line(struct writer *w, const char *line, size_t len, const struct line_head *head, struct err *err)
{
	int r;

	if (w->len >= FLUSH_LEN && (r = writer_flush(w, err)) < 0)
		return r;
	if (!span_is(head->action, "schema"))
		return put(w, w->second, line, len, "", 0, err);

	if ((r = in_force(w, head, err)) != 0)
		return r < 0 ? r : 0;
	if (!w->catalog_changed) {
		if (catalog_copy(&w->catalog_before, &w->catalog) < 0)
			return err_set(err, -ENOMEM, "out of memory for the definitions");
		w->catalog_changed = true;
	}
	return put_definition(w, w->second, line, len, err);
}

int writer_commit(struct writer *w, const char *line, size_t len, uint64_t lsn, struct err *err)
{
	char tail[] = "\tcrc\t01234567";
	int r;

	if (w->len >= FLUSH_LEN && (r = writer_flush(w, err)) < 0)
		return r;
	if ((r = put(w, w->second, line, len, tail, sizeof tail - 1, err)) < 0)
		return r;
	/* Up to the pair: the eight digits, "crc\t" and '\n' are not in it. */
	sum_to(w, w->len - 8 - 4 - 1);
	crc_print(w->buf + w->len - 8 - 1, w->now.crc);
	w->now.crc = 0;
	w->crc_at = w->len;

	w->open = false;
	w->has_commit = true;
	w->commit.off = w->now.off;
	w->commit.last = w->now.last;
	w->commit.lsn = lsn;
	return 0;
}

int writer_rollback(struct writer *w, struct err *err)
{
	if (!w->open)
		return 0;
	uint64_t written = w->now.off - w->len;
	if (w->begun.off >= written) {
		w->len = (size_t)(w->begun.off - written);
	} else {
		if (ftruncate(w->fd, (off_t)w->begun.off) < 0)
			return err_errno(err, "cutting off a transaction that broke off");
		w->len = 0;
	}
	w->now = w->begun;
	w->crc_at = w->len;
	w->open = false;
	if (w->catalog_changed) {
		catalog_fini(&w->catalog);
		w->catalog = w->catalog_before;
		w->catalog_before = (struct catalog){0};
		w->catalog_changed = false;
	}
	return 0;
}

void writer_timeline(struct writer *w, uint32_t timeline)
{
	if (w->origin.timeline != timeline) {
		w->origin.timeline = timeline;
		w->roll = true;
	}
}

/* ---- syncing (thread B) ------------------------------------------------- */

static int mark(struct writer *w, uint64_t idle_lsn, struct err *err)
{
	struct confirmed_file *file = store_confirmed(w->store);
	struct confirmed next = {idle_lsn, w->synced.last};

	w->marked_ms = now_ms();
	return confirmed_write(file, next, err);
}

static int sync_commits(struct writer *w, const struct store_end *end, int fd, struct err *err)
{
	int r;

	if (fdatasync(fd) < 0)
		return err_errno(err, "syncing a segment: what the disk holds is not known any more");
	/* A new segment's name has to be on disk as well. */
	if (position_cmp(end->first, w->synced.first) != 0 && fsync(store_segments_dirfd(w->store)) < 0)
		return err_errno(err, "syncing the folder of the segments");
	if ((r = store_show(w->store, end, fd, err)) < 0)
		return r;
	pthread_mutex_lock(&w->lock);
	w->synced = *end;
	if (end->lsn > w->durable_lsn)
		w->durable_lsn = end->lsn;
	pthread_mutex_unlock(&w->lock);
	return 0;
}

static bool work_to_do(const struct writer *w)
{
	return position_cmp(w->flushed.last, w->synced.last) != 0 || w->idle_wanted > w->durable_lsn;
}

static void wait_for_work(struct writer *w, int timeout_ms)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += timeout_ms / 1000;
	until.tv_nsec += timeout_ms % 1000 * 1000000L;
	if (until.tv_nsec >= 1000000000L) {
		until.tv_nsec -= 1000000000L;
		until.tv_sec++;
	}
	while (!work_to_do(w) && !w->stop && pthread_cond_timedwait(&w->wake, &w->lock, &until) == 0)
		;
}

int writer_sync(struct writer *w, int timeout_ms, struct err *err)
{
	int r;

	pthread_mutex_lock(&w->lock);
	wait_for_work(w, timeout_ms);
	struct store_end end = w->flushed;
	int fd = w->flushed_fd;
	uint64_t idle = w->idle_wanted;
	bool commits = position_cmp(end.last, w->synced.last) != 0, work = work_to_do(w);
	pthread_mutex_unlock(&w->lock);
	if (!work)
		return 0;

	if (commits && (r = sync_commits(w, &end, fd, err)) < 0)
		return r;
	uint64_t told = store_confirmed(w->store)->now.idle_lsn;
	bool idle_more = idle > w->durable_lsn;
	if (!idle_more && now_ms() - w->marked_ms < MARK_MS)
		return 1;
	/* A full disk does no harm here: the old mark still holds, and idle WAL is
	 * confirmed later. */
	if (mark(w, idle_more ? idle : told, err) == 0 && idle_more) {
		pthread_mutex_lock(&w->lock);
		w->durable_lsn = idle;
		pthread_mutex_unlock(&w->lock);
	}
	return 1;
}

void writer_idle(struct writer *w, uint64_t lsn)
{
	pthread_mutex_lock(&w->lock);
	if (lsn > w->idle_wanted) {
		w->idle_wanted = lsn;
		pthread_cond_signal(&w->wake);
	}
	pthread_mutex_unlock(&w->lock);
}

void writer_stop(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->wake);
	pthread_mutex_unlock(&w->lock);
}

uint64_t writer_durable_lsn(struct writer *w)
{
	pthread_mutex_lock(&w->lock);
	uint64_t lsn = w->durable_lsn;
	pthread_mutex_unlock(&w->lock);
	return lsn;
}

uint64_t writer_appended_lsn(const struct writer *w)
{
	return w->commit.lsn;
}

/* ---- opening ------------------------------------------------------------ */

/* Finds the definitions in force in the newest segment. */
static int read_catalog(struct writer *w, uint64_t len, struct err *err)
{
	struct scan scan;
	const char *line;
	size_t line_len;
	uint64_t off;
	int r = scan_init(&scan, w->fd, 0, len, err);

	if (r < 0)
		return r;
	while ((r = scan_next(&scan, &line, &line_len, &off, err)) == 1) {
		struct line_head head;
		if (line_parse(line, line_len, &head) && span_is(head.action, "schema") &&
		    (r = catalog_put(&w->catalog, &head, off, line_len)) < 0) {
			err_set(err, r, "the schema line at %llu cannot be read", (unsigned long long)off);
			break;
		}
	}
	scan_fini(&scan);
	return r;
}

int writer_open(struct writer **out, struct store *store, uint64_t segment_bytes, struct err *err)
{
	struct writer *w = calloc(1, sizeof *w);
	pthread_condattr_t monotonic;
	int r = 0;

	*out = NULL;
	if (!w || !(w->buf = malloc(2 * FLUSH_LEN))) {
		free(w);
		return err_set(err, -ENOMEM, "out of memory");
	}
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	w->cap = 2 * FLUSH_LEN;
	w->store = store;
	w->segment_bytes = segment_bytes;

	store_end(store, &w->commit);
	w->flushed = w->synced = w->commit;
	w->first = w->commit.first;
	w->origin = w->commit.origin;
	w->now = (struct place){w->commit.off, w->commit.last, 0};
	w->has_commit = true;
	uint64_t idle = store_confirmed(store)->now.idle_lsn;
	w->durable_lsn = idle > w->commit.lsn ? idle : w->commit.lsn;
	w->fd = fcntl(store_segment(store, store_segment_count(store) - 1)->fd, F_DUPFD_CLOEXEC, 0);
	w->flushed_fd = w->fd;
	if (w->fd < 0)
		r = err_errno(err, "opening the newest segment");
	else
		r = read_catalog(w, w->commit.off, err);
	if (r < 0) {
		writer_close(w);
		return r;
	}
	*out = w;
	return 0;
}

void writer_close(struct writer *w)
{
	if (!w)
		return;
	if (position_cmp(store_confirmed(w->store)->now.last, w->synced.last) < 0)
		mark(w, store_confirmed(w->store)->now.idle_lsn, NULL);
	if (w->fd >= 0)
		close(w->fd);
	catalog_fini(&w->catalog);
	catalog_fini(&w->catalog_before);
	pthread_cond_destroy(&w->wake);
	pthread_mutex_destroy(&w->lock);
	free(w->buf);
	free(w);
}

int writer_origin(int segments_dirfd, struct position after, uint64_t second, const struct origin *origin, uint64_t xid,
                  uint64_t lsn, const char *time, struct err *err)
{
	char text[ORIGIN_MAX], name[SEGMENT_NAME_MAX], temporary[SEGMENT_NAME_MAX + 4], lsn_text[LSN_TEXT_MAX];
	struct writer w = {.now.last = after, .cap = 3 * ORIGIN_MAX, .second = second};
	int r;

	if (second < after.epoch)
		w.second = after.epoch;
	w.first = next_position(after, w.second);
	if (!(w.buf = malloc(w.cap)))
		return err_set(err, -ENOMEM, "out of memory");
	size_t len = print_origin(text, sizeof text, origin);
	put(&w, w.second, text, len, "", 0, err);
	int n = snprintf(text, sizeof text, "_xid\t%llu\t_action\tcommit\tlsn\t%s\ttime\t%s", (unsigned long long)xid,
	                 lsn_print(lsn_text, lsn), time);
	writer_commit(&w, text, (size_t)n, lsn, err);

	segment_name(name, w.first);
	snprintf(temporary, sizeof temporary, "%s.new", name);
	w.fd = openat(segments_dirfd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
	if (w.fd < 0) {
		r = err_errno(err, "creating segments/%s", temporary);
	} else {
		r = write_out(&w, err);
		if (r == 0 && (fsync(w.fd) < 0 || renameat(segments_dirfd, temporary, segments_dirfd, name) < 0 ||
		               fsync(segments_dirfd) < 0))
			r = err_errno(err, "writing segments/%s", name);
		close(w.fd);
	}
	free(w.buf);
	return r;
}
