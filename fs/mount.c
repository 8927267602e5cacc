#include "mount.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <mntent.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include "await.h"
#include "clock.h"
#include "log.h"
#include "serve.h"
#include "unmounter.h"

enum {
	PAUSE_MS = 20,            /* while lines stream, from one telling to the next */
	STREAM_PER_MS = 32 << 10, /* bytes; more is a stream */
	THREADS_IDLE = 4,
	THREADS_MOST = 64, /* a slow disk may hold up some; libfuse's 10 are soon all of them */
};

struct mount {
	struct serve serve;
	struct fuse_session *session;
	char place[PATH_MAX]; /* where it is mounted, without symbolic links */
	struct unmounter *unmounter;
	sigset_t signals; /* that end the daemon */
	pthread_t server, notifier;
	pthread_mutex_t lock; /* stop */
	bool handling, mounted, announcing, notifying, stop;
};

/* ---- the command line --------------------------------------------------- */

static const struct fuse_opt option_specs[] = {
    {"-f", offsetof(struct mount_options, foreground), 1},
    {"-h", offsetof(struct mount_options, help), 1},
    {"--help", offsetof(struct mount_options, help), 1},
    {"-V", offsetof(struct mount_options, version), 1},
    {"--version", offsetof(struct mount_options, version), 1},
    {"notify", offsetof(struct mount_options, notify), 1},
    {"--read-only", offsetof(struct mount_options, read_only), 1},
    {"read_only", offsetof(struct mount_options, read_only), 1},
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

/* As /proc/mounts shows it: from the root on, as whoever reads that has another current folder. A comma in the store's
 * name would end the option. */
static void print_fsname(char *fsname, size_t size, const char *store)
{
	char *absolute = realpath(store, NULL);
	const char *name = absolute ? absolute : store;
	size_t n = (size_t)snprintf(fsname, size, "fsname=");

	for (size_t i = 0; name[i] && n + 3 < size; i++) {
		if (name[i] == ',' || name[i] == '\\')
			fsname[n++] = '\\';
		fsname[n++] = name[i];
	}
	fsname[n] = 0;
	free(absolute);
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
	/* An empty name would be that of the current folder. */
	if (!options->mountpoint || !*options->store || !*options->mountpoint)
		return err_set(err, -EINVAL, "STORE and MOUNTPOINT are needed");

	/* Last, so that fstab's "rw" or "defaults" do not make it writable. */
	char fsname[2 * PATH_MAX];
	print_fsname(fsname, sizeof fsname, options->store);
	/* The kernel lets nobody set a time on a mount that is read-only, nor anybody but the owner where it
	 * checks permissions; serve refuses what these would. */
	const char *how = options->notify ? "rw,subtype=daystreamfs" : "ro,default_permissions,subtype=daystreamfs";
	const char *always[] = {"-o", how, "-o", fsname};
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

/* A daemon that was killed leaves a mount that answers ENOTCONN to everybody; but ECONNABORTED to who asked before. */
static int ask(const char *mountpoint, struct stat *st)
{
	int r = stat(mountpoint, st);

	return r < 0 && errno == ECONNABORTED ? stat(mountpoint, st) : r;
}

static void clear_dead_mount(const char *mountpoint)
{
	char *argv[] = {"fusermount3", "-uz", (char *)(uintptr_t)mountpoint, NULL};
	extern char **environ;
	struct stat st;
	pid_t pid;
	int status;

	if (ask(mountpoint, &st) == 0 || errno != ENOTCONN)
		return;
	if (umount2(mountpoint, MNT_DETACH) == 0 || posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) != 0)
		return;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
}

int mount_open(struct mount **out, const struct mount_options *options, struct err *err)
{
	struct mount *mount = calloc(1, sizeof *mount);

	*out = NULL;
	if (!mount || serve_init(&mount->serve) < 0) {
		free(mount);
		return err_set(err, -ENOMEM, "out of memory");
	}
	pthread_mutex_init(&mount->lock, NULL);
	mount->announcing = options->notify;
	sigemptyset(&mount->signals);
	sigaddset(&mount->signals, SIGTERM);
	sigaddset(&mount->signals, SIGINT);
	sigaddset(&mount->signals, SIGHUP);
	mount->session = fuse_session_new(options->fuse_args, &serve_ops, sizeof serve_ops, &mount->serve);
	if (!mount->session) {
		mount_end(mount);
		return err_set(err, -EINVAL, "libfuse does not take these options");
	}
	*out = mount;
	return 0;
}

/* Another daemon's files would be hidden, and whoever ends first would unmount the other's. */
static int check_free(const char *mountpoint, struct err *err)
{
	char *path = realpath(mountpoint, NULL);
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct mntent *entry;
	int r = 0;

	while (path && mounts && r == 0 && (entry = getmntent(mounts)))
		if (strcmp(entry->mnt_dir, path) == 0 && strcmp(entry->mnt_type, "fuse.daystreamfs") == 0)
			r = err_set(
			    err, -EBUSY,
			    "the mountpoint %s shows %s already: `fusermount3 -u` it first, or take another one",
			    mountpoint, entry->mnt_fsname);
	if (mounts)
		endmntent(mounts);
	free(path);
	return r;
}

/* Or not ours to see. */
static bool is_empty(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool empty = true;

	while (dir && empty && (entry = readdir(dir)))
		empty = strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0;
	if (dir)
		closedir(dir);
	return empty;
}

/* The store, or one of its folders. */
static bool is_store(const char *store, const struct stat *at)
{
	static const char *const folders[] = {"", "/segments", "/snapshots"};
	char path[4096];
	struct stat st;

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		snprintf(path, sizeof path, "%s%s", store, folders[i]);
		if (stat(path, &st) == 0 && at->st_dev == st.st_dev && at->st_ino == st.st_ino)
			return true;
	}
	return false;
}

int mount_check(const struct mount_options *options, struct err *err)
{
	struct stat at;

	if (ask(options->mountpoint, &at) < 0)
		return errno == ENOTCONN ? 0 : err_errno(err, "the mountpoint %s", options->mountpoint);
	if (!S_ISDIR(at.st_mode))
		return err_set(err, -ENOTDIR, "the mountpoint %s is not a folder", options->mountpoint);
	if (is_store(options->store, &at))
		return err_set(err, -EINVAL, "the mountpoint %s is the store's own: it would be hidden",
		               options->mountpoint);
	int r = check_free(options->mountpoint, err);
	if (r == 0 && !is_empty(options->mountpoint))
		log_warn("the mountpoint %s is not empty: what is in it is hidden meanwhile", options->mountpoint);
	return r;
}

int mount_start(struct mount *mount, const char *mountpoint, const struct shown *shown, struct err *err)
{
	mount->serve.shown = shown;
	clear_dead_mount(mountpoint);
	if (fuse_set_signal_handlers(mount->session) < 0)
		return err_set(err, -EIO, "cannot handle signals");
	mount->handling = true;
	if (!realpath(mountpoint, mount->place))
		return err_errno(err, "the mountpoint %s", mountpoint);
	if (fuse_session_mount(mount->session, mountpoint) < 0)
		return err_set(err, -EIO,
		               "cannot mount at %s (is /dev/fuse there? is allow_other permitted in /etc/fuse.conf?)",
		               mountpoint);
	mount->mounted = true;
	readahead_open(&mount->serve.readahead, mount->place);
	return 0;
}

int mount_hand_over(struct mount *mount, struct err *err)
{
	return unmounter_start(&mount->unmounter, mount->place, err);
}

/* Whether so much in so little time is a stream that will go on, of which each reader gets more by being told later.
 * A thousand small transactions per second are none. */
static bool streams(uint64_t bytes, int64_t took_ms)
{
	return bytes > STREAM_PER_MS * (uint64_t)(took_ms > 1 ? took_ms : 1);
}

static void *notify_thread(void *arg)
{
	struct mount *mount = arg;
	struct store *store = mount->serve.shown->store;
	uint64_t seen = store_len(store);
	int64_t told = clock_ms();
	bool again = false;

	for (;;) {
		pthread_mutex_lock(&mount->lock);
		bool stop = mount->stop;
		pthread_mutex_unlock(&mount->lock);
		if (stop)
			return NULL;
		/* A signal that came just before libfuse began to wait has not broken that off. */
		if (fuse_session_exited(mount->session))
			pthread_kill(mount->server, SIGTERM);
		uint64_t len = again ? store_len(store) : store_wait(store, seen, 1000);
		if (len > seen || again) {
			int64_t now = clock_ms();
			again = streams(len - seen, now - told);
			handle_notify(&mount->serve.handles, again ? PAUSE_MS : 0);
			told = now;
		}
		seen = len;
		int64_t left = told + PAUSE_MS - clock_ms();
		if (again && left > 0)
			usleep((useconds_t)left * 1000);
	}
}

static int loop(struct fuse_session *session, struct err *err)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();

	if (!config)
		return err_set(err, -ENOMEM, "out of memory");
	fuse_loop_cfg_set_idle_threads(config, THREADS_IDLE);
	fuse_loop_cfg_set_max_threads(config, THREADS_MOST);
	int r = fuse_session_loop_mt(session, config);
	fuse_loop_cfg_destroy(config);
	return r < 0 ? err_set(err, r, "serving the mount: %s", strerror(-r)) : 0;
}

int mount_serve(struct mount *mount, struct err *err)
{
	mount->server = pthread_self();
	if ((errno = pthread_create(&mount->notifier, NULL, notify_thread, mount)) != 0)
		return err_errno(err, "starting a thread");
	mount->notifying = true;
	if (mount->announcing) {
		int failed = announce_start(&mount->serve.announce, mount->serve.shown, &mount->serve.handles,
		                            mount->serve.tree, mount->place, err);
		if (failed < 0)
			return failed;
	}
	/* Only this thread takes them: then libfuse's wait here is what they break off. */
	pthread_sigmask(SIG_UNBLOCK, &mount->signals, NULL);
	int r = loop(mount->session, err);
	/* Who says it twice (timeout does, to the process and to its group) is not to break off the end. */
	pthread_sigmask(SIG_BLOCK, &mount->signals, NULL);
	return r;
}

void mount_readers(struct mount *mount, size_t *files, size_t *followers)
{
	handle_count(&mount->serve.handles, files, followers);
}

/* Not what was unmounted from outside: something else may stand there by now. */
static void unmount(struct mount *mount)
{
	struct pollfd fd = {.fd = fuse_session_fd(mount->session)};
	struct err err;

	if (mount->unmounter && !(await(&fd, 1, 0) == 1 && fd.revents & POLLERR) &&
	    unmounter_unmount(mount->unmounter, &err) < 0)
		log_warn("%s stays mounted: %s; run: umount -l %s", mount->place, err.text, mount->place);
	unmounter_stop(mount->unmounter);
	/* Where it is unmounted by now, this only gives back what libfuse holds. */
	fuse_session_unmount(mount->session);
}

void mount_end(struct mount *mount)
{
	if (!mount)
		return;
	if (mount->notifying) {
		pthread_mutex_lock(&mount->lock);
		mount->stop = true;
		pthread_mutex_unlock(&mount->lock);
		store_wake(mount->serve.shown->store);
		pthread_join(mount->notifier, NULL);
	}
	announce_stop(mount->serve.announce);
	if (mount->mounted)
		unmount(mount);
	announce_end(mount->serve.announce);
	if (mount->handling)
		fuse_remove_signal_handlers(mount->session);
	if (mount->session)
		fuse_session_destroy(mount->session);
	pthread_mutex_destroy(&mount->lock);
	serve_fini(&mount->serve);
	free(mount);
}
