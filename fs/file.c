#include "file.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "status.h"

struct file {
	enum node_kind kind;
	pthread_mutex_t lock; /* the view's cursor */
	struct view view;
	uint64_t base, len; /* NODE_LINE: where it is in the stream */
	struct store *store;
	char *text; /* NODE_STATUS: as it was when opened */
};

bool file_grows(const struct node *node)
{
	return node->kind != NODE_LINE;
}

static size_t print_status(const struct shown *shown, char *text)
{
	struct ingest_status status;

	shown->status(shown->ctx, &status);
	return status_print(text, STATUS_MAX, shown->store, &status);
}

/* The view behind a growing file. 0: there is no such table (yet). */
static int view_of(const struct shown *shown, const struct node *node, struct view *view, struct err *err)
{
	struct table *table = NULL;

	if (node->table) {
		int r = table_get(shown->tables, node->table, &table, err);
		if (r <= 0)
			return r;
	}
	view_init(view, shown->store, table, node->position);
	return 1;
}

static int look_up(const struct shown *shown, struct position position, struct place *place, struct err *err)
{
	int r = find_line(shown->store, position, place, err);

	if (r < 0)
		return r;
	return r == 1 && position_cmp(place->position, position) == 0 ? 0 : -ENOENT;
}

static int stat_dir(const struct shown *shown, const struct node *node, struct stat *st, struct err *err)
{
	struct place place;
	struct store_end end;

	store_end(shown->store, &end);
	st->st_mode = S_IFDIR | 0555;
	st->st_nlink = 2;
	st->st_mtime = (time_t)end.last.epoch;
	if (node->kind != NODE_SECOND)
		return 0;
	st->st_mtime = (time_t)node->position.epoch;
	int r = find_line(shown->store, (struct position){node->position.epoch, 0}, &place, err);
	if (r < 0)
		return r;
	return r == 1 && place.position.epoch == node->position.epoch ? 0 : -ENOENT;
}

static int stat_growing(const struct shown *shown, const struct node *node, struct stat *st, struct err *err)
{
	struct view view;
	uint64_t len, last_epoch;
	int r = view_of(shown, node, &view, err);

	if (r <= 0)
		return r < 0 ? r : -ENOENT;
	if ((r = view_stat(&view, &len, &last_epoch, err)) < 0)
		return r;
	st->st_size = (off_t)len;
	st->st_mtime = (time_t)last_epoch;
	return 0;
}

int file_stat(const struct shown *shown, const struct node *node, struct stat *st, struct err *err)
{
	char text[STATUS_MAX];
	struct place place;
	int r = 0;

	*st = (struct stat){.st_blksize = 1 << 20};
	if (node_is_dir(node)) {
		r = stat_dir(shown, node, st, err);
	} else {
		st->st_mode = S_IFREG | 0444;
		st->st_nlink = 1;
		if (node->kind == NODE_STATUS) {
			st->st_size = (off_t)print_status(shown, text);
			st->st_mtime = time(NULL);
		} else if (node->kind == NODE_LINE) {
			if ((r = look_up(shown, node->position, &place, err)) == 0)
				st->st_size = (off_t)place.len;
			st->st_mtime = (time_t)node->position.epoch;
		} else {
			r = stat_growing(shown, node, st, err);
		}
	}
	st->st_blocks = (st->st_size + 511) / 512;
	st->st_atime = st->st_ctime = st->st_mtime;
	return r;
}

static int open_line(struct file *file, const struct shown *shown, const struct node *node, struct err *err)
{
	struct place place;
	int r = look_up(shown, node->position, &place, err);

	if (r == 0) {
		file->base = find_offset(shown->store, &place);
		file->len = place.len;
	}
	return r;
}

static int open_status(struct file *file, const struct shown *shown, struct err *err)
{
	if (!(file->text = malloc(STATUS_MAX)))
		return err_set(err, -ENOMEM, "out of memory");
	file->len = print_status(shown, file->text);
	return 0;
}

int file_open(struct file **out, const struct shown *shown, const struct node *node, struct err *err)
{
	struct file *file = calloc(1, sizeof *file);
	int r;

	*out = NULL;
	if (!file)
		return err_set(err, -ENOMEM, "out of memory");
	file->kind = node->kind;
	file->store = shown->store;
	pthread_mutex_init(&file->lock, NULL);
	if (node->kind == NODE_LINE)
		r = open_line(file, shown, node, err);
	else if (node->kind == NODE_STATUS)
		r = open_status(file, shown, err);
	else if ((r = view_of(shown, node, &file->view, err)) >= 0)
		r = r == 0 ? -ENOENT : 0;
	if (r < 0) {
		file_close(file);
		return r;
	}
	*out = file;
	return 0;
}

void file_close(struct file *file)
{
	pthread_mutex_destroy(&file->lock);
	free(file->text);
	free(file);
}

long file_read(struct file *file, uint64_t off, char *buf, size_t len, struct err *err)
{
	if (file->kind == NODE_LINE || file->kind == NODE_STATUS) {
		if (off >= file->len)
			return 0;
		if (len > file->len - off)
			len = (size_t)(file->len - off);
		if (file->kind == NODE_LINE)
			return store_read(file->store, file->base + off, buf, len, err);
		memcpy(buf, file->text + off, len);
		return (long)len;
	}
	pthread_mutex_lock(&file->lock);
	long n = view_read(&file->view, off, buf, len, err);
	pthread_mutex_unlock(&file->lock);
	return n;
}

int file_len(struct file *file, uint64_t *len, struct err *err)
{
	uint64_t last_epoch;

	*len = file->len;
	if (file->kind == NODE_LINE || file->kind == NODE_STATUS)
		return 0;
	pthread_mutex_lock(&file->lock);
	int r = view_stat(&file->view, len, &last_epoch, err);
	pthread_mutex_unlock(&file->lock);
	return r;
}
