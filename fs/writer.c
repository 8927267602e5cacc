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
#include "noted.h"
#include "origin.h"
#include "reserve.h"
#include "stamp.h"

static const char crc_pair[] = "\tcrc\t01234567";

enum {
	CRC_DIGITS = 8,
	CRC_LEN = sizeof crc_pair - 1, /* with the tab that is summed as well */
	DAY = 86400,
};

struct writer {
	struct store *store;
	uint64_t segment_bytes;
	struct durable durable;

	struct append end;     /* of the newest segment */
	struct noted noted;    /* of its lines that are not handed to `durable` yet */
	struct position first; /* of the newest segment */
	struct position last;  /* of the last line */
	struct stamp stamp;    /* as it was printed */
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
	struct position before;  /* `last`, as it is between transactions */
	struct store_end commit; /* the last one, written or not */
	size_t unsummed;         /* its line's length as it came, until its sums are taken */
	struct position handed;  /* the last one that `durable` has */
};

/* ---- lines -------------------------------------------------------------- */

/* Appends a stamped line in pieces: `line`, then `tail`, then '\n'. `head`: as index_line's. */
static int put(struct writer *w, const char *line, size_t len, const char *tail, size_t tail_len,
               const struct line_head *head, struct err *err)
{
	char *out = append_room(&w->end, STAMP_MAX + len + tail_len + 1, err);

	if (!out)
		return -ENOMEM;
	w->last = stamp_next(w->last, w->second);
	size_t n = stamp_print_next(&w->stamp, out, w->last);
	memcpy(out + n, line, len);
	n += len;
	memcpy(out + n, tail, tail_len);
	n += tail_len;
	out[n++] = '\n';
	append_added(&w->end, n);
	return noted_line(&w->noted, n, w->last, head, err);
}

/* The last commit's sums: when the next transaction begins, since of bytes that have just been put there the processor would
 * have to wait. */
static void sum_commit(struct writer *w)
{
	if (w->unsummed == 0)
		return;
	char *end = w->end.buf + w->end.len - 1; /* its '\n' */
	crc_print(end - CRC_DIGITS, append_sum(&w->end, CRC_LEN));
	append_restart_sum(&w->end);
	w->commit.sum = crc32c(0, end - CRC_LEN - w->unsummed, w->unsummed);
	w->unsummed = 0;
}

static int write_out(struct writer *w, int (*write)(struct append *, struct err *), struct err *err)
{
	char name[SEGMENT_NAME_MAX];

	sum_commit(w);
	int r = noted_sum(&w->noted, err);
	if (r == 0)
		r = write(&w->end, err);
	if (r < 0)
		return err_prefix(err, r, "segments/%s", segment_name(name, w->first));
	durable_written(&w->durable, w->end.off - w->end.len, w->end.fd);
	return 0;
}

/* Before another line. */
static int write_blocks(struct writer *w, struct err *err)
{
	return w->end.len < APPEND_BLOCK ? 0 : write_out(w, append_write_blocks, err);
}

bool writer_has_new(const struct writer *w)
{
	return position_cmp(w->handed, w->commit.last) != 0;
}

int writer_flush(struct writer *w, struct err *err)
{
	struct index *more;
	int r = write_out(w, append_write, err);

	if (r < 0 || !writer_has_new(w))
		return r;
	if ((r = noted_take(&w->noted, w->commit.off, &more, err)) < 0)
		return r;
	w->handed = w->commit.last;
	return durable_appended(&w->durable, &w->commit, w->end.fd, more, err);
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

int writer_has(struct writer *w, const struct line_head *head, struct err *err)
{
	const struct catalog_entry *entry = span_is(head->action, "schema") ? catalog_find(&w->catalog, head) : NULL;
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

bool writer_knows(const struct writer *w, const struct line_head *head)
{
	return catalog_find(&w->catalog, head);
}

static int put_definition(struct writer *w, const char *line, size_t len, const struct line_head *bare, struct err *err)
{
	struct line_head head;
	uint64_t off = w->end.off;
	size_t at = w->end.len;
	int r = put(w, line, len, "", 0, bare, err);

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
static size_t strip_definition(const char *line, size_t len, char *out, struct line_head *bare)
{
	struct line_head head;

	if (!line_parse(line, len, &head) || !head.table_pairs.at || !head.relid.at)
		return 0;
	const char *said = head.relid.at - strlen("_relid\t");
	size_t n = head.table_pairs.len;
	memcpy(out, head.table_pairs.at, n);
	out[n++] = '\t';
	memcpy(out + n, said, (size_t)(line + len - said));
	n += (size_t)(line + len - said);
	return line_parse(out, n, bare) ? n : 0;
}

/* ---- segments ----------------------------------------------------------- */

/* Of a table that is left out from now on, nothing that is in force would come in the next segments. */
static bool is_sent(const struct writer *w, const struct line_head *head)
{
	char component[NAME_PATH_MAX];

	return !w->tables || !*w->tables ||
	       name_listed(w->tables, component, name_of_pairs(component, head->table_pairs));
}

/* The definitions in force, copied from the segment that ends. */
static int put_definitions(struct writer *w, const struct append *old_end, const struct catalog *old, struct err *err)
{
	catalog_sort(old->entries, old->count); /* which is not needed as a catalog any more */
	for (size_t i = 0; i < old->count; i++) {
		char *line = read_definition(old_end, &old->entries[i], err);
		if (!line)
			return -EIO;
		struct line_head head;
		char *bare = malloc((size_t)old->entries[i].len + 1);
		size_t len = bare ? strip_definition(line, old->entries[i].len, bare, &head) : 0;
		int r = !len                ? err_set(err, -EIO, "a definition in force cannot be read back")
		        : is_sent(w, &head) ? put_definition(w, bare, len, &head, err)
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
	struct position first = stamp_next(w->last, w->second);
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
	noted_fini(&w->noted);
	size_t len = origin_print(text, sizeof text, &w->origin);
	int r = noted_init(&w->noted, &w->end, (struct index_end){0}, err);
	if (r == 0)
		r = put(w, text, len, "", 0, &(struct line_head){0}, err);
	if (r == 0)
		r = put_definitions(w, &old_end, &old, err);
	if (r == 0 && w->note)
		r = put(w, w->note, w->note_len, "", 0, &(struct line_head){0}, err);
	if (r == 0)
		drop_note(w);
	w->before = w->last;
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
	sum_commit(w);
	w->mark = append_mark(&w->end);
	w->open = true;
	w->catalog_changed = false;
	return 0;
}

int writer_line(struct writer *w, const char *line, size_t len, const struct line_head *head, struct err *err)
{
	int r;

	if ((r = write_blocks(w, err)) < 0)
		return r;
	bool drop = span_is(head->action, "drop"), schema = span_is(head->action, "schema");
	if (schema && (r = writer_has(w, head, err)) != 0)
		return r < 0 ? r : 0;
	if (unplaced_line(&w->unplaced, &w->catalog, head) < 0)
		return err_set(err, -ENOMEM, "out of memory for a table's name");
	if (!drop && !schema)
		return put(w, line, len, "", 0, head, err);
	if (!w->catalog_changed) {
		if (catalog_copy(&w->catalog_before, &w->catalog) < 0)
			return err_set(err, -ENOMEM, "out of memory for the definitions");
		w->catalog_changed = true;
	}
	if (schema)
		return put_definition(w, line, len, head, err);
	catalog_drop(&w->catalog, head);
	return put(w, line, len, "", 0, head, err);
}

int writer_row(struct writer *w, const char *line, size_t len, struct err *err)
{
	int r = write_blocks(w, err);

	return r < 0 ? r : put(w, line, len, "", 0, NULL, err);
}

int writer_commit(struct writer *w, const char *line, size_t len, const struct line_head *head, uint64_t lsn,
                  struct err *err)
{
	int r;

	if ((r = write_blocks(w, err)) < 0)
		return r;
	if ((r = put(w, line, len, crc_pair, CRC_LEN, head, err)) < 0)
		return r;

	w->open = false;
	w->has_commit = true;
	if (position_cmp(w->commit.first, w->first) != 0)
		w->commit.origin = w->origin; /* half a kilobyte, and another one only in another segment */
	w->commit.first = w->first;
	w->commit.off = w->end.off;
	w->commit.last = w->before = w->last;
	w->commit.lsn = lsn;
	w->unsummed = len;
	return 0;
}

int writer_rollback(struct writer *w, struct err *err)
{
	if (!w->open)
		return 0;
	int r = append_back(&w->end, w->mark, err);
	if (r < 0 || (r = noted_back(&w->noted, err)) < 0)
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

uint32_t writer_appended_sum(struct writer *w)
{
	sum_commit(w);
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
	w->last = w->before = w->commit.last;
	w->origin = w->commit.origin;
	w->has_commit = true;
	w->handed = w->last;
	durable_init(&w->durable, store, &w->commit);

	const struct segment *newest = segments_last(store_segments(store));
	int fd = fcntl(newest->fd, F_DUPFD_CLOEXEC, 0);
	int r = append_init(&w->end, fd, w->commit.off, err);
	if (r == 0 && fd < 0)
		r = err_errno(err, "opening the newest segment");
	if (r == 0)
		r = noted_init(&w->noted, &w->end, index_end(newest->index), err);
	if (r == 0 && catalog_copy(&w->catalog, &store_defined(store)->catalog) < 0)
		r = err_set(err, -ENOMEM, "out of memory for the definitions");
	w->unplaced = store_take_unplaced(store);
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
	noted_fini(&w->noted);
	append_fini(&w->end);
	catalog_fini(&w->catalog);
	catalog_fini(&w->catalog_before);
	unplaced_fini(&w->unplaced);
	drop_note(w);
	free(w);
}
