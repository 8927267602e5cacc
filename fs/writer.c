#include "writer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "append.h"
#include "catalog.h"
#include "crc32c.h"
#include "name.h"
#include "reserve.h"
#include "scan.h"

enum {
	FLUSH_LEN = 256 << 10, /* buffered bytes that are worth a write */
	DAY = 86400,
};

struct writer {
	struct store *store;
	uint64_t segment_bytes;
	struct durable durable;

	struct append end;     /* of the newest segment */
	struct position first; /* of the newest segment */
	struct position last;  /* of the last line */
	struct origin origin;
	struct catalog catalog, catalog_before; /* as of now; at writer_begin, where changed since */
	bool catalog_changed;
	struct unplaced unplaced;
	bool open;           /* in a transaction */
	bool has_commit;     /* the segment holds one */
	bool roll;           /* at the next writer_begin, whatever the size */
	char *note, *tables; /* of writer_note, until then */
	size_t note_len;
	uint64_t second;         /* of the transaction */
	struct append_mark mark; /* at its begin */
	struct position before;  /* last, at its begin */
	struct store_end commit; /* the last one, written or not */
};

/* ---- lines -------------------------------------------------------------- */

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

/* Appends a stamped line in pieces: `line`, then `tail`, then '\n'. */
static int put(struct writer *w, const char *line, size_t len, const char *tail, size_t tail_len, struct err *err)
{
	char *out = append_room(&w->end, STAMP_MAX + len + tail_len + 1, err);

	if (!out)
		return -ENOMEM;
	w->last = next_position(w->last, w->second);
	size_t n = print_stamp(out, w->last);
	memcpy(out + n, line, len);
	n += len;
	memcpy(out + n, tail, tail_len);
	n += tail_len;
	out[n++] = '\n';
	append_added(&w->end, n);
	return 0;
}

static int write_out(struct writer *w, struct err *err)
{
	char name[SEGMENT_NAME_MAX];
	int r = append_write(&w->end, err);

	return r < 0 ? err_prefix(err, r, "segments/%s", segment_name(name, w->first)) : 0;
}

int writer_flush(struct writer *w, struct err *err)
{
	int r = write_out(w, err);

	if (r == 0) /* again, where there is no new one */
		durable_appended(&w->durable, &w->commit, w->end.fd);
	return r;
}

/* ---- definitions -------------------------------------------------------- */

/* Reads the line of a definition back. */
static char *read_definition(const struct append *end, const struct catalog_entry *entry, struct err *err)
{
	char *line = malloc((size_t)entry->len + 1);

	if (!line) {
		err_set(err, -ENOMEM, "out of memory for a definition");
		return NULL;
	}
	if (append_read(end, entry->off, line, entry->len, err) < 0) {
		free(line);
		return NULL;
	}
	/* Written into the next segment it would get a right sum. */
	if (!catalog_is(entry, line)) {
		err_set(err, -EBADMSG,
		        "the newest segment is damaged: the definition at %llu is not what was written there",
		        (unsigned long long)entry->off);
		free(line);
		return NULL;
	}
	return line;
}

/* 1 where the table's definition in force says the same as the line. */
static int in_force(struct writer *w, const struct line_head *head, struct err *err)
{
	const struct catalog_entry *entry = catalog_find(&w->catalog, head);
	struct line_head stored;

	if (!entry)
		return 0;
	char *line = read_definition(&w->end, entry, err);
	if (!line)
		return -EIO;
	int same = line_parse(line, entry->len, &stored) && catalog_same(&stored, head);
	free(line);
	return same;
}

static int put_definition(struct writer *w, const char *line, size_t len, struct err *err)
{
	struct line_head head;
	uint64_t off = w->end.off;
	size_t at = w->end.len;
	int r = put(w, line, len, "", 0, err);

	if (r < 0)
		return r;
	size_t stored_len = w->end.len - at - 1;
	if (!line_parse(w->end.buf + at, stored_len, &head) ||
	    (r = catalog_put(&w->catalog, &head, off, w->end.buf + at, stored_len)) < 0)
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

	int n = snprintf(out, size,
	                 "_action\torigin\tsystem\t%llu\ttimeline\t%u\tdatabase\t%.*s\tslot\t%.*s\tgeneration\t%llu",
	                 (unsigned long long)origin->system, origin->timeline, (int)database_len, database,
	                 (int)slot_len, slot, (unsigned long long)origin->generation);
	return (size_t)n;
}
enum { ORIGIN_MAX = 2048 };

/* Of a table that is left out from now on, nothing that is in force would come in the next segments. */
static bool is_sent(const struct writer *w, const char *line, size_t len)
{
	char component[NAME_PATH_MAX];
	struct line_head head;

	return !w->tables || !*w->tables || !line_parse(line, len, &head) ||
	       name_listed(w->tables, component, name_of_pairs(component, head.table_pairs));
}

/* The definitions in force, copied from the segment that ends. */
static int put_definitions(struct writer *w, const struct append *old_end, const struct catalog *old, struct err *err)
{
	catalog_sort(old->entries, old->count); /* which is not needed as a catalog any more */
	for (size_t i = 0; i < old->count; i++) {
		char *line = read_definition(old_end, &old->entries[i], err);
		if (!line)
			return -EIO;
		char *bare = malloc((size_t)old->entries[i].len + 1);
		size_t len = bare ? strip_definition(line, old->entries[i].len, bare) : 0;
		int r = !len                    ? err_set(err, -EIO, "a definition in force cannot be read back")
		        : is_sent(w, bare, len) ? put_definition(w, bare, len, err)
		                                : 0;
		free(bare);
		free(line);
		if (r < 0)
			return r;
	}
	return 0;
}

static void drop_note(struct writer *w)
{
	free(w->note);
	free(w->tables);
	w->note = w->tables = NULL;
}

/* Starts the next segment: all of the one before is synced. */
static int roll(struct writer *w, struct err *err)
{
	char name[SEGMENT_NAME_MAX], text[ORIGIN_MAX];
	struct position first = next_position(w->last, w->second);
	struct append old_end = {.off = w->end.off};
	struct catalog old = w->catalog;
	int dirfd = store_segments_dirfd(w->store);
	int fd = openat(dirfd, segment_name(name, first), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_errno(err, "creating segments/%s", name);
	old_end.fd = append_switch(&w->end, fd);
	w->catalog = (struct catalog){0};
	w->first = first;
	w->has_commit = w->roll = false;
	size_t len = print_origin(text, sizeof text, &w->origin);
	int r = put(w, text, len, "", 0, err);
	if (r == 0)
		r = put_definitions(w, &old_end, &old, err);
	if (r == 0 && w->note)
		r = put(w, w->note, w->note_len, "", 0, err);
	if (r == 0)
		drop_note(w);
	catalog_fini(&old);
	close(old_end.fd);
	return r;
}

int writer_begin(struct writer *w, uint64_t second, struct err *err)
{
	int r;

	w->second = second < w->last.epoch ? w->last.epoch : second;
	if (w->has_commit && (w->roll || w->end.off >= w->segment_bytes || w->second / DAY != w->first.epoch / DAY)) {
		if ((r = writer_flush(w, err)) < 0)
			return r;
		if (!durable_reached(&w->durable, w->commit.last))
			return err_set(err, -EAGAIN, "the full segment is being synced");
		if ((r = roll(w, err)) < 0)
			return r;
	}
	w->mark = append_mark(&w->end);
	w->before = w->last;
	w->open = true;
	w->catalog_changed = false;
	return 0;
}

/* With a replica identity, what comes can be placed again. */
static void forget_unplaced(struct writer *w, const struct line_head *head)
{
	if (head->key.at && !line_is_null(head->key))
		unplaced_remove(&w->unplaced, head);
}

int writer_line(struct writer *w, const char *line, size_t len, const struct line_head *head, struct err *err)
{
	int r;

	if (w->end.len >= FLUSH_LEN && (r = write_out(w, err)) < 0)
		return r;
	bool drop = span_is(head->action, "drop");
	if (!drop && !span_is(head->action, "schema")) {
		if (catalog_unplaced(&w->catalog, head) && unplaced_add(&w->unplaced, head) < 0)
			return err_set(err, -ENOMEM, "out of memory for a table's name");
		return put(w, line, len, "", 0, err);
	}

	if (!drop && (r = in_force(w, head, err)) != 0)
		return r < 0 ? r : 0;
	if (!w->catalog_changed) {
		if (catalog_copy(&w->catalog_before, &w->catalog) < 0)
			return err_set(err, -ENOMEM, "out of memory for the definitions");
		w->catalog_changed = true;
	}
	if (!drop) {
		forget_unplaced(w, head);
		return put_definition(w, line, len, err);
	}
	catalog_drop(&w->catalog, head);
	unplaced_remove(&w->unplaced, head);
	return put(w, line, len, "", 0, err);
}

int writer_commit(struct writer *w, const char *line, size_t len, uint64_t lsn, struct err *err)
{
	static const char tail[] = "\tcrc\t01234567";
	enum { DIGITS = 8, NEWLINE = 1, PAIR = 4 + DIGITS + NEWLINE };
	int r;

	if (w->end.len >= FLUSH_LEN && (r = write_out(w, err)) < 0)
		return r;
	if ((r = put(w, line, len, tail, sizeof tail - 1, err)) < 0)
		return r;
	crc_print(w->end.buf + w->end.len - DIGITS - NEWLINE, append_sum(&w->end, PAIR));
	append_restart_sum(&w->end);

	w->open = false;
	w->has_commit = true;
	w->commit = (struct store_end){w->first, w->end.off, w->last, lsn, w->origin, crc32c(0, line, len)};
	return 0;
}

int writer_rollback(struct writer *w, struct err *err)
{
	if (!w->open)
		return 0;
	int r = append_back(&w->end, w->mark, err);
	if (r < 0)
		return r;
	w->last = w->before;
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

int writer_note(struct writer *w, const char *line, size_t len, const char *tables)
{
	drop_note(w);
	w->note = malloc(len);
	w->tables = strdup(tables);
	w->note_len = len;
	if (!w->note || !w->tables) {
		drop_note(w);
		return -ENOMEM;
	}
	memcpy(w->note, line, len);
	w->roll = true;
	return 0;
}

struct position writer_appended(const struct writer *w)
{
	return w->commit.last;
}

uint64_t writer_appended_lsn(const struct writer *w)
{
	return w->commit.lsn;
}

uint32_t writer_appended_sum(const struct writer *w)
{
	return w->commit.sum;
}

const struct unplaced *writer_unplaced(const struct writer *w)
{
	return &w->unplaced;
}

struct durable *writer_durable(struct writer *w)
{
	return &w->durable;
}

/* ---- opening ------------------------------------------------------------ */

/* What one line of the newest segment does to the definitions in force. */
static int read_line(struct writer *w, const struct line_head *head, uint64_t off, const char *line, size_t len)
{
	if (span_is(head->action, "schema")) {
		forget_unplaced(w, head);
		return catalog_put(&w->catalog, head, off, line, len);
	}
	if (span_is(head->action, "drop")) {
		catalog_drop(&w->catalog, head);
		unplaced_remove(&w->unplaced, head);
	}
	return catalog_unplaced(&w->catalog, head) ? unplaced_add(&w->unplaced, head) : 0;
}

/* Finds the definitions in force in the newest segment. */
static int read_catalog(struct writer *w, uint64_t len, struct err *err)
{
	struct scan scan;
	const char *line;
	size_t line_len;
	uint64_t off;
	int r = scan_init(&scan, w->end.fd, 0, len, err);

	if (r < 0)
		return r;
	while ((r = scan_next(&scan, &line, &line_len, &off, err)) == 1) {
		struct line_head head;
		if (line_parse(line, line_len, &head) && (r = read_line(w, &head, off, line, line_len)) < 0) {
			err_set(err, r, "the %.*s line at %llu cannot be read", (int)head.action.len, head.action.at,
			        (unsigned long long)off);
			break;
		}
	}
	scan_fini(&scan);
	return r;
}

int writer_open(struct writer **out, struct store *store, uint64_t segment_bytes, struct err *err)
{
	struct writer *w = calloc(1, sizeof *w);

	*out = NULL;
	if (!w)
		return err_set(err, -ENOMEM, "out of memory");
	w->store = store;
	w->segment_bytes = segment_bytes;
	store_end(store, &w->commit);
	w->first = w->commit.first;
	w->last = w->commit.last;
	w->origin = w->commit.origin;
	w->has_commit = true;
	durable_init(&w->durable, store, &w->commit);

	int fd = fcntl(segments_last(store_segments(store))->fd, F_DUPFD_CLOEXEC, 0);
	int r = append_init(&w->end, fd, w->commit.off, err);
	if (r == 0 && fd < 0)
		r = err_errno(err, "opening the newest segment");
	if (r == 0)
		r = read_catalog(w, w->commit.off, err);
	/* What the store opened with is on disk: from now on its loss is damage. And what
	 * the mark says of idle WAL may have been read from memory, unsynced before a
	 * kill: written anew it holds. */
	if (r == 0)
		r = durable_mark(&w->durable, err);
	/* A full disk did not take it. */
	if (r == 0 && position_cmp(store_confirmed(store)->now.last, w->commit.last) < 0 &&
	    reserve_release(store_dirfd(store)))
		r = durable_mark(&w->durable, err);
	confirmed_set_time(store_confirmed(store), store_confirmed(store)->written); /* it says nothing that is new */
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
	durable_fini(&w->durable);
	append_fini(&w->end);
	catalog_fini(&w->catalog);
	catalog_fini(&w->catalog_before);
	unplaced_fini(&w->unplaced);
	drop_note(w);
	free(w);
}

int writer_origin(int segments_dirfd, struct position after, uint64_t second, const struct origin *origin, uint64_t xid,
                  uint64_t lsn, const char *time, struct err *err)
{
	char text[ORIGIN_MAX], name[SEGMENT_NAME_MAX], temporary[SEGMENT_NAME_MAX + 4], lsn_text[LSN_TEXT_MAX];
	struct writer w = {.last = after, .second = second < after.epoch ? after.epoch : second};

	segment_name(name, next_position(after, w.second));
	snprintf(temporary, sizeof temporary, "%s.new", name);
	int fd = openat(segments_dirfd, temporary, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(err, "creating segments/%s", temporary);
	int r = append_init(&w.end, fd, 0, err);
	if (r == 0)
		r = put(&w, text, print_origin(text, sizeof text, origin), "", 0, err);
	int n = snprintf(text, sizeof text, "_xid\t%llu\t_action\tcommit\tlsn\t%s\ttime\t%s", (unsigned long long)xid,
	                 lsn_print(lsn_text, lsn), time);
	if (r == 0)
		r = writer_commit(&w, text, (size_t)n, lsn, err);
	if (r == 0)
		r = err_prefix(err, append_write(&w.end, err), "segments/%s", temporary);
	if (r == 0 && (fsync(fd) < 0 || renameat(segments_dirfd, temporary, segments_dirfd, name) < 0 ||
	               fsync(segments_dirfd) < 0))
		r = err_errno(err, "writing segments/%s", name);
	if (r < 0)
		unlinkat(segments_dirfd, temporary, 0);
	append_fini(&w.end);
	return r;
}
