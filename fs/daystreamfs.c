/*
 * daystreamfs - the daemon: follows the slot into the store, and mounts the tree.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "args.h"
#include "background.h"
#include "config.h"
#include "fit.h"
#include "follower.h"
#include "health.h"
#include "ingest.h"
#include "keeper.h"
#include "log.h"
#include "mended.h"
#include "metrics.h"
#include "mount.h"
#include "notify.h"
#include "pg.h"
#include "privileges.h"
#include "retain.h"
#include "slot.h"
#include "status.h"

enum { EXIT_USAGE = 2, FIRST_ANSWER_MS = 5000 };

struct daemon {
	struct mount_options options;
	struct config config;
	struct privileges privileges;
	struct shown shown;
	struct store *store;
	struct writer *writer;
	struct source *source;
	struct ingest *ingest;
	struct follower *follower; /* instead of these three: --read-only */
	struct table_set *tables;
	struct view_set *views;
	struct part_set *parts;
	struct recent *recent;
	struct keeper *keeper;
	struct health *health;
	struct retainer *retainer;
	struct mended *mended;
	struct mount *mount;
	bool rechosen; /* other tables are sent than before */
	int ready_fd;  /* tells the waiting parent; -1 with -f */
};

static void help(void)
{
	puts("Usage: daystreamfs [--read-only] STORE MOUNTPOINT [-f] [-o OPTION,...]\n"
	     "\n"
	     "Follows the replication slot of STORE (made by `daystream init`) and mounts its\n"
	     "change stream, read-only, at MOUNTPOINT. In the background, unless -f is given.\n"
	     "\n"
	     "    --read-only            serve a STORE that another daystreamfs writes, or a copy that\n"
	     "                           grows; no slot, no server; nothing is written to it\n"
	     "    -f                     stay in the foreground, log to stderr\n"
	     "    -o allow_other         let other users read the mount, too\n"
	     "    -o notify              make inotify events when files grow\n"
	     "    -o read_only           as --read-only\n"
	     "    -h, --help             print this and exit\n"
	     "    -V, --version          print the version and exit\n"
	     "\n"
	     "Mount options of libfuse:");
	mount_options_help();
	puts("\nIn /etc/fstab: STORE MOUNTPOINT fuse.daystreamfs allow_other,_netdev,nofail 0 0\n"
	     "See daystreamfs(8).");
}

static int usage(struct daemon *d, const struct err *err)
{
	log_error("%s; see daystreamfs --help", err->text);
	mount_options_fini(&d->options);
	return EXIT_USAGE;
}

/* ---- the parts ---------------------------------------------------------- */

static void on_end(void *ctx)
{
	(void)ctx;
	kill(getpid(), SIGTERM); /* as if somebody had ended us: mount_serve returns */
}

static char *print_text(void *ctx, enum node_kind kind, size_t *len)
{
	struct daemon *d = ctx;
	struct standing standing = {.arrived = d->shown.arrived};
	struct follower_status read_only;

	if (d->follower) {
		follower_status(d->follower, &read_only);
		standing.read_only = &read_only;
	} else {
		ingest_status(d->ingest, &standing.ingest);
		keeper_status(d->keeper, &standing.keeper);
		health_status(d->health, &standing.health);
	}
	mount_readers(d->mount, &standing.files, &standing.followers);
	return (kind == NODE_METRICS ? metrics_print : status_print)(len, d->store, &d->config, &standing);
}

static void tell_damage(const char *sentence)
{
	log_error("%s", sentence);
}

static int read_config(struct daemon *d, int dirfd, struct err *err)
{
	int r = config_read(&d->config, dirfd, err);

	return r < 0 ? err_prefix(err, r, "%s", d->options.store) : 0;
}

/* Who can read what they should not is not ours to decide, but to tell. */
static void warn_of_readers(const struct daemon *d, int dirfd)
{
	struct stat folder, conf;

	if (fstat(dirfd, &folder) == 0 && folder.st_mode & 0077 && fstatat(dirfd, "daystream.conf", &conf, 0) == 0 &&
	    conf.st_mode & 0077)
		log_warn("others can read %s/daystream.conf: run chmod 600 on it", d->options.store);
	if (folder.st_mode & 0007)
		log_warn("others can read the store %s: run chmod 700 on it", d->options.store);
}

/* Who will work on the store opens it, so that what it holds leads no further than that user may go. */
static int open_store(struct daemon *d, struct err *err)
{
	struct err why;
	int r, left, dirfd = open(d->options.store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dirfd < 0)
		return config_no_folder(d->options.store, err);
	if ((r = read_config(d, dirfd, err)) < 0 ||
	    (r = privileges_choose(&d->privileges, dirfd, d->config.user, err)) < 0)
		goto out;
	if (privileges_settle(&d->privileges, dirfd, d->config.conninfo, &why))
		log_warn("%s", why.text);
	warn_of_readers(d, dirfd);
	if ((r = privileges_enter(&d->privileges, err)) < 0)
		goto out;
	if ((r = store_open_at(&d->store, dirfd, d->options.store, STORE_WRITE, err)) == 0) {
		struct store_end end;
		store_end(d->store, &end);
		r = fit_named(d->config.slot, &end.origin, err);
	}
	if ((left = privileges_leave(&d->privileges, r < 0 ? NULL : err)) < 0 && r == 0)
		r = left;
out:
	close(dirfd);
	return r;
}

/* Mounting takes root; all else does not. */
static int mount_and_drop(struct daemon *d, struct err *err)
{
	int r;

	d->shown = (struct shown){
	    d->store, d->tables, d->views, d->parts, print_text, d, d->follower ? follower_arrived(d->follower) : NULL,
	    d->recent};
	if ((r = mount_start(d->mount, d->options.mountpoint, &d->shown, err)) < 0 || !d->privileges.drop)
		return r;
	if (mount_hand_over(d->mount, err) < 0) {
		log_warn("nobody else could unmount (%s), so all runs as root", err->text);
		d->privileges.drop = false;
		return 0;
	}
	if ((r = privileges_drop(&d->privileges, err)) == 0)
		log_info("runs as the user %s", d->privileges.user);
	return r;
}

/* Who waits for us in a terminal should hear of a wrong slot or server now. */
static void await_first_answer(struct daemon *d)
{
	for (int waited = 0; waited < FIRST_ANSWER_MS; waited += 20) {
		struct ingest_status status;
		ingest_status(d->ingest, &status);
		if (strcmp(status.state, "connecting") != 0 || status.last_error[0])
			return;
		usleep(20000);
	}
}

static bool may_pass_snapshot(void *ctx)
{
	return keeper_has_failed(((struct daemon *)ctx)->keeper);
}

static void need_snapshot(void *ctx, struct position outdated)
{
	keeper_ask(((struct daemon *)ctx)->keeper, outdated);
}

static struct retain retaining(struct daemon *d)
{
	return (struct retain){d->store, d->tables, d->views, &d->config, may_pass_snapshot, need_snapshot, d};
}

/* On a full disk this comes before anything is written. A snapshot that could not be taken yet has not
 * failed. */
static void give_up_expired(struct daemon *d)
{
	struct retain retain = retaining(d);
	struct position snapshot;
	struct err err;

	if (retain_once(&retain, (uint64_t)time(NULL), strcmp(d->config.snapshot, "off") == 0, &snapshot, &err) < 0)
		log_warn("removing what has expired: %s", err.text);
}

/* Snapshots from before have other tables, and so have mirrors: what these did meanwhile is not in the stream. */
static void note_choice(struct daemon *d)
{
	d->rechosen = writer_appended_sum(d->writer) && d->source->choice != durable_choice(writer_durable(d->writer));
	if (d->rechosen)
		log_warn("`tables` in daystream.conf was changed: what a table did while it was left out is not in the "
		         "stream; mirrors mark one that is new in it, or back, and need deltamirror --resync=TABLE, "
		         "once there is a new snapshot");
}

static int start_housekeeping(struct daemon *d, struct err *err)
{
	struct retain retain = retaining(d);
	int r = keeper_start(&d->keeper, d->store, &d->config, d->ingest, err);

	if (r == 0)
		r = health_start(&d->health, &d->config, err);
	if (r == 0 && d->rechosen) {
		struct store_end end;
		store_end(d->store, &end);
		/* The position of one that was taken just before is behind the last line. */
		keeper_ask(d->keeper, (struct position){end.last.epoch, end.last.seq + 1});
	}
	if (r == 0)
		r = mended_start(&d->mended, d->store, d->parts, err);
	return r < 0 ? r : retain_start(&d->retainer, &retain, err);
}

/* What is to be done before the first line comes; by the user as well. */
static int open_writer(struct daemon *d, struct err *err)
{
	int left, r = privileges_enter(&d->privileges, err);

	if (r < 0)
		return r;
	give_up_expired(d);
	r = writer_open(&d->writer, d->store, d->config.segment_bytes, err);
	if ((left = privileges_leave(&d->privileges, r < 0 ? NULL : err)) < 0 && r == 0)
		r = left;
	return r;
}

static int open_sets(struct daemon *d, struct err *err)
{
	store_damage(d->store)->tell = tell_damage;
	d->tables = table_set_new(d->store);
	d->views = view_set_new(d->store);
	d->parts = part_set_new(store_dirfd(d->store), store_damage(d->store));
	d->recent = recent_new(store_segments(d->store));
	return d->tables && d->views && d->parts && d->recent ? 0 : err_set(err, -ENOMEM, "out of memory");
}

/* ---- a store that somebody else writes ---------------------------------- */

/* A copy needs none: what it says is the writer's, and it may hold a password. */
static void read_config_of_copy(struct daemon *d, int dirfd)
{
	struct err err;
	int r = config_read(&d->config, dirfd, &err);

	if (r == 0)
		return;
	if (r != -ENOENT && r != -EACCES)
		log_warn("%s/%s", d->options.store, err.text);
	config_fini(&d->config);
	d->config = (struct config){0};
}

/* The copier may have kept all for himself. */
static bool may_read(struct daemon *d, int dirfd, struct err *err)
{
	int segments = -1, confirmed = -1;
	bool may = privileges_enter(&d->privileges, err) == 0 &&
	           (segments = openat(dirfd, "segments", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) >= 0 &&
	           faccessat(segments, ".", X_OK, AT_EACCESS) == 0 &&
	           (confirmed = openat(dirfd, "confirmed", O_RDONLY | O_NONBLOCK | O_CLOEXEC)) >= 0;

	may = may || errno != EACCES;
	if (segments >= 0)
		close(segments);
	if (confirmed >= 0)
		close(confirmed);
	return privileges_leave(&d->privileges, err) == 0 && may;
}

static int open_copy(struct daemon *d, struct err *err)
{
	int r, dirfd = open(d->options.store, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dirfd < 0)
		return err_errno(err, "%s", d->options.store);
	read_config_of_copy(d, dirfd);
	r = privileges_choose(&d->privileges, dirfd, d->config.user ? d->config.user : "", err);
	/* The writer's user may be none of this host's. */
	if (r == -EINVAL)
		r = privileges_choose(&d->privileges, dirfd, "", err);
	if (r == 0 && d->privileges.drop && !may_read(d, dirfd, err)) {
		log_warn("the user %s may not read %s, so all runs as root: let that user read it", d->privileges.user,
		         d->options.store);
		d->privileges.drop = false;
	}
	if (r == 0)
		r = store_open_at(&d->store, dirfd, d->options.store, STORE_FOLLOW, err);
	close(dirfd);
	return r;
}

static int start_read_only(struct daemon *d, struct err *err)
{
	int left, r = open_copy(d, err);

	if (r < 0 || (r = open_sets(d, err)) < 0 || (r = privileges_enter(&d->privileges, err)) < 0)
		return r;
	struct retain shown = {.store = d->store, .tables = d->tables, .views = d->views, .config = &d->config};
	if ((r = follower_open(&d->follower, &shown, err)) < 0)
		err_prefix(err, r, "%s", d->options.store);
	if ((left = privileges_leave(&d->privileges, r < 0 ? NULL : err)) < 0 && r == 0)
		r = left;
	if (r == 0)
		r = mount_and_drop(d, err);
	if (r == 0)
		r = mended_start(&d->mended, d->store, d->parts, err);
	return r < 0 ? r : follower_start(d->follower, on_end, d, err);
}

/* ---- starting and stopping ---------------------------------------------- */

static int start(struct daemon *d, struct err *err)
{
	int r = mount_check(&d->options, err);

	if (r < 0)
		return r;
	if (d->options.read_only)
		return start_read_only(d, err);
	if ((r = open_store(d, err)) < 0 || (r = open_sets(d, err)) < 0)
		return r;
	if (!(d->source = slot_source(d->config.conninfo, d->config.slot, d->config.tables)))
		return err_set(err, -ENOMEM, "out of memory");
	/* The threads have the user's rights from their first moment on. */
	if ((r = open_writer(d, err)) < 0)
		return r;
	note_choice(d);
	if ((r = mount_and_drop(d, err)) < 0 ||
	    (r = ingest_start(&d->ingest, d->store, d->writer, d->source, on_end, d, err)) < 0 ||
	    (r = start_housekeeping(d, err)) < 0)
		return r;
	if (d->ready_fd < 0 && !notify_wanted())
		return 0;

	struct ingest_status status;
	await_first_answer(d);
	ingest_status(d->ingest, &status);
	return strcmp(status.state, "stopped") == 0 ? err_set(err, -EPROTO, "%s", status.last_error) : 0;
}

static int stop(struct daemon *d, struct err *err)
{
	int r = 0;

	mount_end(d->mount);
	mended_stop(d->mended);
	retain_stop(d->retainer);
	keeper_stop(d->keeper);
	health_stop(d->health);
	if (d->follower)
		r = follower_stop(d->follower, err);
	if (d->ingest)
		r = ingest_stop(d->ingest, err);
	if (d->source)
		d->source->ops->free(d->source);
	writer_close(d->writer);
	part_set_free(d->parts);
	view_set_free(d->views);
	recent_free(d->recent);
	table_set_free(d->tables);
	store_close(d->store);
	config_fini(&d->config);
	return r;
}

static int run(struct daemon *d, struct err *err)
{
	struct err late;
	int r = start(d, err);

	if (r == 0) {
		if (d->ready_fd >= 0)
			background_ready(d->ready_fd);
		log_info("%s is mounted at %s", d->options.store, d->options.mountpoint);
		notify_send("READY=1");
		r = mount_serve(d->mount, err);
		notify_send("STOPPING=1");
	}
	int stopped = stop(d, &late);
	if (r == 0 && stopped < 0) {
		*err = late;
		r = stopped;
	}
	return r;
}

int main(int argc, char **argv)
{
	static const int stray[] = {SIGPIPE, SIGALRM, SIGUSR1, SIGUSR2};
	struct daemon d = {.ready_fd = -1};
	struct err err = {""};
	sigset_t ending;
	int r;

	log_init("daystreamfs");
	pg_init();
	mallopt(M_ARENA_MAX, 1); /* what one thread frees, another one takes: threads that come and go keep nothing */
	/* Buffers for whole requests are mapped, also when others were freed: what nobody uses of them, most of libfuse's,
	 * takes no memory, and what is freed is gone. */
	mallopt(M_MMAP_THRESHOLD, 512 << 10);
	mallopt(M_TRIM_THRESHOLD, 4 << 20); /* what each read takes and frees stays ours */
	if (!(argv = args_take(argc, argv, false))) {
		log_error("out of memory");
		return EXIT_FAILURE;
	}
	if ((r = mount_options_parse(&d.options, argc, argv, &err)) < 0)
		return usage(&d, &err);
	if (d.options.help || d.options.version) {
		if (d.options.help)
			help();
		else
			puts("daystreamfs " VERSION);
		mount_options_fini(&d.options);
		return 0;
	}
	if ((r = mount_open(&d.mount, &d.options, &err)) < 0)
		return usage(&d, &err);
	/* Threads inherit this: only mount_serve takes them. */
	sigemptyset(&ending);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGHUP);
	if ((r = background_absolute(&d.options.mountpoint, &err)) == 0 &&
	    (d.options.foreground || (r = background_start(&d.ready_fd, &err)) == 0)) {
		pthread_sigmask(SIG_BLOCK, &ending, NULL);
		/* What tells us nothing is no reason to leave a dead mount. */
		for (size_t i = 0; i < sizeof stray / sizeof *stray; i++)
			signal(stray[i], SIG_IGN);
		log_never_wait();
		r = err_full(&err, run(&d, &err));
	}
	if (r < 0)
		log_error("%s", err.text);
	else
		log_info("ended");
	mount_options_fini(&d.options);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
