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
#include <sys/wait.h>
#include <unistd.h>

#include "await.h"
#include "commands.h"
#include "config.h"
#include "line.h"
#include "log.h"
#include "position.h"
#include "snapshot.h"
#include "watch.h"

enum { STATUS_MAX = 1 << 16, ANSWER_MS = 5000 };

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

/* A daemon that does not answer keeps a reader of its mount waiting, deaf to signals: a child reads. Returns what it
 * has read in time, to be freed, or NULL. */
static char *read_in_time(const char *name, int wakefd)
{
	char *text = calloc(1, STATUS_MAX);
	size_t len = 0;
	int fds[2];

	if (!text || pipe2(fds, O_CLOEXEC) < 0) {
		free(text);
		return NULL;
	}
	pid_t child = fork();
	if (child == 0) {
		int fd = open(name, O_RDONLY | O_CLOEXEC);
		ssize_t n = fd < 0 ? -1 : read(fd, text, STATUS_MAX - 1);
		_exit(n > 0 && write(fds[1], text, (size_t)n) == n ? 0 : EXIT_FAILURE);
	}
	close(fds[1]);
	struct pollfd polled[] = {{.fd = fds[0], .events = POLLIN}, {.fd = wakefd, .events = POLLIN}};
	ssize_t n = child < 0 ? 0 : 1;
	while (n > 0 && len < STATUS_MAX - 1 && await(polled, 2, ANSWER_MS) > 0 && !polled[1].revents)
		len += (size_t)((n = read(fds[0], text + len, STATUS_MAX - 1 - len)) > 0 ? n : 0);
	close(fds[0]);
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
	}
	if (len > 0)
		return text;
	free(text);
	return NULL;
}

/* A snapshot of other tables than those of the stream would be none. What is in force, the daemon tells, where we
 * see its mount and it answers. */
static int check_choice(const char *path, const struct config *config, int wakefd, struct err *err)
{
	char *mount = watch_find_mount(path), *name = NULL;
	char *text = mount && asprintf(&name, "%s/status", mount) >= 0 ? read_in_time(name, wakefd) : NULL;
	char *line = text && strncmp(text, "tables\t", 7) != 0 ? strstr(text, "\ntables\t") : text;
	int r = 0;

	if (line) {
		char *list = strchr(line, '\t') + 1;
		long len = line_unescape(list, (struct span){list, strcspn(list, "\n")});
		list[len < 0 ? 0 : len] = 0;
		if (strcmp(list, config->tables) != 0)
			r = err_set(
			    err, -EBUSY,
			    "`tables` in daystream.conf was changed, and daystreamfs sends what it said before (%s): "
			    "start that again first",
			    *list ? list : "all");
	}
	free(name);
	free(text);
	free(mount);
	return r;
}

static void warn(const char *sentence)
{
	log_warn("%s", sentence);
}

static int run(const struct options *options, int dirfd, struct err *err)
{
	struct config config;
	struct position taken;
	char name[POSITION_TEXT_MAX];
	int wakefd = command_signals(err);
	int r = wakefd < 0 ? wakefd : config_read(&config, dirfd, err);

	signal(SIGPIPE, SIG_IGN);
	if (r < 0)
		return wakefd < 0 ? r : err_prefix(err, r, "%s", options->path);
	if ((r = check_choice(options->path, &config, wakefd, err)) < 0)
		goto out;
	/* What root makes, a daemon that is not root could not remove. */
	struct privileges privileges;
	int root = command_become(&privileges, dirfd, &config, err);
	if ((r = root) < 0)
		goto out;
	struct snapshot_request request = {.tables = options->tables,
	                                   .jobs = options->jobs,
	                                   .wakefd = wakefd,
	                                   .warn = warn,
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
	int r = dirfd < 0 ? config_no_folder(options.path, &err) : run(&options, dirfd, &err);
	if (dirfd >= 0)
		close(dirfd);
	if (r < 0)
		log_error("%s", err.text);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
