/*
 * commands.h - the subcommands of `daystream`, each in its cmd_<name>.c. They get
 * argv from their own name on and return the exit status: 0, 1 (failed), 2 (usage).
 */
#ifndef FS_COMMANDS_H
#define FS_COMMANDS_H

#include <argp.h>

#include "config.h"
#include "privileges.h"

enum { EXIT_USAGE = 2 };

/* argp's parser for commands that take one argument, which goes to *(const char **)state->input. */
error_t command_parse_one(int key, char *arg, struct argp_state *state);

/* Where root runs it: goes on as the user who works on the store (privileges.h), where that one can reach the server,
 * whose role it may be. 1: root has to stay, as the daemon does; 0: what follows is done as that user, or as who
 * started it. */
int command_become(struct privileges *privileges, int dirfd, const struct config *config, struct err *err);

/* A descriptor that is readable when it is time to stop: from now on SIGINT, SIGTERM and SIGHUP come there alone, if they were not
 * ignored. */
int command_signals(struct err *err);

int cmd_init(int argc, char **argv);
int cmd_cat(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_drop(int argc, char **argv);
int cmd_snapshot(int argc, char **argv);

#endif
