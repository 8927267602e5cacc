#include "file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "describe.h"
#include "name.h"
#include "part.h"

/* One of these. */
struct file {
	struct view *view;
	struct recent *recent; /* with a view; or NULL */
	char *text;            /* of /status, /metrics or a definition, as it was when opened */
	size_t len;
	struct part *part; /* in a snapshot */
};

/* The first second behind a file that is over one day; 0: it has no end. */
static uint64_t until_of(const struct node *node)
{
	return node->kind == NODE_SECOND_ALL ? node->position.epoch + 1
	       : node->kind == NODE_DAY      ? node->position.epoch + DAY_SECONDS
	                                     : 0;
}

bool file_is_final(const struct shown *shown, const struct node *node)
{
	uint64_t until = until_of(node);
	struct store_end end;

	if (!until)
		return node->kind == NODE_LINE || node_in_snapshot(node);
	store_end(shown->store, &end);
	return end.last.epoch >= until;
}

mode_t file_type(const struct node *node)
{
	return node_is_dir(node) ? S_IFDIR : node->kind == NODE_LATEST ? S_IFLNK : S_IFREG;
}

void file_pin(const struct shown *shown, struct node *node)
{
	if (node->kind == NODE_LIVE || node->kind == NODE_TABLE)
		node->position = segments_edge(store_segments(shown->store)).first;
}

/* What was there once and what never was: retention alone takes away. */
static int not_there(const struct shown *shown, struct position position)
{
	return find_given_up(shown->store, position) ? -ESTALE : -ENOENT;
}

/* ---- lines -------------------------------------------------------------- */

static int look_up(const struct shown *shown, struct position position, struct place *place, struct err *err)
{
	int r = find_line(shown->store, position, place, err);

	if (r < 0)
		return r;
	return r == 1 && position_cmp(place->position, position) == 0 ? 0 : not_there(shown, position);
}

/* The view behind a file of lines. 0: no line of its table is retained. */
static int key_of(const struct shown *shown, const struct node *node, struct view_key *key, struct err *err)
{
	struct place place;
	int r = 1;

	*key = (struct view_key){.start = node->position};
	if (node->table && (r = table_get(shown->tables, node->table, &key->table, err)) == 0 && !key->table)
		return -ENOENT;
	if (node->kind == NODE_LINE && (r = look_up(shown, node->position, &place, err)) == 0) {
		key->line_len = place.len;
		r = 1;
	}
	key->until.epoch = until_of(node);
	return r;
}

static int stat_lines(const struct shown *shown, const struct node *node, struct stat *st, struct err *err)
{
	struct view_key key;
	uint64_t len, last_epoch;
	int r = key_of(shown, node, &key, err), known;

	if (r < 0 || (known = view_stat(shown->views, &key, &len, &last_epoch, err)) < 0)
		return r < 0 ? r : known;
	if ((r == 0 || key.until.epoch > 0) && len == 0) /* else somebody has it open still */
		return -ENOENT;
	st->st_size = (off_t)len;
	st->st_mtime = (time_t)last_epoch;
	return 0;
}

/* ---- snapshots ---------------------------------------------------------- */

enum { PART_NAME_MAX = NAME_PATH_MAX + 16 };

static const char *part_name(char *part, const struct node *node)
{
	switch (node->kind) {
	case NODE_MANIFEST: return "manifest";
	case NODE_OVERLAP: return "overlap";
	case NODE_COPIES: return "tables";
	case NODE_COPY: snprintf(part, PART_NAME_MAX, "tables/%s", node->table); return part;
	default: return ".";
	}
}

void file_note_manifest(const struct shown *shown, struct position position, int r, const struct err *err)
{
	char text[POSITION_TEXT_MAX], name[POSITION_TEXT_MAX + 32];

	snprintf(name, sizeof name, "snapshots/%s/manifest", position_print(text, position));
	if (r == -EBADMSG)
		damage_note(store_damage(shown->store), name, err);
}

static int open_snapshot(const struct shown *shown, const struct node *node, struct err *err)
{
	char buf[PART_NAME_MAX];
	const char *part = part_name(buf, node);
	int fd = arrived_has(shown->arrived, node->position)
	             ? snapshots_open(store_dirfd(shown->store), node->position, part, err)
	             : -ENOENT;
	return fd == -ENOENT ? not_there(shown, node->position) : fd;
}

static int stat_snapshot(const struct shown *shown, const struct node *node, struct stat *st, struct err *err)
{
	struct stat own;
	int fd = open_snapshot(shown, node, err);

	if (fd < 0)
		return fd;
	int r = fstat(fd, &own) < 0 ? err_errno(err, "asking for a snapshot's file") : 0;
	close(fd);
	if (r < 0)
		return r;
	if (!node_is_dir(node))
		st->st_size = own.st_size;
	st->st_mtime = (time_t)node->position.epoch;
	return 0;
}

static int newest_snapshot(const struct shown *shown, struct position *newest, struct err *err)
{
	struct store_end end;

	store_end(shown->store, &end);
	int r = arrived_newest(shown->arrived, shown->store, end.origin.generation, newest, err);
	if (r == 1 && not_there(shown, *newest) == -ESTALE)
		r = 0;
	return r < 0 ? r : r == 0 ? -ENOENT : 0;
}

int file_link(const struct shown *shown, char target[POSITION_TEXT_MAX], struct err *err)
{
	struct position newest;
	int r = newest_snapshot(shown, &newest, err);

	if (r == 0)
		position_print(target, newest);
	return r;
}

static int stat_link(const struct shown *shown, struct stat *st, struct err *err)
{
	char target[POSITION_TEXT_MAX];
	struct position newest;
	int r = newest_snapshot(shown, &newest, err);

	if (r < 0)
		return r;
	st->st_size = (off_t)strlen(position_print(target, newest));
	st->st_mtime = (time_t)newest.epoch;
	return 0;
}

/* ---- attributes --------------------------------------------------------- */

static int stat_dir(const struct shown *shown, const struct node *node, struct stat *st, struct err *err)
{
	struct place place;
	struct store_end end;

	store_end(shown->store, &end);
	st->st_mtime = (time_t)end.last.epoch;
	if (node->kind != NODE_SECOND)
		return 0;
	st->st_mtime = (time_t)node->position.epoch;
	int r = find_line(shown->store, (struct position){node->position.epoch, 0}, &place, err);
	if (r < 0)
		return r;
	if (r == 1 && place.position.epoch == node->position.epoch)
		return 0;
	return not_there(shown, (struct position){node->position.epoch, UINT64_MAX});
}

static bool is_text(const struct node *node)
{
	return node->kind == NODE_STATUS || node->kind == NODE_METRICS;
}

static bool is_made(const struct node *node)
{
	return is_text(node) || node->kind == NODE_DEFINITION;
}

/* What is made when it is asked for, and its time. The caller frees. */
static int make_text(const struct shown *shown, const struct node *node, char **text, size_t *len, time_t *mtime,
                     struct err *err)
{
	struct position position;
	char *line;
	size_t line_len;
	int r;

	if (is_text(node)) {
		*mtime = time(NULL);
		*text = shown->text(shown->ctx, node->kind, len);
		return *text ? 0 : err_set(err, -ENOMEM, "out of memory");
	}
	if ((r = defined_line(store_defined(shown->store), node->table, &line, &line_len, err)) <= 0)
		return r < 0 ? r : -ENOENT;
	r = describe_line(line, line_len, text, len, &position, err);
	*mtime = (time_t)position.epoch;
	free(line);
	return r;
}

static int stat_text(const struct shown *shown, const struct node *node, struct stat *st, struct err *err)
{
	char *text = NULL;
	size_t len = 0;
	int r = make_text(shown, node, &text, &len, &st->st_mtime, err);

	free(text);
	st->st_size = (off_t)len;
	return r;
}

/* What `cat` and others read at once: much, where each time we are asked; what comes out of the kernel's cache is copied faster
 * to a buffer that fits into the processor's. */
static blksize_t read_size(bool cached)
{
	return cached ? 256 << 10 : 1 << 20;
}

int file_stat(const struct shown *shown, const struct node *node, struct stat *st, struct err *err)
{
	mode_t type = file_type(node);
	int r;

	*st = (struct stat){.st_blksize = read_size(file_is_final(shown, node))};
	st->st_mode = type | (type == S_IFDIR ? 0555 : type == S_IFREG ? 0444 : 0777);
	st->st_nlink = type == S_IFDIR ? 2 : 1;
	if (node_in_snapshot(node))
		r = stat_snapshot(shown, node, st, err);
	else if (node->kind == NODE_LATEST)
		r = stat_link(shown, st, err);
	else if (is_made(node))
		r = stat_text(shown, node, st, err);
	else if (type == S_IFDIR)
		r = stat_dir(shown, node, st, err);
	else
		r = stat_lines(shown, node, st, err);
	st->st_blocks = (st->st_size + 511) / 512;
	st->st_atime = st->st_ctime = st->st_mtime;
	return r;
}

/* ---- open files --------------------------------------------------------- */

static int open_lines(struct file *file, const struct shown *shown, const struct node *node, struct err *err)
{
	struct view_key key;
	uint64_t len, last_epoch;
	int r = key_of(shown, node, &key, err);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	if ((r = view_open(&file->view, shown->views, &key, err)) < 0)
		return r;
	if ((file->recent = shown->recent))
		recent_join(file->recent);
	if (key.until.epoch == 0)
		return 0;
	r = view_len(file->view, &len, &last_epoch, err);
	return r == 0 && len == 0 ? -ENOENT : r; /* nothing happened in that second, or on that day */
}

static int open_part(struct file *file, const struct shown *shown, const struct node *node, struct err *err)
{
	char name[PART_NAME_MAX];
	int r = part_open(&file->part, shown->parts, node->position, part_name(name, node), err);

	return r == -ENOENT ? not_there(shown, node->position) : r;
}

/* It has its own checksum, which is looked at. */
static int open_manifest(struct file *file, const struct shown *shown, const struct node *node, struct err *err)
{
	struct manifest manifest;
	int r = snapshots_text(store_dirfd(shown->store), node->position, &file->text, &file->len, &manifest, err);

	manifest_fini(&manifest);
	file_note_manifest(shown, node->position, r, err);
	return r == -ENOENT ? not_there(shown, node->position) : r;
}

int file_open(struct file **out, const struct shown *shown, const struct node *node, struct err *err)
{
	struct file *file = calloc(1, sizeof *file);
	time_t made;
	int r;

	*out = NULL;
	if (!file)
		return err_set(err, -ENOMEM, "out of memory");
	if (is_made(node))
		r = make_text(shown, node, &file->text, &file->len, &made, err);
	else if (node->kind == NODE_MANIFEST)
		r = open_manifest(file, shown, node, err);
	else if (node_in_snapshot(node))
		r = open_part(file, shown, node, err);
	else
		r = open_lines(file, shown, node, err);
	if (r < 0) {
		file_close(file);
		return r;
	}
	*out = file;
	return 0;
}

void file_close(struct file *file)
{
	if (file->recent)
		recent_leave(file->recent);
	if (file->view)
		view_close(file->view);
	if (file->part)
		part_close(file->part);
	free(file->text);
	free(file);
}

long file_peek(struct file *file, uint64_t off, char *buf, size_t len, struct err *err)
{
	if (file->view)
		return view_peek(file->view, off, buf, len, err);
	if (file->part)
		return part_read(file->part, off, buf, len, err);
	if (off >= file->len)
		return 0;
	if (len > file->len - off)
		len = (size_t)(file->len - off);
	memcpy(buf, file->text + off, len);
	return (long)len;
}

long file_some(struct file *file, uint64_t off, char *buf, size_t least, size_t most, struct err *err)
{
	return file->view ? view_some(file->view, off, buf, least, most, err) : file_peek(file, off, buf, least, err);
}

long file_beside(struct file *file, uint64_t off, char *buf, size_t len, struct err *err)
{
	return file->view ? view_beside(file->view, off, buf, len, err) : file_peek(file, off, buf, len, err);
}

bool file_recent(struct file *file, uint64_t off, size_t len, struct recent_got *got)
{
	return file->recent && view_recent(file->view, file->recent, off, len, got);
}

void file_release(struct file *file, struct recent_got *got)
{
	recent_release(file->recent, got);
}

void file_passed(struct file *file, uint64_t next)
{
	if (file->view)
		view_passed(file->view, next);
}

long file_read(struct file *file, uint64_t off, char *buf, size_t len, struct err *err)
{
	long n = file_peek(file, off, buf, len, err);

	if (n >= 0)
		file_passed(file, off + (uint64_t)n);
	return n;
}

int file_len(struct file *file, uint64_t *len, struct err *err)
{
	uint64_t last_epoch;

	if (file->view)
		return view_len(file->view, len, &last_epoch, err);
	*len = file->part ? part_len(file->part) : file->len;
	return 0;
}
