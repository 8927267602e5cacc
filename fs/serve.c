#include "serve.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <utlist.h>

#include "dir.h"
#include "log.h"

static const double for_good = 86400.0, for_a_while = 60.0;

/* An open file or folder, and who polls it. */
struct open_file {
	struct file *file; /* or */
	struct dir *dir;
	uint64_t served; /* the end of what was read so far */
	struct fuse_pollhandle *poll;
	struct open_file *prev, *next;               /* of all that are open */
	struct open_file *polled_prev, *polled_next; /* of those with `poll` */
};

static struct serve *of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* ENOENT is an answer; all else is worth a line in the log. */
static void reply_error(fuse_req_t req, int r, const struct err *err)
{
	if (r != -ENOENT && r != -ESTALE)
		log_error("%s", err->text);
	fuse_reply_err(req, -r);
}

/* ---- names and attributes ----------------------------------------------- */

static int stat_node(struct serve *serve, const struct node *node, uint64_t ino, struct stat *st, struct err *err)
{
	int r = file_stat(serve->shown, node, st, err);

	st->st_ino = ino;
	st->st_uid = serve->uid;
	st->st_gid = serve->gid;
	return r;
}

/* What never changes may be cached; a snapshot is removed one day. */
static double attr_timeout(const struct node *node)
{
	return node->kind == NODE_LINE ? for_good : node_in_snapshot(node) ? for_a_while : 0;
}

/* What a name means may change (file_pin). */
static double entry_timeout(const struct node *node)
{
	if (node->kind == NODE_LATEST || node->kind == NODE_LIVE || node->kind == NODE_TABLE)
		return 0;
	return node_is_dir(node) && !node_in_snapshot(node) && node->kind != NODE_SECOND ? for_good : for_a_while;
}

static void fill_entry(struct fuse_entry_param *entry, const struct node *node, uint64_t ino)
{
	entry->ino = ino;
	entry->entry_timeout = entry_timeout(node);
	entry->attr_timeout = attr_timeout(node);
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent_ino, const char *name)
{
	struct serve *serve = of(req);
	struct fuse_entry_param entry = {0};
	struct node parent, node;
	struct err err = {""};

	if (!tree_node(serve->tree, parent_ino, &parent)) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	if (!tree_child(&parent, name, &node)) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	file_pin(serve->shown, &node);
	int r = stat_node(serve, &node, 0, &entry.attr, &err);
	if (r < 0) {
		reply_error(req, r, &err);
		return;
	}
	uint64_t ino = tree_ino(serve->tree, &node);
	if (!ino) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	entry.attr.st_ino = ino;
	fill_entry(&entry, &node, ino);
	if (fuse_reply_entry(req, &entry) < 0)
		tree_forget(serve->tree, ino, 1);
}

static void on_forget(fuse_req_t req, fuse_ino_t ino, uint64_t lookups)
{
	tree_forget(of(req)->tree, ino, lookups);
	fuse_reply_none(req);
}

static void on_forget_multi(fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		tree_forget(of(req)->tree, forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(req);
}

static void on_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct serve *serve = of(req);
	struct node node;
	struct stat st;
	struct err err = {""};
	int r;

	(void)info;
	if (!tree_node(serve->tree, ino, &node))
		r = -ESTALE;
	else
		r = stat_node(serve, &node, ino, &st, &err);
	if (r < 0)
		reply_error(req, r, &err);
	else
		fuse_reply_attr(req, &st, attr_timeout(&node));
}

static void on_readlink(fuse_req_t req, fuse_ino_t ino)
{
	struct serve *serve = of(req);
	char target[POSITION_TEXT_MAX];
	struct node node;
	struct err err = {""};
	int r = -ESTALE;

	if (tree_node(serve->tree, ino, &node))
		r = node.kind == NODE_LATEST ? file_link(serve->shown, target, &err) : -EINVAL;
	if (r < 0)
		reply_error(req, r, &err);
	else
		fuse_reply_readlink(req, target);
}

static void on_statfs(fuse_req_t req, fuse_ino_t ino)
{
	struct statvfs st;

	(void)ino;
	if (fstatvfs(store_dirfd(of(req)->shown->store), &st) < 0) {
		fuse_reply_err(req, errno);
		return;
	}
	st.f_namemax = 255;
	fuse_reply_statfs(req, &st);
}

/* ---- files -------------------------------------------------------------- */

static struct open_file *handle(const struct fuse_file_info *info)
{
	return (struct open_file *)(uintptr_t)info->fh;
}

static struct open_file *new_handle(struct serve *serve)
{
	struct open_file *open = calloc(1, sizeof *open);

	if (open) {
		pthread_mutex_lock(&serve->lock);
		DL_APPEND(serve->open, open);
		pthread_mutex_unlock(&serve->lock);
	}
	return open;
}

/* Out of the list of the polled; under the lock. Returns what to notify. */
static struct fuse_pollhandle *take_poll(struct serve *serve, struct open_file *open)
{
	struct fuse_pollhandle *poll = open->poll;

	if (poll)
		DL_DELETE2(serve->polled, open, polled_prev, polled_next);
	open->poll = NULL;
	return poll;
}

static void free_handle(struct serve *serve, struct open_file *open)
{
	pthread_mutex_lock(&serve->lock);
	DL_DELETE(serve->open, open);
	struct fuse_pollhandle *poll = take_poll(serve, open);
	pthread_mutex_unlock(&serve->lock);
	if (poll)
		fuse_pollhandle_destroy(poll);
	if (open->file)
		file_close(open->file);
	if (open->dir)
		dir_close(open->dir);
	free(open);
}

static void on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct serve *serve = of(req);
	struct open_file *open = new_handle(serve);
	struct node node;
	struct err err = {"out of memory"};
	int r = open ? 0 : -ENOMEM;

	if (r == 0 && (info->flags & O_ACCMODE) != O_RDONLY)
		r = -EROFS;
	else if (r == 0 && !tree_node(serve->tree, ino, &node))
		r = -ESTALE;
	else if (r == 0)
		r = file_open(&open->file, serve->shown, &node, &err);
	if (r < 0) {
		if (open)
			free_handle(serve, open);
		if (r == -EROFS)
			fuse_reply_err(req, EROFS);
		else
			reply_error(req, r, &err);
		return;
	}
	info->fh = (uint64_t)(uintptr_t)open;
	info->direct_io = file_grows(&node);
	info->keep_cache = !file_grows(&node);
	if (fuse_reply_open(req, info) < 0)
		free_handle(serve, open);
}

static void on_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	(void)ino;
	free_handle(of(req), handle(info));
	fuse_reply_err(req, 0);
}

struct buffer {
	size_t size;
	char bytes[];
};

static char *thread_buffer(struct serve *serve, size_t size)
{
	struct buffer *buffer = pthread_getspecific(serve->buffer);

	if (buffer && buffer->size >= size)
		return buffer->bytes;
	free(buffer);
	buffer = malloc(sizeof *buffer + size);
	pthread_setspecific(serve->buffer, buffer);
	if (!buffer)
		return NULL;
	buffer->size = size;
	return buffer->bytes;
}

static void on_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *info)
{
	struct serve *serve = of(req);
	struct open_file *open = handle(info);
	struct err err = {""};
	char *buf = thread_buffer(serve, size);

	(void)ino;
	if (!buf || off < 0) {
		fuse_reply_err(req, buf ? EINVAL : ENOMEM);
		return;
	}
	long n = file_read(open->file, (uint64_t)off, buf, size, &err);
	if (n < 0) {
		reply_error(req, (int)n, &err);
		return;
	}
	pthread_mutex_lock(&serve->lock);
	if ((uint64_t)off + (uint64_t)n > open->served)
		open->served = (uint64_t)off + (uint64_t)n;
	pthread_mutex_unlock(&serve->lock);
	fuse_reply_buf(req, buf, (size_t)n);
}

/* ---- poll --------------------------------------------------------------- */

static void on_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info, struct fuse_pollhandle *poll)
{
	struct serve *serve = of(req);
	struct open_file *open = handle(info);
	struct fuse_pollhandle *old = NULL;
	uint64_t len = 0;
	struct err err = {""};

	(void)ino;
	pthread_mutex_lock(&serve->lock);
	uint64_t served = open->served;
	if (poll) {
		/* Before looking, so that what comes in between wakes. */
		old = take_poll(serve, open);
		open->poll = poll;
		DL_APPEND2(serve->polled, open, polled_prev, polled_next);
	}
	pthread_mutex_unlock(&serve->lock);
	if (old)
		fuse_pollhandle_destroy(old);
	int r = file_len(open->file, &len, &err);
	fuse_reply_poll(req, r < 0 || len > served ? POLLIN | POLLRDNORM : 0);
}

/* The kernel asks on_poll again whether it was theirs. */
void serve_notify(struct serve *serve)
{
	struct fuse_pollhandle *due[64];
	size_t count;

	do {
		pthread_mutex_lock(&serve->lock);
		for (count = 0; serve->polled && count < 64; count++)
			due[count] = take_poll(serve, serve->polled);
		pthread_mutex_unlock(&serve->lock);
		for (size_t i = 0; i < count; i++) {
			fuse_lowlevel_notify_poll(due[i]);
			fuse_pollhandle_destroy(due[i]);
		}
	} while (count == 64);
}

/* ---- folders ------------------------------------------------------------ */

static void on_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct serve *serve = of(req);
	struct open_file *open = new_handle(serve);
	struct node node;
	struct err err = {"out of memory"};
	int r = open ? 0 : -ENOMEM;

	if (r == 0)
		r = tree_node(serve->tree, ino, &node) ? dir_open(&open->dir, serve->shown, &node, &err) : -ESTALE;
	if (r < 0) {
		if (open)
			free_handle(serve, open);
		reply_error(req, r, &err);
		return;
	}
	info->fh = (uint64_t)(uintptr_t)open;
	if (fuse_reply_open(req, info) < 0)
		free_handle(serve, open);
}

/* What fill_dir writes to: the reply, and whether it carries attributes. */
struct listing {
	fuse_req_t req;
	struct serve *serve;
	uint64_t ino; /* of the folder */
	bool plus;
	char *buf;
	size_t size, len;
};

/* False where the reply is full. `cookie` is where the next entry starts. */
static bool add_entry(struct listing *list, const char *name, const struct node *node, uint64_t ino, uint64_t cookie)
{
	struct fuse_entry_param entry = {0};
	struct err err = {""};
	char *at = list->buf + list->len;
	size_t left = list->size - list->len, n;

	entry.attr.st_ino = ino;
	entry.attr.st_mode = node ? file_type(node) : S_IFDIR;
	if (!list->plus) {
		n = fuse_add_direntry(list->req, at, left, name, &entry.attr, (off_t)cookie);
	} else {
		/* "." and ".." are told without a look-up, and so is what cannot be had. */
		if (node && stat_node(list->serve, node, ino, &entry.attr, &err) == 0)
			fill_entry(&entry, node, ino);
		n = fuse_add_direntry_plus(list->req, at, left, name, &entry, (off_t)cookie);
		if (n <= left && entry.ino)
			tree_ino(list->serve->tree, node);
	}
	if (n > left)
		return false;
	list->len += n;
	return true;
}

/* Cookies 0 and 1 are "." and ".."; the folder's own start at 2. */
static int fill_dir(struct listing *list, struct dir *dir, uint64_t off, struct err *err)
{
	struct dir_entry *entry;
	int r = 1;

	if (off == 0 && !add_entry(list, ".", NULL, list->ino, ++off))
		return 0;
	if (off == 1 && !add_entry(list, "..", NULL, list->ino, ++off))
		return 0;
	if (!(entry = malloc(sizeof *entry)))
		return -ENOMEM;
	while ((r = dir_entry(dir, off - 2, entry, err)) == 1) {
		if (!add_entry(list, entry->name, &entry->node, tree_peek(list->serve->tree, &entry->node),
		               entry->cookie + 2))
			break;
		off = entry->cookie + 2;
	}
	free(entry);
	return r < 0 ? r : 0;
}

static void list_dir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, const struct fuse_file_info *info,
                     bool plus)
{
	struct serve *serve = of(req);
	struct listing list = {req, serve, ino, plus, thread_buffer(serve, size), size, 0};
	struct err err = {"out of memory"};
	int r = list.buf ? fill_dir(&list, handle(info)->dir, (uint64_t)off, &err) : -ENOMEM;

	if (r < 0 && list.len == 0)
		reply_error(req, r, &err);
	else
		fuse_reply_buf(req, list.buf, list.len);
}

static void on_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *info)
{
	list_dir(req, ino, size, off, info, false);
}

static void on_readdirplus(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *info)
{
	list_dir(req, ino, size, off, info, true);
}

static void on_init(void *userdata, struct fuse_conn_info *conn)
{
	(void)userdata;
	conn->max_write = 1 << 20; /* sets the most pages of a read, too */
	conn->want |= conn->capable & (FUSE_CAP_EXPORT_SUPPORT | FUSE_CAP_PARALLEL_DIROPS);
	/* Splicing a reply copies it by the page: several times slower. */
	conn->want &= ~(unsigned)(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
}

const struct fuse_lowlevel_ops serve_ops = {
    .init = on_init,
    .lookup = on_lookup,
    .forget = on_forget,
    .forget_multi = on_forget_multi,
    .getattr = on_getattr,
    .readlink = on_readlink,
    .statfs = on_statfs,
    .open = on_open,
    .read = on_read,
    .release = on_release,
    .poll = on_poll,
    .opendir = on_opendir,
    .readdir = on_readdir,
    .readdirplus = on_readdirplus,
    .releasedir = on_release,
};

int serve_init(struct serve *serve)
{
	*serve = (struct serve){.tree = tree_new(), .uid = getuid(), .gid = getgid()};
	if (!serve->tree)
		return -ENOMEM;
	pthread_mutex_init(&serve->lock, NULL);
	pthread_key_create(&serve->buffer, free);
	return 0;
}

void serve_fini(struct serve *serve)
{
	/* Of those who had files open while we were ended. */
	while (serve->open)
		free_handle(serve, serve->open);
	free(pthread_getspecific(serve->buffer));
	pthread_key_delete(serve->buffer);
	pthread_mutex_destroy(&serve->lock);
	tree_free(serve->tree);
}
