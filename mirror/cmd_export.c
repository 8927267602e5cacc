#include <argp.h>
#include <stdlib.h>

#include "commands.h"
#include "export.h"
#include "log.h"
#include "places.h"
#include "stop.h"

static error_t parse(int key, char *arg, struct argp_state *state)
{
	struct export_options *options = state->input;
	const char **places[] = {&options->path, &options->query, &options->conninfo, &options->table};

	return places_parse(key, arg, state, places, sizeof places / sizeof *places,
	                    "a database file, a query, a connection string and a table");
}

int cmd_export(int argc, char **argv)
{
	static const struct argp argp = {
	    NULL,
	    parse,
	    "DB.sqlite 'SELECT ...' CONNINFO TABLE",
	    "Send the result of a query in the SQLite database DB.sqlite to a table of a PostgreSQL server.\v"
	    "The query's columns go to the table's columns of their names. TABLE is written as in SQL. All rows "
	    "arrive, or none.",
	    NULL,
	    NULL,
	    NULL};
	struct export_options options = {0};
	struct err err = {0};

	argp_parse(&argp, argc, argv, 0, NULL, &options);
	int rc = stop_catch(&err);
	if (rc == 0)
		rc = export_run(&options, &err);
	if (rc < 0)
		log_error("%s", err.text);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
