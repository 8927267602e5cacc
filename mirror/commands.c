#include "commands.h"

#include <string.h>

/* A folder of a command's name can be given as ./import. */
static const struct {
	const char *name;
	char *usage_name;
	int (*run)(int argc, char **argv);
} commands[] = {
    {"import", (char[]){"deltamirror import"}, cmd_import},
    {"export", (char[]){"deltamirror export"}, cmd_export},
};

int commands_run(int argc, char **argv)
{
	for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		argv[1] = commands[i].usage_name;
		return commands[i].run(argc - 1, argv + 1);
	}
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--verify") == 0)
			return cmd_verify(argc, argv);
	return -1;
}
