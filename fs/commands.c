#include "commands.h"

#include <signal.h>
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

int command_signals(struct err *err)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action;
	sigset_t ending;

	sigemptyset(&ending);
	for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
		/* One that was ignored before (nohup) would come, too, once it is blocked. */
		if (sigaction(signals[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(&ending, signals[i]);
	sigprocmask(SIG_BLOCK, &ending, NULL);
	int fd = signalfd(-1, &ending, SFD_CLOEXEC);
	return fd < 0 ? err_errno(err, "preparing to be stopped") : fd;
}
