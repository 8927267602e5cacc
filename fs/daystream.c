/*
 * daystream - makes, looks at, checks and gives up a store.
 */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "commands.h"
#include "log.h"
#include "pg.h"

static const struct {
	const char *name;
	char *full_name; /* for its --help */
	int (*run)(int argc, char **argv);
	const char *what;
} commands[] = {
    {"init", (char[]){"daystream init"}, cmd_init, "create a store and its replication slot"},
    {"snapshot", (char[]){"daystream snapshot"}, cmd_snapshot, "take a copy of the tables, for new followers"},
    {"cat", (char[]){"daystream cat"}, cmd_cat, "print lines of the stream, from a moment to another"},
    {"status", (char[]){"daystream status"}, cmd_status, "show how a store and its slot are"},
    {"check", (char[]){"daystream check"}, cmd_check, "verify every byte of a store"},
    {"drop", (char[]){"daystream drop"}, cmd_drop, "free the replication slot; the store stays"},
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

static void help(FILE *file)
{
	fputs("Usage: daystream COMMAND [OPTION...]\n\nCommands:\n", file);
	for (int i = 0; i < COMMAND_COUNT; i++)
		fprintf(file, "    %-9s %s\n", commands[i].name, commands[i].what);
	fputs("\n`daystream COMMAND --help` tells more; see also daystream(1).\n", file);
}

int main(int argc, char **argv)
{
	log_init("daystream");
	pg_init();
	if (!(argv = args_take(argc, argv, true))) {
		log_error("out of memory");
		return EXIT_FAILURE;
	}
	argp_err_exit_status = EXIT_USAGE;
	argp_program_version = "daystream " VERSION;
	if (argc < 2) {
		help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		help(stdout);
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		puts("daystream " VERSION);
		return 0;
	}
	for (int i = 0; i < COMMAND_COUNT; i++)
		if (strcmp(argv[1], commands[i].name) == 0) {
			argv[1] = commands[i].full_name;
			return commands[i].run(argc - 1, argv + 1);
		}
	log_error("there is no command \"%s\"; see daystream --help", argv[1]);
	return EXIT_USAGE;
}
