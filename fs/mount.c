#define FUSE_USE_VERSION 35

#include "mount.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dir.h"
#include "log.h"

static const double for_good = 86400.0;

/* An open file, and who polls it. */
struct open_file {
	struct file *file;
	uint64_t served; /* the end of what was read so far */
	struct fuse_pollhandle *poll;
	struct open_file *prev, *next; /* of those with `poll` */
};

struct mount {
	const struct shown *shown;
	struct tree *tree;
	struct fuse_session *session;
	uid_t uid;
	gid_t gid;
	pthread_key_t buffer; /* each thread's, for replies */
	pthread_mutex_t lock; /* polled, and the fields of open files but `file` */
	struct open_file *polled;
	sigset_t signals; /* that end the daemon */
	pthread_t notifier;
	bool notifying, stop;
};

static struct mount *of(fuse_req_t req)
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

static int stat_node(struct mount *mount, const struct node *node, uint64_t ino, struct stat *st, struct err *err)
{
	int r = file_stat(mount->shown, node, st, err);

	st->st_ino = ino;
	st->st_uid = mount->uid;
	st->st_gid = mount->gid;
	return r;
}

static double attr_timeout(const struct node *node)
{
	return node->kind == NODE_LINE ? for_good : 0;
}

/* A name once there stays (nothing is given up), but a directory's time does not. */
static void fill_entry(struct fuse_entry_param *entry, const struct node *node, uint64_t ino)
{
	entry->ino = ino;
	entry->entry_timeout = for_good;
	entry->attr_timeout = attr_timeout(node);
}

static void on_lookup(fuse_req_t req, fuse_ino_t parent_ino, const char *name)
{
	struct mount *mount = of(req);
	struct fuse_entry_param entry = {0};
	struct node parent, node;
	struct err err = {""};

	if (!tree_node(mount->tree, parent_ino, &parent)) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	if (!tree_child(&parent, name, &node)) {
		fuse_reply_err(req, ENOENT);
		return;
	}
	int r = stat_node(mount, &node, 0, &entry.attr, &err);
	if (r < 0) {
		reply_error(req, r, &err);
		return;
	}
	uint64_t ino = tree_ino(mount->tree, &node);
	if (!ino) {
		fuse_reply_err(req, ENOMEM);
		return;
	}
	entry.attr.st_ino = ino;
	fill_entry(&entry, &node, ino);
	if (fuse_reply_entry(req, &entry) < 0)
		tree_forget(mount->tree, ino, 1);
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
	struct mount *mount = of(req);
	struct node node;
	struct stat st;
	struct err err = {""};
	int r;

	(void)info;
	if (!tree_node(mount->tree, ino, &node))
		r = -ESTALE;
	else
		r = stat_node(mount, &node, ino, &st, &err);
	if (r < 0)
		reply_error(req, r, &err);
	else
		fuse_reply_attr(req, &st, attr_timeout(&node));
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

static void on_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct mount *mount = of(req);
	struct open_file *open = calloc(1, sizeof *open);
	struct node node;
	struct err err = {"out of memory"};
	int r = -ENOMEM;

	if ((info->flags & O_ACCMODE) != O_RDONLY)
		r = -EROFS, err_set(&err, r, "a write to the read-only tree");
	else if (!tree_node(mount->tree, ino, &node))
		r = -ESTALE;
	else if (open)
		r = file_open(&open->file, mount->shown, &node, &err);
	if (r < 0) {
		free(open);
		fuse_reply_err(req, -r);
		return;
	}
	info->fh = (uint64_t)(uintptr_t)open;
	info->direct_io = file_grows(&node);
	info->keep_cache = !file_grows(&node);
	if (fuse_reply_open(req, info) < 0) {
		file_close(open->file);
		free(open);
	}
}

/* Out of the list of the polled; under the lock. Returns what to notify. */
static struct fuse_pollhandle *take_poll(struct mount *mount, struct open_file *open)
{
	struct fuse_pollhandle *poll = open->poll;

	if (!poll)
		return NULL;
	if (open->prev)
		open->prev->next = open->next;
	else
		mount->polled = open->next;
	if (open->next)
		open->next->prev = open->prev;
	open->poll = NULL;
	open->prev = open->next = NULL;
	return poll;
}

static void on_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct mount *mount = of(req);
	struct open_file *open = handle(info);

	(void)ino;
	pthread_mutex_lock(&mount->lock);
	struct fuse_pollhandle *poll = take_poll(mount, open);
	pthread_mutex_unlock(&mount->lock);
	if (poll)
		fuse_pollhandle_destroy(poll);
	file_close(open->file);
	free(open);
	fuse_reply_err(req, 0);
}

struct buffer {
	size_t size;
	char bytes[];
};

static char *thread_buffer(struct mount *mount, size_t size)
{
	struct buffer *buffer = pthread_getspecific(mount->buffer);

	if (buffer && buffer->size >= size)
		return buffer->bytes;
	free(buffer);
	buffer = malloc(sizeof *buffer + size);
	pthread_setspecific(mount->buffer, buffer);
	if (!buffer)
		return NULL;
	buffer->size = size;
	return buffer->bytes;
}

static void on_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off, struct fuse_file_info *info)
{
	struct mount *mount = of(req);
	struct open_file *open = handle(info);
	struct err err = {""};
	char *buf = thread_buffer(mount, size);

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
	pthread_mutex_lock(&mount->lock);
	if ((uint64_t)off + (uint64_t)n > open->served)
		open->served = (uint64_t)off + (uint64_t)n;
	pthread_mutex_unlock(&mount->lock);
	fuse_reply_buf(req, buf, (size_t)n);
}

/* ---- poll --------------------------------------------------------------- */

static void on_poll(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info, struct fuse_pollhandle *poll)
{
	struct mount *mount = of(req);
	struct open_file *open = handle(info);
	struct fuse_pollhandle *old = NULL;
	uint64_t len = 0;
	struct err err = {""};

	(void)ino;
	pthread_mutex_lock(&mount->lock);
	uint64_t served = open->served;
	if (poll) {
		/* Before looking, so that what comes in between wakes. */
		old = take_poll(mount, open);
		open->poll = poll;
		open->next = mount->polled;
		if (open->next)
			open->next->prev = open;
		mount->polled = open;
	}
	pthread_mutex_unlock(&mount->lock);
	if (old)
		fuse_pollhandle_destroy(old);
	int r = file_len(open->file, &len, &err);
	fuse_reply_poll(req, r < 0 || len > served ? POLLIN | POLLRDNORM : 0);
}

/* Wakes all who poll: the kernel asks on_poll again whether it was theirs. */
static void notify_polled(struct mount *mount)
{
	struct fuse_pollhandle *due[64];
	size_t count;

	do {
		pthread_mutex_lock(&mount->lock);
		for (count = 0; mount->polled && count < 64; count++)
			due[count] = take_poll(mount, mount->polled);
		pthread_mutex_unlock(&mount->lock);
		for (size_t i = 0; i < count; i++) {
			fuse_lowlevel_notify_poll(due[i]);
			fuse_pollhandle_destroy(due[i]);
		}
	} while (count == 64);
}

static void *notify_thread(void *arg)
{
	struct mount *mount = arg;
	uint64_t seen = store_len(mount->shown->store);

	for (;;) {
		pthread_mutex_lock(&mount->lock);
		bool stop = mount->stop;
		pthread_mutex_unlock(&mount->lock);
		if (stop)
			return NULL;
		uint64_t len = store_wait(mount->shown->store, seen, 1000);
		if (len > seen)
			notify_polled(mount);
		seen = len;
	}
}

/* ---- folders ------------------------------------------------------------ */

static void on_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	struct mount *mount = of(req);
	struct node node;
	struct dir *dir;
	struct err err = {""};
	int r = tree_node(mount->tree, ino, &node) ? dir_open(&dir, mount->shown, &node, &err) : -ESTALE;

	if (r < 0) {
		reply_error(req, r, &err);
		return;
	}
	info->fh = (uint64_t)(uintptr_t)dir;
	if (fuse_reply_open(req, info) < 0)
		dir_close(dir);
}

static void on_releasedir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *info)
{
	(void)ino;
	dir_close((struct dir *)(uintptr_t)info->fh);
	fuse_reply_err(req, 0);
}

/* What fill_dir writes to: the reply, and whether it carries attributes. */
struct listing {
	fuse_req_t req;
	struct mount *mount;
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
	entry.attr.st_mode = !node || node_is_dir(node) ? S_IFDIR : S_IFREG;
	if (!list->plus) {
		n = fuse_add_direntry(list->req, at, left, name, &entry.attr, (off_t)cookie);
	} else {
		/* "." and ".." are told without a look-up, and so is what cannot be had. */
		if (node && stat_node(list->mount, node, ino, &entry.attr, &err) == 0)
			fill_entry(&entry, node, ino);
		n = fuse_add_direntry_plus(list->req, at, left, name, &entry, (off_t)cookie);
		if (n <= left && entry.ino)
			tree_ino(list->mount->tree, node);
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
		if (!add_entry(list, entry->name, &entry->node, tree_peek(list->mount->tree, &entry->node),
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
	struct mount *mount = of(req);
	struct listing list = {req, mount, ino, plus, thread_buffer(mount, size), size, 0};
	struct err err = {"out of memory"};
	int r = list.buf ? fill_dir(&list, (struct dir *)(uintptr_t)info->fh, (uint64_t)off, &err) : -ENOMEM;

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

static const struct fuse_lowlevel_ops ops = {
    .init = on_init,
    .lookup = on_lookup,
    .forget = on_forget,
    .forget_multi = on_forget_multi,
    .getattr = on_getattr,
    .statfs = on_statfs,
    .open = on_open,
    .read = on_read,
    .release = on_release,
    .poll = on_poll,
    .opendir = on_opendir,
    .readdir = on_readdir,
    .readdirplus = on_readdirplus,
    .releasedir = on_releasedir,
};

/* ---- the command line --------------------------------------------------- */

static const struct fuse_opt option_specs[] = {
    {"-f", offsetof(struct mount_options, foreground), 1},
    {"-h", offsetof(struct mount_options, help), 1},
    {"--help", offsetof(struct mount_options, help), 1},
    {"-V", offsetof(struct mount_options, version), 1},
    {"--version", offsetof(struct mount_options, version), 1},
    FUSE_OPT_END,
};

static int on_option(void *data, const char *arg, int key, struct fuse_args *out)
{
	struct mount_options *options = data;

	(void)out;
	if (key != FUSE_OPT_KEY_NONOPT)
		return 1; /* libfuse's */
	char **slot = !options->store ? &options->store : !options->mountpoint ? &options->mountpoint : NULL;
	if (!slot) {
		log_error("unexpected argument \"%s\"", arg);
		return -1;
	}
	*slot = strdup(arg);
	return *slot ? 0 : -1;
}

int mount_options_parse(struct mount_options *options, int argc, char **argv, struct err *err)
{
	struct fuse_args *args = calloc(1, sizeof *args);

	*options = (struct mount_options){.fuse_args = args};
	if (!args)
		return err_set(err, -ENOMEM, "out of memory");
	*args = (struct fuse_args)FUSE_ARGS_INIT(argc, argv);
	if (fuse_opt_parse(args, options, option_specs, on_option) < 0)
		return err_set(err, -EINVAL, "the arguments cannot be read");
	if (options->help || options->version)
		return 0;
	if (!options->mountpoint)
		return err_set(err, -EINVAL, "STORE and MOUNTPOINT are needed");

	/* Last, so that fstab's "rw" or "defaults" do not make it writable. A comma in
	 * the store's name would end the option. */
	char fsname[4096] = "fsname=";
	for (size_t i = 0, n = 7; options->store[i] && n + 3 < sizeof fsname; i++) {
		if (options->store[i] == ',' || options->store[i] == '\\')
			fsname[n++] = '\\';
		fsname[n++] = options->store[i];
		fsname[n] = 0;
	}
	const char *always[] = {"-o", "ro,default_permissions,subtype=daystreamfs", "-o", fsname};
	for (size_t i = 0; i < sizeof always / sizeof *always; i++)
		if (fuse_opt_add_arg(args, always[i]) < 0)
			return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

void mount_options_fini(struct mount_options *options)
{
	if (options->fuse_args)
		fuse_opt_free_args(options->fuse_args);
	free(options->fuse_args);
	free(options->store);
	free(options->mountpoint);
	*options = (struct mount_options){0};
}

void mount_options_help(void)
{
	fuse_lowlevel_help();
}

/* ---- the session -------------------------------------------------------- */

/* A daemon that was killed leaves a mount that answers ENOTCONN to everybody. */
static void clear_dead_mount(const char *mountpoint)
{
	char *argv[] = {"fusermount3", "-uz", (char *)(uintptr_t)mountpoint, NULL};
	extern char **environ;
	struct stat st;
	pid_t pid;
	int status;

	if (stat(mountpoint, &st) == 0 || errno != ENOTCONN)
		return;
	if (umount2(mountpoint, MNT_DETACH) == 0 || posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) != 0)
		return;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
}

int mount_start(struct mount **out, const struct mount_options *options, const struct shown *shown, struct err *err)
{
	struct mount *mount = calloc(1, sizeof *mount);
	struct stat st;

	*out = NULL;
	if (!mount || !(mount->tree = tree_new())) {
		free(mount);
		return err_set(err, -ENOMEM, "out of memory");
	}
	mount->shown = shown;
	mount->uid = getuid();
	mount->gid = getgid();
	pthread_mutex_init(&mount->lock, NULL);
	pthread_key_create(&mount->buffer, free);
	sigemptyset(&mount->signals);
	sigaddset(&mount->signals, SIGTERM);
	sigaddset(&mount->signals, SIGINT);
	sigaddset(&mount->signals, SIGHUP);

	clear_dead_mount(options->mountpoint);
	int r = 0;
	if (stat(options->mountpoint, &st) < 0)
		r = err_errno(err, "%s", options->mountpoint);
	else if (!S_ISDIR(st.st_mode))
		r = err_set(err, -ENOTDIR, "%s is not a folder", options->mountpoint);
	else if (!(mount->session = fuse_session_new(options->fuse_args, &ops, sizeof ops, mount)))
		r = err_set(err, -EINVAL, "libfuse does not take these mount options");
	else if (fuse_set_signal_handlers(mount->session) < 0)
		r = err_set(err, -EIO, "cannot handle signals");
	else if (fuse_session_mount(mount->session, options->mountpoint) < 0)
		r = err_set(err, -EIO, "cannot mount at %s (is /dev/fuse there? is allow_other permitted in /etc/fuse.conf?)",
		            options->mountpoint);
	if (r < 0) {
		mount_end(mount);
		return r;
	}
	*out = mount;
	return 0;
}

int mount_serve(struct mount *mount, struct err *err)
{
	struct fuse_loop_config config = {.clone_fd = 0, .max_idle_threads = 4};

	if ((errno = pthread_create(&mount->notifier, NULL, notify_thread, mount)) != 0)
		return err_errno(err, "starting a thread");
	mount->notifying = true;
	/* Only this thread takes them: then libfuse's wait here is what they break off. */
	pthread_sigmask(SIG_UNBLOCK, &mount->signals, NULL);
	int r = fuse_session_loop_mt(mount->session, &config);
	return r < 0 ? err_set(err, r, "serving the mount: %s", strerror(-r)) : 0;
}

void mount_end(struct mount *mount)
{
	if (mount->notifying) {
		pthread_mutex_lock(&mount->lock);
		mount->stop = true;
		pthread_mutex_unlock(&mount->lock);
		store_wake(mount->shown->store);
		pthread_join(mount->notifier, NULL);
	}
	if (mount->session) {
		fuse_session_unmount(mount->session);
		fuse_remove_signal_handlers(mount->session);
		fuse_session_destroy(mount->session);
	}
	free(pthread_getspecific(mount->buffer));
	pthread_key_delete(mount->buffer);
	pthread_mutex_destroy(&mount->lock);
	tree_free(mount->tree);
	free(mount);
}
