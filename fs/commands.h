/*
 * commands.h - the subcommands of `daystream`, each in its cmd_<name>.c. They get
 * argv from their own name on and return the exit status: 0, 1 (failed), 2 (usage).
 */
#ifndef FS_COMMANDS_H
#define FS_COMMANDS_H

enum { EXIT_USAGE = 2 };

int cmd_init(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_check(int argc, char **argv);
int cmd_drop(int argc, char **argv);

#endif
