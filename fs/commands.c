#include "commands.h"

#include <sys/signalfd.h>

error_t command_parse_one(int key, char *arg, struct argp_state *state)
{
	const char **only = state->input;

	switch (key) {
	case ARGP_KEY_ARG:
		if (*only)
			argp_error(state, "only one argument can be given: \"%s\" is too many", arg);
		*only = arg;
		return 0;
	case ARGP_KEY_END:
		if (!*only)
			argp_error(state, "an argument is needed");
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

int command_become(struct privileges *privileges, int dirfd, const struct config *config, struct err *err)
{
	struct err why;
	int r = privileges_choose_owner(privileges, dirfd, config->user, err);

	if (r < 0)
		return r;
	return privileges_connect(privileges, config->conninfo, &why) ? privileges_drop(privileges, err) : 1;
}

int command_signals(sigset_t *before, struct err *err)
{
	sigset_t ending;

	sigemptyset(&ending);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGHUP);
	sigprocmask(SIG_BLOCK, &ending, before);
	int fd = signalfd(-1, &ending, SFD_CLOEXEC);
	return fd < 0 ? err_errno(err, "preparing to be stopped") : fd;
}
