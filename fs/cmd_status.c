/*
 * daystream status - what /status shows, and the slot's health from the server.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "config.h"
#include "log.h"
#include "server.h"
#include "status.h"

static const struct argp argp = {NULL,
                                 command_parse_one,
                                 "STORE|MOUNTPOINT",
                                 "Shows how far the stream is, and, for a STORE, how its slot is at the server.",
                                 NULL,
                                 NULL,
                                 NULL};

/* A mount has it ready. */
static int print_mount_status(int fd, struct err *err)
{
	char text[4096];
	ssize_t n;

	while ((n = read(fd, text, sizeof text)) > 0)
		fwrite(text, 1, (size_t)n, stdout);
	return n < 0 ? err_errno(err, "reading status") : 0;
}

static bool is_locked(int dirfd)
{
	bool locked = flock(dirfd, LOCK_SH | LOCK_NB) < 0;

	flock(dirfd, LOCK_UN);
	return locked;
}

static int print_slot(const struct config *config, uint64_t lsn, struct err *err)
{
	char text[LSN_TEXT_MAX];
	struct server_slot slot;
	PGconn *conn;
	int r = pg_connect(&conn, config->conninfo, false, -1, err);

	if (r == 0) {
		r = server_slot(conn, config->slot, &slot, err);
		PQfinish(conn);
	}
	if (r < 0)
		return err_prefix(err, r, "asking the server for the slot");
	if (!slot.exists) {
		puts("slot_state\tmissing");
		return err_set(err, -ENOENT,
		               "the replication slot \"%s\" does not exist any more: run `daystream init` on the "
		               "store again for a new generation",
		               config->slot);
	}
	printf("slot_state\t%s\n", slot.active ? "active" : "inactive");
	printf("slot_wal_status\t%s\n", slot.wal_status);
	printf("slot_safe_wal_size\t%s\n", *slot.safe_wal_size ? slot.safe_wal_size : "\\N");
	printf("slot_confirmed_lsn\t%s\n", lsn_print(text, slot.confirmed_lsn));
	printf("server_lsn\t%s\n", lsn_print(text, slot.server_lsn));
	if (slot.confirmed_lsn > lsn)
		lsn = slot.confirmed_lsn;
	printf("server_lag_bytes\t%" PRIu64 "\n", slot.server_lsn > lsn ? slot.server_lsn - lsn : 0);
	if (strcmp(slot.wal_status, "lost") == 0)
		return err_set(err, -EPROTO,
		               "the replication slot \"%s\" was invalidated: run `daystream init` on the store "
		               "again for a new generation",
		               config->slot);
	return 0;
}

static int print_store_status(const char *path, int dirfd, struct err *err)
{
	char mark_text[POSITION_TEXT_MAX], *text = NULL;
	size_t len;
	struct config config = {0};
	struct ingest_status status = {.state = is_locked(dirfd) ? "running" : "not running"};
	struct store_end end;
	struct store *store;
	int r = store_open(&store, path, STORE_READ, err);

	if (r < 0)
		return r;
	store_end(store, &end);
	struct position mark = store_confirmed(store)->now.last;
	bool damaged = position_cmp(end.last, mark) < 0;
	status.durable_lsn = status.source_lsn = end.lsn;
	r = config_read(&config, dirfd, err);
	/* Without what only the daemon and the server know. */
	if (r == 0 && !(text = status_print(&len, store, &config, &status, &(struct keeper_status){.state = ""})))
		r = err_set(err, -ENOMEM, "out of memory");
	for (char *line = text ? strtok(text, "\n") : NULL; line; line = strtok(NULL, "\n"))
		if (strncmp(line, "lag_", 4) != 0 && strncmp(line, "source_lsn", 10) != 0 &&
		    strncmp(line, "unplaced", 8) != 0 && strncmp(line, "snapshot_", 9) != 0 &&
		    strncmp(line, "last_error", 10) != 0)
			puts(line);
	free(text);
	store_close(store);
	if (damaged)
		r = err_set(err, -EBADMSG, "%s was whole up to %s once: it is damaged, run daystream check", path,
		            position_print(mark_text, mark));
	if (r == 0)
		r = print_slot(&config, end.lsn, err);
	config_fini(&config);
	return r;
}

int cmd_status(int argc, char **argv)
{
	const char *path = NULL;
	struct err err = {""};
	int r;

	argp_parse(&argp, argc, argv, 0, NULL, &path);
	int dirfd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = dirfd < 0 ? -1 : openat(dirfd, "status", O_RDONLY | O_CLOEXEC);
	if (dirfd < 0)
		r = err_errno(&err, "%s", path);
	else if (fd >= 0)
		r = print_mount_status(fd, &err);
	else if (faccessat(dirfd, "segments", F_OK, 0) < 0)
		r = err_set(&err, -ENOENT, "%s is no store, and nothing that daystreamfs serves now: is it running?",
		            path);
	else
		r = print_store_status(path, dirfd, &err);
	if (fd >= 0)
		close(fd);
	if (dirfd >= 0)
		close(dirfd);
	fflush(stdout);
	if (r < 0)
		log_error("%s", err.text);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
