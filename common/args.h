/*
 * args.h - the program's arguments, which everybody can read in the process list.
 */
#ifndef COMMON_ARGS_H
#define COMMON_ARGS_H

#include <stdbool.h>

/* First thing in main: returns a copy of argv that lasts as long as the process, and, where `secrets`,
 * blanks out all arguments that may hold a password where the process list has them. NULL: out of memory. */
char **args_take(int argc, char **argv, bool secrets);

/* Shows `title` in the process list in place of the arguments, and as the process's name. For a
 * child process; the copy stays. */
void args_rename(const char *title);

#endif
