#include <argp.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "filter.h"
#include "log.h"
#include "places.h"
#include "stop.h"
#include "verify.h"

#define WAIT_SECONDS 60
#define WAIT_SECONDS_MOST 1000000

enum { OPTION_VERIFY = 256, OPTION_TABLES, OPTION_WAIT };

static const struct argp_option known[] = {
    {"verify", OPTION_VERIFY, NULL, 0, "Compare the mirror with its server", 0},
    {"tables", OPTION_TABLES, "LIST", 0, "Compare these tables only: path names, joined by commas", 0},
    {"wait", OPTION_WAIT, "SECONDS", 0, "How long a mirror may make no step before it is taken to stand still (60)", 0},
    {0},
};

struct arguments {
	struct verify_options options;
	char *tables;
};

static int seconds(const char *text)
{
	char *end;
	long number = strtol(text, &end, 10);

	return *text && !*end && number >= 0 && number <= WAIT_SECONDS_MOST ? (int)number : -1;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	const char **places[] = {&arguments->options.conninfo, &arguments->options.path};
	struct err err;

	switch (key) {
	case OPTION_VERIFY: return 0;
	case OPTION_TABLES:
		free(arguments->tables);
		if (!(arguments->tables = filter_normalize(arg, &err)))
			argp_error(state, "%s", err.text);
		return 0;
	case OPTION_WAIT:
		if (seconds(arg) < 0)
			argp_error(state, "--wait %s: give a number of seconds", arg);
		arguments->options.wait_ms = seconds(arg) * 1000;
		return 0;
	default:
		return places_parse(key, arg, state, places, sizeof places / sizeof *places,
		                    "a connection string and a database file");
	}
}

int cmd_verify(int argc, char **argv)
{
	static const struct argp argp = {
	    known,
	    parse,
	    "--verify CONNINFO DB.sqlite",
	    "Compare every table of the mirror DB.sqlite with the live server that CONNINFO leads to.\v"
	    "The mirror may be followed meanwhile: what is only late is not counted. Prints a line for each table "
	    "and the keys of the rows that are missing, extra or different. Exit status 0 only when all is equal.",
	    NULL,
	    NULL,
	    NULL};
	struct arguments arguments = {.options = {.wait_ms = WAIT_SECONDS * 1000}};
	struct err err = {0};

	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	arguments.options.tables = arguments.tables;
	int rc = stop_catch(&err);
	if (rc == 0)
		rc = verify_run(&arguments.options, stdout, &err);
	if (rc < 0)
		log_error("%s", err.text);
	free(arguments.tables);
	return rc == 1 ? EXIT_SUCCESS : EXIT_FAILURE;
}
