/*
 * daystream status - what /status shows, and the slot's health from the server.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "config.h"
#include "fit.h"
#include "log.h"
#include "server.h"
#include "status.h"
#include "watch.h"

struct options {
	const char *path; /* first, for command_parse_one */
	bool watch;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;

	if (key != 'w')
		return command_parse_one(key, arg, state);
	options->watch = true;
	return 0;
}

static const struct argp_option argp_options[] = {
    {"watch", 'w', NULL, 0, "show it every second, with rates, until q or Ctrl-C", 0}, {0}};

static const struct argp argp = {argp_options,
                                 parse_option,
                                 "STORE|MOUNTPOINT",
                                 "Shows how far the stream is, and, for a STORE, how its slot is at the server.",
                                 NULL,
                                 NULL,
                                 NULL};

/* A mount has it ready. */
static int print_mount_status(FILE *out, int fd, struct err *err)
{
	char text[4096];
	ssize_t n;

	while ((n = read(fd, text, sizeof text)) > 0)
		fwrite(text, 1, (size_t)n, out);
	return n < 0 ? err_errno(err, "reading status") : 0;
}

static bool is_locked(int dirfd)
{
	bool locked = flock(dirfd, LOCK_SH | LOCK_NB) < 0;

	flock(dirfd, LOCK_UN);
	return locked;
}

/* What the server says of the slot. */
static int ask_slot(const struct config *config, struct server_slot *slot, struct err *err)
{
	PGconn *conn;
	int r = pg_connect(&conn, config->conninfo, false, -1, err);

	if (r == 0) {
		r = server_slot(conn, config->slot, -1, slot, err);
		PQfinish(conn);
	}
	return r < 0 ? err_prefix(err, r, "asking the server for the slot") : 0;
}

static int print_slot(FILE *out, const struct config *config, uint64_t lsn, struct err *err)
{
	static const char remedy[] = "run `daystream init` on the store again for a new generation";
	struct server_slot slot;
	int r = ask_slot(config, &slot, err);

	if (r < 0)
		return r;
	status_print_slot(out, &slot, lsn);
	if (!slot.exists)
		return err_set(err, -ENOENT, "the replication slot \"%s\" does not exist any more: %s", config->slot,
		               remedy);
	if (strcmp(slot.wal_status, "lost") == 0)
		return err_set(err, -EPROTO, "the replication slot \"%s\" was invalidated: %s", config->slot, remedy);
	return 0;
}

/* Of the store that is watched: who we become may not reach it by its name. */
static int watched_fd = -1;

static int print_store_status(FILE *out, const char *path, int dirfd, struct err *err)
{
	char mark_text[POSITION_TEXT_MAX], *text = NULL;
	size_t len;
	struct config config = {0};
	struct privileges privileges;
	struct store_end end;
	struct store *store;
	int r = store_open_at(&store, dirfd, path, STORE_READ, err);

	if (r < 0)
		return r;
	store_end(store, &end);
	struct position mark = store_confirmed(store)->now.last;
	bool damaged = position_cmp(end.last, mark) < 0;
	if ((r = config_read(&config, dirfd, err)) < 0)
		err_prefix(err, r, "%s", path);
	if (r == 0 && !(text = status_print(&len, store, &config, NULL)))
		r = err_set(err, -ENOMEM, "out of memory");
	if (r == 0)
		fprintf(out, "state\t%s\n%s", is_locked(dirfd) ? "running" : "not running", text);
	free(text);
	store_close(store);
	if (damaged)
		r = err_set(err, -EBADMSG, "%s was whole up to %s once: it is damaged, run daystream check", path,
		            position_print(mark_text, mark));
	if (r == 0 && (r = fit_named(config.slot, &end.origin, err)) == 0 &&
	    (r = command_become(&privileges, dirfd, &config, err)) >= 0)
		r = print_slot(out, &config, end.lsn, err);
	config_fini(&config);
	return r;
}

static int print_status(FILE *out, const char *path, struct err *err)
{
	int r, dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (dirfd < 0 && errno == EACCES && watched_fd >= 0)
		dirfd = openat(watched_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = dirfd < 0 ? -1 : openat(dirfd, "status", O_RDONLY | O_CLOEXEC);

	if (dirfd < 0)
		r = config_no_folder(path, err);
	else if (fd >= 0)
		r = print_mount_status(out, fd, err);
	else if (faccessat(dirfd, "segments", F_OK, 0) < 0 && faccessat(dirfd, "daystream.conf", F_OK, 0) < 0)
		r = err_set(err, -ENOENT, "%s is no store, and nothing that daystreamfs serves now: is it running?",
		            path);
	else
		r = print_store_status(out, path, dirfd, err);
	if (fd >= 0)
		close(fd);
	if (dirfd >= 0)
		close(dirfd);
	return r;
}

/* Of a store whose daemon shows us its mount, what that says: rates are to be had there alone. */
static char *read_status(const char *path, struct err *err)
{
	char *text = NULL, *mount = watch_find_mount(path);
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out) {
		free(mount);
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	if (mount && print_status(out, mount, err) == 0) {
		*err = (struct err){""};
		free(mount);
		fclose(out);
		return text;
	}
	free(mount);
	rewind(out);
	if (print_status(out, path, err) >= 0)
		*err = (struct err){""}; /* whatever was written there on the way */
	fclose(out);
	if (len > 0)
		return text;
	free(text);
	return NULL;
}

int cmd_status(int argc, char **argv)
{
	struct options options = {0};
	struct err err = {""};

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	if (options.watch)
		watched_fd = open(options.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = options.watch ? watch(options.path, read_status, &err) : print_status(stdout, options.path, &err);
	fflush(stdout);
	if (r < 0)
		log_error("%s", err.text);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
