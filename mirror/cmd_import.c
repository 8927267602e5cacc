#include <argp.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "import.h"
#include "log.h"
#include "places.h"
#include "stop.h"

enum { OPTION_REPLACE = 256, OPTION_KEY, OPTION_NUMERIC };

static const struct argp_option known[] = {
    {"replace", OPTION_REPLACE, NULL, 0, "Replace rows of the same key or, without a key, all rows of the table", 0},
    {"key", OPTION_KEY, "COLUMNS", 0, "The key, joined by commas: of a table that is made, the primary key", 0},
    {"numeric", OPTION_NUMERIC, "text|real", 0, "Keep numeric as exact text, or as the nearest double (text)", 0},
    {0},
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct import_options *options = state->input;
	const char **places[] = {&options->conninfo, &options->query, &options->path, &options->table};

	switch (key) {
	case OPTION_REPLACE: options->replace = true; return 0;
	case OPTION_KEY: options->key = arg; return 0;
	case OPTION_NUMERIC:
		if (!value_parse_numeric(arg, &options->numeric))
			argp_error(state, "--numeric=%s: give text or real", arg);
		return 0;
	default:
		return places_parse(key, arg, state, places, sizeof places / sizeof *places,
		                    "a connection string, a query, a database file and a table");
	}
}

int cmd_import(int argc, char **argv)
{
	static const struct argp argp = {
	    known,
	    parse,
	    "CONNINFO 'SELECT ...' DB.sqlite TABLE",
	    "Load the result of a query at a PostgreSQL server into a table of the SQLite database DB.sqlite.\v"
	    "The database and the table are made where they are not there; to a table that is there rows are added. "
	    "All rows arrive, or none. The table may not be one that a mirror keeps.",
	    NULL,
	    NULL,
	    NULL};
	struct import_options options = {0};
	struct err err = {0};

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	int rc = stop_catch(&err);
	if (rc == 0)
		rc = import_run(&options, &err);
	if (rc < 0)
		log_error("%s", err.text);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
