/*
 * daystream snapshot - takes a consistent copy of the tables, for followers that start.
 */
#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "commands.h"
#include "config.h"
#include "line.h"
#include "log.h"
#include "position.h"
#include "snapshot.h"
#include "watch.h"

struct options {
	const char *path; /* first, for command_parse_one */
	const char *tables;
	unsigned jobs;
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct options *options = state->input;
	char *end;

	switch (key) {
	case 't': options->tables = arg; return 0;
	case 'j': {
		unsigned long jobs = strtoul(arg, &end, 10);
		if (*end || jobs < 1 || jobs > 64)
			argp_error(state, "--jobs takes a number from 1 to 64, not \"%s\"", arg);
		options->jobs = (unsigned)jobs;
		return 0;
	}
	default: return command_parse_one(key, arg, state);
	}
}

static const struct argp_option argp_options[] = {
    {"tables", 't', "LIST", 0, "copy these tables only: path names, joined by commas", 0},
    {"jobs", 'j', "N", 0, "copy N tables at a time (2)", 0},
    {0}};
static const struct argp argp = {
    argp_options,
    parse_option,
    "STORE",
    "Takes a consistent copy of the tables, from which new followers start, while daystreamfs serves STORE. No "
    "slot is used, and no writer waited for. Prints the snapshot's name below /snapshots.",
    NULL,
    NULL,
    NULL};

/* Readable when it is time to stop. */
static int open_signals(struct err *err)
{
	sigset_t ending;

	sigemptyset(&ending);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGHUP);
	sigprocmask(SIG_BLOCK, &ending, NULL);
	signal(SIGPIPE, SIG_IGN);
	int fd = signalfd(-1, &ending, SFD_CLOEXEC);
	return fd < 0 ? err_errno(err, "preparing to be stopped") : fd;
}

/* A snapshot of other tables than those of the stream would be none. What is in force, the daemon tells, where we
 * see its mount. */
static int check_choice(const char *path, const struct config *config, struct err *err)
{
	char *mount = watch_find_mount(path), *name = NULL, *line = NULL;
	size_t size = 0, len = strlen("tables\t");
	int r = 0;

	FILE *file = mount && asprintf(&name, "%s/status", mount) >= 0 ? fopen(name, "re") : NULL;
	for (ssize_t n; r == 0 && file && (n = getline(&line, &size, file)) > 0;) {
		if (strncmp(line, "tables\t", len) != 0)
			continue;
		char *list = line + len;
		long list_len = line_unescape(list, (struct span){list, (size_t)n - len - 1});
		list[list_len < 0 ? 0 : list_len] = 0;
		if (strcmp(list, config->tables) != 0)
			r = err_set(
			    err, -EBUSY,
			    "`tables` in daystream.conf was changed, and daystreamfs sends what it said before (%s): "
			    "start that again first",
			    *list ? list : "all");
	}
	if (file)
		fclose(file);
	free(name);
	free(line);
	free(mount);
	return r;
}

static int run(const struct options *options, int dirfd, struct err *err)
{
	struct config config;
	struct position taken;
	char name[POSITION_TEXT_MAX];
	int wakefd = open_signals(err);
	int r = wakefd < 0 ? wakefd : config_read(&config, dirfd, err);

	if (r < 0)
		return wakefd < 0 ? r : err_prefix(err, r, "%s", options->path);
	if ((r = check_choice(options->path, &config, err)) < 0)
		goto out;
	/* What root makes, a daemon that is not root could not remove. */
	struct privileges privileges;
	int root = command_become(&privileges, dirfd, &config, err);
	if ((r = root) < 0)
		goto out;
	struct snapshot_request request = {.tables = options->tables,
	                                   .jobs = options->jobs,
	                                   .wakefd = wakefd,
	                                   .progress = progress_open("snapshot", 0)};
	r = snapshot_take(dirfd, &config, &request, &taken, err);
	progress_close(request.progress, r == 0);
	if (root)
		privileges_give(&privileges, dirfd, NULL);
	if (r == 0)
		puts(position_print(name, taken));
out:
	config_fini(&config);
	close(wakefd);
	return r;
}

int cmd_snapshot(int argc, char **argv)
{
	struct options options = {.jobs = 2};
	struct err err = {""};

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	int dirfd = open(options.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = dirfd < 0 ? err_errno(&err, "%s", options.path) : run(&options, dirfd, &err);
	if (dirfd >= 0)
		close(dirfd);
	if (r < 0)
		log_error("%s", err.text);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
