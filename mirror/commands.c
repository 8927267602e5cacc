#include "commands.h"

#include <string.h>

int commands_run(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--verify") == 0)
			return cmd_verify(argc, argv);
	return -1;
}
