#include "serve.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "log.h"
#include "name.h"
#include "pace.h"
#include "recall.h"
#include "refuse.h"

static const double for_good = 86400.0, for_a_while = 60.0, for_a_moment = 5.0;

static struct serve *of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

/* ENOENT is an answer, damage was told when it was found; all else is worth a line in the log. */
static void reply_error(fuse_req_t req, int r, const struct err *err)
{
	if (r != -ENOENT && r != -ESTALE && r != -EBADMSG)
		log_error("%s", err->text);
	fuse_reply_err(req, r == -EBADMSG ? EIO : -r);
}

/* ---- names and attributes ----------------------------------------------- */

static bool is_span(const struct node *node)
{
	return node->kind == NODE_DAY || node->kind == NODE_SECOND_ALL;
}

/* What never changes may be cached; but what retention gives up must not be told of for long. */
static double attr_timeout(const struct node *node, bool final)
{
	if (!final)
		return 0;
	return node->kind == NODE_LINE ? for_good : is_span(node) ? for_a_moment : for_a_while;
}

static int stat_node(struct serve *serve, const struct node *node, uint64_t ino, struct stat *st, double *timeout,
                     struct err *err)
{
	*timeout = attr_timeout(node, file_is_final(serve->shown, node));
	int r = file_stat(serve->shown, node, st, err);

	st->st_ino = ino;
	st->st_uid = serve->uid;
	st->st_gid = serve->gid;
	return r;
}

/* What a name means may change (file_pin). */
static double entry_timeout(const struct node *node)
{
	if (node->kind == NODE_LATEST || node->kind == NODE_LIVE || node->kind == NODE_TABLE)
		return 0;
	if (is_span(node))
		return for_a_moment;
	return node_is_dir(node) && !node_in_snapshot(node) && node->kind != NODE_SECOND ? for_good : for_a_while;
}

static void fill_entry(struct fuse_entry_param *entry, const struct node *node, uint64_t ino)
{
	entry->ino = ino;
	entry->generation = tree_generation(ino, node);
	entry->entry_timeout = entry_timeout(node);
}

/* By name; or, where the kernel has but a number (an NFS server's, from before it forgot it or we were started
 * again), "." and "..". */
static bool look_up(const struct serve *serve, const struct node *parent, const char *name, struct node *node)
{
	if (strcmp(name, ".") == 0) {
		*node = *parent;
	} else if (strcmp(name, "..") == 0) {
		*node = tree_parent(parent);
	} else {
		if (!tree_child(parent, name, node))
			return false;
		file_pin(serve->shown, node);
	}
	return true;
}

static int enter(struct serve *serve, const struct node *node, struct fuse_entry_param *entry, struct err *err)
{
	int r = stat_node(serve, node, 0, &entry->attr, &entry->attr_timeout, err);

	if (r < 0)
		return r;
	uint64_t ino = tree_ino(serve->tree, node);
	if (!ino)
		return err_set(err, -ENOMEM, "out of memory");
	entry->attr.st_ino = ino;
	fill_entry(entry, node, ino);
	return 0;
}

/* A number that is not known any more. */
static int enter_again(struct serve *serve, fuse_ino_t ino, struct fuse_entry_param *entry, struct err *err)
{
	char name[NAME_PATH_MAX];
	struct node node = {0};
	int r = recall_node(serve->shown, serve->tree, ino, name, &node, err);

	return r == 1 ? enter(serve, &node, entry, err) : r == 0 ? -ESTALE : r;
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent_ino, const char *name)
{
	struct serve *serve = of(req);
	struct fuse_entry_param entry = {0};
	struct node parent, node;
	struct err err = {""};
	int r;

	if (tree_hold(serve->tree, parent_ino, &parent)) {
		r = look_up(serve, &parent, name, &node) ? enter(serve, &node, &entry, &err) : -ENOENT;
		tree_release(serve->tree, parent_ino);
	} else {
		r = strcmp(name, ".") == 0 ? enter_again(serve, parent_ino, &entry, &err) : -ESTALE;
	}
	if (r < 0)
		reply_error(req, r, &err);
	else if (fuse_reply_entry(req, &entry) < 0)
		tree_forget(serve->tree, entry.ino, 1);
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

static void reply_attr(fuse_req_t req, fuse_ino_t ino)
{
	struct serve *serve = of(req);
	struct node node;
	struct stat st;
	struct err err = {""};
	double timeout = 0;
	int r = -ESTALE;

	if (tree_hold(serve->tree, ino, &node)) {
		r = stat_node(serve, &node, ino, &st, &timeout, &err);
		tree_release(serve->tree, ino);
	}
	if (r < 0)
		reply_error(req, r, &err);
	else
		fuse_reply_attr(req, &st, timeout);
}

static void on_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	(void)info;
	reply_attr(req, ino);
}

/* Only announce may, and nothing is set: what it is for is the event. */
static void on_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set, struct fuse_file_info *info)
{
	(void)attr;
	(void)info;
	if (to_set == FUSE_SET_ATTR_MTIME && announce_is(of(req)->announce, fuse_req_ctx(req)->pid))
		reply_attr(req, ino);
	else
		fuse_reply_err(req, EROFS);
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

static struct handle *of_info(const struct fuse_file_info *info)
{
	return (struct handle *)(uintptr_t)info->fh;
}

/* Its node stays as long as the handle. */
static int new_handle(struct serve *serve, fuse_ino_t ino, struct node *node, struct handle **handle)
{
	if (!tree_hold(serve->tree, ino, node))
		return -ESTALE;
	if ((*handle = handle_new(&serve->handles)))
		return 0;
	tree_release(serve->tree, ino);
	return -ENOMEM;
}

static void free_handle(struct serve *serve, fuse_ino_t ino, struct handle *handle)
{
	if (!handle)
		return;
	handle_free(&serve->handles, handle);
	tree_release(serve->tree, ino);
}

static bool is_followed(const struct node *node)
{
	return node->kind == NODE_LIVE || node->kind == NODE_TABLE || node->kind == NODE_SINCE_LIVE ||
	       node->kind == NODE_SINCE_TABLE;
}

static void on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct serve *serve = of(req);
	struct handle *handle = NULL;
	struct node node;
	struct err err = {"out of memory"};

	if ((info->flags & O_ACCMODE) != O_RDONLY || info->flags & O_TRUNC) {
		fuse_reply_err(req, EROFS);
		return;
	}
	readahead_raise(&serve->readahead);
	int r = new_handle(serve, ino, &node, &handle);
	if (r == 0)
		r = file_open(&handle->file, serve->shown, &node, &err);
	if (r < 0) {
		free_handle(serve, ino, handle);
		reply_error(req, r, &err);
		return;
	}
	if (node.kind == NODE_SINCE_LIVE || node.kind == NODE_SINCE_TABLE)
		handle->ino = ino;
	handle_opened(&serve->handles, handle, is_followed(&node));
	info->fh = (uint64_t)(uintptr_t)handle;
	handle->direct = !file_is_final(serve->shown, &node);
	info->direct_io = handle->direct;
	info->keep_cache = !handle->direct;
	if (fuse_reply_open(req, info) < 0)
		free_handle(serve, ino, handle);
}

static void on_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	free_handle(of(req), ino, of_info(info));
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

static void reply_read(fuse_req_t req, struct handle *handle, const struct ahead_got *got, size_t n, uint64_t off,
                       size_t size)
{
	struct err err = {""};
	uint64_t end = off + n, len;
	/* `tail -f` asks for no more than what it knows to be there. */
	bool ended = n < size || (!got->more && file_len(handle->file, &len, &err) == 0 && end >= len);

	handle_served(&of(req)->handles, handle, end, ended);
	if (got->recent.len > 0)
		fuse_reply_iov(req, got->recent.pieces, (int)got->recent.count);
	else
		fuse_reply_buf(req, got->bytes, n);
}

static void on_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *info)
{
	struct handle *handle = of_info(info);
	struct err err = {""};
	char *buf = thread_buffer(of(req), size);
	struct ahead_got got = {.bytes = buf};
	bool direct = handle->direct; /* after the reply, what is not held may be released */

	(void)ino;
	pace_answer(handle_streams(&of(req)->handles));
	if (!buf || off < 0) {
		fuse_reply_err(req, buf ? EINVAL : ENOMEM);
		return;
	}
	/* Else the kernel reads ahead. */
	long n = direct ? ahead_read(&handle->ahead, handle->file, (uint64_t)off, buf, size, &got, &err)
	                : file_read(handle->file, (uint64_t)off, buf, size, &err);
	if (n < 0)
		reply_error(req, (int)n, &err);
	else
		reply_read(req, handle, &got, (size_t)n, (uint64_t)off, size);
	if (direct)
		ahead_go(&handle->ahead, handle->file, &got);
}

static void on_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info, struct fuse_pollhandle *poll)
{
	struct handle *handle = of_info(info);
	uint64_t served = handle_poll(&of(req)->handles, handle, poll), len = 0;
	struct err err = {""};

	(void)ino;
	pace_answer(handle_streams(&of(req)->handles));
	int r = file_len(handle->file, &len, &err);
	fuse_reply_poll(req, r < 0 || len > served ? POLLIN | POLLRDNORM : 0);
}

/* ---- folders ------------------------------------------------------------ */

static void on_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct serve *serve = of(req);
	struct handle *handle = NULL;
	struct node node;
	struct err err = {"out of memory"};
	int r = new_handle(serve, ino, &node, &handle);

	if (r == 0)
		r = dir_open(&handle->dir, serve->shown, &node, &err);
	if (r < 0) {
		free_handle(serve, ino, handle);
		reply_error(req, r, &err);
		return;
	}
	info->fh = (uint64_t)(uintptr_t)handle;
	if (fuse_reply_open(req, info) < 0)
		free_handle(serve, ino, handle);
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
		if (node && stat_node(list->serve, node, ino, &entry.attr, &entry.attr_timeout, &err) == 0)
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
	int r = list.buf ? fill_dir(&list, of_info(info)->dir, (uint64_t)off, &err) : -ENOMEM;

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
    .setattr = on_setattr,
    .access = refuse_access,
    .mknod = refuse_mknod,
    .mkdir = refuse_mkdir,
    .create = refuse_create,
    .symlink = refuse_symlink,
    .link = refuse_link,
    .unlink = refuse_remove,
    .rmdir = refuse_remove,
    .rename = refuse_rename,
    .write = refuse_write,
    .fallocate = refuse_fallocate,
    .setxattr = refuse_setxattr,
    .removexattr = refuse_removexattr,
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
	*serve = (struct serve){.tree = tree_new(), .uid = getuid(), .gid = getgid(), .readahead = {-1}};
	if (!serve->tree)
		return -ENOMEM;
	handle_set_init(&serve->handles);
	pthread_key_create(&serve->buffer, free);
	return 0;
}

void serve_fini(struct serve *serve)
{
	readahead_close(&serve->readahead);
	handle_set_fini(&serve->handles);
	free(pthread_getspecific(serve->buffer));
	pthread_key_delete(serve->buffer);
	tree_free(serve->tree);
}
