/*
 * daystream drop - frees the slot; the store stays.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "commands.h"
#include "config.h"
#include "log.h"
#include "server.h"

enum { RELEASE_MS = 5000 };

struct drop {
	const char *path;
	bool yes;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct drop *drop = state->input;

	switch (key) {
	case 'y': drop->yes = true; return 0;
	case ARGP_KEY_ARG:
		if (drop->path)
			argp_error(state, "only one STORE can be given");
		drop->path = arg;
		return 0;
	case ARGP_KEY_END:
		if (!drop->path)
			argp_error(state, "STORE is needed");
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option options[] = {{"yes", 'y', NULL, 0, "do not ask", 0}, {0}};
static const struct argp argp = {
    options,
    parse_option,
    "STORE",
    "Drops the replication slot that feeds STORE, so that the server keeps no WAL for it any "
    "more. What the store holds stays; `daystream init` on it starts a new generation.",
    NULL,
    NULL,
    NULL};

static bool agreed(const struct config *config)
{
	char answer[16];

	fprintf(stderr, "Drop the replication slot \"%s\"? The stream cannot go on from it afterwards. [y/N] ",
	        config->slot);
	fflush(stderr);
	return fgets(answer, sizeof answer, stdin) && (answer[0] == 'y' || answer[0] == 'Y');
}

/* Of a daemon that has just ended the server may not know yet. */
static int free_slot(PGconn *conn, const char *name, struct server_slot *slot, struct err *err)
{
	int64_t until_ms = clock_ms() + RELEASE_MS;
	int r;

	while ((r = server_slot(conn, name, -1, slot, err)) == 0 && slot->active && clock_ms() < until_ms)
		usleep(100000);
	return r;
}

static int run(const struct drop *drop, int dirfd, const struct config *config, struct err *err)
{
	struct privileges privileges;
	struct server_slot slot;
	PGconn *conn;
	int r = command_become(&privileges, dirfd, config, err);

	if (r < 0)
		return r;
	if ((r = pg_connect(&conn, config->conninfo, false, -1, err)) < 0)
		return err_prefix(err, r, "connecting to the server");
	if ((r = free_slot(conn, config->slot, &slot, err)) == 0) {
		if (!slot.exists)
			r = err_set(err, -ENOENT, "the replication slot \"%s\" does not exist", config->slot);
		else if (slot.active)
			r = err_set(err, -EBUSY, "the replication slot \"%s\" is in use: stop daystreamfs first",
			            config->slot);
		else if (!drop->yes && !agreed(config))
			r = err_set(err, -ECANCELED, "nothing was dropped");
		else if ((r = server_drop_slot(conn, config->slot, err)) == 0)
			server_forget_schema(conn, config->slot);
	}
	PQfinish(conn);
	return r;
}

int cmd_drop(int argc, char **argv)
{
	struct drop drop = {0};
	struct config config = {0};
	struct err err = {""};

	argp_parse(&argp, argc, argv, 0, NULL, &drop);
	int dirfd = open(drop.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = dirfd < 0 ? config_no_folder(drop.path, &err) : config_read(&config, dirfd, &err);
	if (r < 0 && dirfd >= 0)
		err_prefix(&err, r, "%s", drop.path);
	if (r == 0)
		r = run(&drop, dirfd, &config, &err);
	if (r < 0)
		log_error("%s", err.text);
	else
		log_info("the replication slot \"%s\" is dropped; %s stays as it is", config.slot, drop.path);
	config_fini(&config);
	if (dirfd >= 0)
		close(dirfd);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
