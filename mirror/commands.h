/*
 * commands.h - the commands of deltamirror beside following a mount.
 *
 * Each reads its own arguments (argp), catches signals, logs, and returns the program's exit status.
 */
#ifndef MIRROR_COMMANDS_H
#define MIRROR_COMMANDS_H

/* Returns -1 where the arguments name none of them. */
int commands_run(int argc, char **argv);

int cmd_verify(int argc, char **argv);
int cmd_import(int argc, char **argv);
int cmd_export(int argc, char **argv);

#endif
