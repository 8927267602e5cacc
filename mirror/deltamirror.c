/*
 * deltamirror.c - the program: its arguments, and which way they lead.
 */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "args.h"
#include "build.h"
#include "commands.h"
#include "dbfile.h"
#include "filter.h"
#include "input.h"
#include "lines.h"
#include "log.h"
#include "mirror.h"
#include "name.h"
#include "nfs.h"
#include "pg.h"
#include "places.h"
#include "resync.h"
#include "stop.h"
#include "until.h"

struct arguments {
	struct mirror_wish wish;
	const char *place, *path;
	char *tables, *resync_tables;
	char *url;           /* `place` over NFS, without options */
	char *mount, *table; /* what `place` leads to, where that is a table's file */
	struct until until;
};

/* ---- the place to read: a mount, the file of a table in one, or a copy of such a file */

/* The table of a copied file is what its first line says. */
static int table_of_file(const char *path, char *name, struct err *err)
{
	struct line_head head;
	struct lines lines;
	const char *text;
	size_t len, name_len = 0;

	int rc = lines_open(&lines, path, err);
	if (rc == 0 && lines_next(&lines, &text, &len, err) == 1 && line_parse(text, len, &head))
		name_len = name_of_pairs(name, head.table_pairs);
	lines_close(&lines);
	if (rc < 0 || name_len > 0)
		return rc;
	return err_set(err, -EINVAL, "%s is neither a mount point nor a table's file: no line of a table begins it",
	               path);
}

/* Splits MOUNT/tables/NAME; false where `place` does not look so. */
static bool split_table(struct arguments *arguments)
{
	char schema[NAME_RAW_MAX], table[NAME_RAW_MAX];
	bool whole = arguments->place[0] == '/' || arguments->url;
	char *absolute = whole ? strdup(arguments->place) : NULL;

	if (!absolute && asprintf(&absolute, "./%s", arguments->place) < 0)
		return false;
	char *name = strrchr(absolute, '/');
	*name++ = 0;
	char *folder = strrchr(absolute, '/');
	if (!folder || strcmp(folder, "/tables") != 0 || !name_split(name, strlen(name), schema, table)) {
		free(absolute);
		return false;
	}
	*folder = 0;
	arguments->table = strdup(name);
	arguments->mount = absolute;
	return arguments->table;
}

/* What is mounted is what the table's file is in. */
static int find_nfs(struct arguments *arguments, struct err *err)
{
	if (!(arguments->url = strdup(arguments->place)))
		return err_set(err, -ENOMEM, "out of memory");
	char *options = nfs_cut_options(arguments->url);
	arguments->place = arguments->url;
	return nfs_use(split_table(arguments) ? arguments->mount : arguments->url, options, err);
}

/* /since/<epoch>/<seq> has files of the same names. What is there before and after was there all the time. */
static int check_mount(const char *mount, struct err *err)
{
	char live[4096], since[4096];

	snprintf(live, sizeof live, "%s/live", mount);
	snprintf(since, sizeof since, "%s/since", mount);
	if (input_kind(live) < 0 || input_kind(since) != -ENOENT || input_kind(live) < 0)
		return 0;
	return err_set(err, -EINVAL, "%s is not where daystreamfs mounts a store: it has no folder since", mount);
}

static int find_place(struct arguments *arguments, struct err *err)
{
	struct follow_source *source = &arguments->wish.source;
	char live[4096], name[NAME_PATH_MAX];

	int rc = nfs_is_url(arguments->place) ? find_nfs(arguments, err) : 0;
	if (rc < 0)
		return rc;
	int kind = input_kind(arguments->place);
	bool there = kind >= 0;
	source->mount = arguments->place;
	if (kind == INPUT_FOLDER) {
		snprintf(live, sizeof live, "%s/segments", arguments->place);
		return input_kind(live) < 0 ? check_mount(arguments->place, err)
		                            : err_set(err, -EINVAL,
		                                      "%s is a store: give the place where daystreamfs "
		                                      "mounts it",
		                                      arguments->place);
	}
	/* Where nothing is there now, a mount may be away. */
	if (arguments->mount || split_table(arguments)) {
		snprintf(live, sizeof live, "%s/live", arguments->mount);
		if (!there || input_kind(live) >= 0) {
			*source = (struct follow_source){.mount = arguments->mount, .table = arguments->table};
			return check_mount(arguments->mount, err);
		}
	}
	if (!there)
		return 0;
	rc = table_of_file(arguments->place, name, err);
	if (rc < 0)
		return rc;
	free(arguments->table);
	arguments->table = strdup(name);
	*source = (struct follow_source){.file = arguments->place, .table = arguments->table};
	return arguments->table ? 0 : err_set(err, -ENOMEM, "out of memory");
}

/* What does not go together. */
static int check_wish(const struct mirror_wish *wish, struct err *err)
{
	if (wish->until && (wish->source.table || wish->conninfo || wish->resync || wish->resync_tables))
		return err_set(err, -EINVAL, "--until goes with neither %s: %s",
		               wish->source.table ? "one table's file" : "--from nor --resync",
		               wish->source.table
		                   ? "its lines do not tell where a transaction ends; --tables narrows a mirror"
		                   : "it builds a mirror from a snapshot that is old enough");
	if (!wish->source.table)
		return 0;
	if (wish->tables || wish->resync_tables || wish->conninfo)
		return err_set(err, -EINVAL,
		               "%s is one table's file: it goes with neither --tables, --from nor --resync=TABLE",
		               wish->source.file ? wish->source.file : wish->source.table);
	return 0;
}

/* ---- the ways */

/* Of --until. */
static void say_end(const struct mirror *mirror)
{
	const struct database *database = &mirror->database;
	const char *until = mirror->wish->until->text;
	char at[POSITION_TEXT_MAX];

	position_print(at, database->position);
	if (mirror->reached)
		log_info("%s is as of %s: it stands at %s (LSN %s)", database->path, until, at, database->lsn);
	else
		log_warn("%s stands at %s (LSN %s), where the stream ends now: what was committed by %s may still come",
		         database->path, at, database->lsn, until);
}

/* Follows, and brings the mirror anew where nothing else helps and that was asked for. */
static int follow_on(struct mirror *mirror, struct err *err)
{
	const struct mirror_wish *wish = mirror->wish;
	const struct mirror_goal goal = wish->once ? mirror_end(mirror) : (struct mirror_goal){.end = false};
	int rc;

	while ((rc = mirror_run(mirror, &goal, err)) == -ESTALE && wish->resync) {
		log_warn("%s", err->text);
		if ((rc = resync_all(mirror, err)) < 0)
			break;
	}
	if (rc == 0 && wish->until && !stop_asked())
		say_end(mirror);
	return rc;
}

static int run(const struct mirror_wish *wish, struct err *err)
{
	char path[4096];
	const char *mount = wish->source.mount;
	struct mirror mirror = {.database = {.lock_fd = -1}};

	snprintf(path, sizeof path, "%s/live", mount ? mount : "");
	int rc = wish->once && mount ? input_look(path, err) : 0;
	if (rc < 0)
		return rc;
	int found = dbfile_look(wish->path, err);
	rc = found == 0 ? build_new(wish, err) : found < 0 ? found : 0;
	if (rc == 0)
		rc = mirror_open(&mirror, wish, wish->path, false, 0, err);
	if (rc == 0 && wish->until)
		rc = until_check(wish->until, &mirror.database, err);
	if (rc == 0)
		build_sweep(wish);
	if (rc == 0 && found && wish->resync)
		rc = resync_all(&mirror, err);
	if (rc == 0 && found && wish->resync_tables)
		rc = resync_tables(&mirror, err);
	if (rc == 0)
		rc = follow_on(&mirror, err);
	if (rc == 0)
		rc = mirror_settle(&mirror, err);
	mirror_close(&mirror);
	return rc;
}

/* ---- arguments */

enum { OPTION_TABLES = 256, OPTION_ONCE, OPTION_FROM, OPTION_RESYNC, OPTION_VERIFY, OPTION_NUMERIC, OPTION_UNTIL };

static const struct argp_option options[] = {
    {"tables", OPTION_TABLES, "LIST", 0, "Mirror these tables only: path names, joined by commas", 0},
    {"once", OPTION_ONCE, NULL, 0, "Stop at the end of what is published", 0},
    {"until", OPTION_UNTIL, "T", 0,
     "End with the last transaction that was committed by T: a time, a position or an LSN", 0},
    {"from", OPTION_FROM, "CONNINFO", 0, "Copy the rows that are there from this server, not from a snapshot", 0},
    {"resync", OPTION_RESYNC, "LIST", OPTION_ARG_OPTIONAL,
     "Bring the mirror anew, or only these tables while the others go on", 0},
    {"numeric", OPTION_NUMERIC, "text|real", 0,
     "Keep numeric as exact text (which is the default), or as the nearest double", 0},
    {"verify", OPTION_VERIFY, NULL, 0, "Compare a mirror with its server; see --verify --help", 0},
    {0},
};

/* "" is no list. More than one join. */
static void add_list(char **list, const char *more, struct argp_state *state)
{
	char *joined = NULL;
	struct err err;

	if (asprintf(&joined, "%s%s%s", *list ? *list : "", *list ? "," : "", more) < 0)
		argp_failure(state, EXIT_FAILURE, 0, "out of memory");
	free(*list);
	*list = filter_normalize(joined, &err);
	free(joined);
	if (!*list)
		argp_error(state, "%s", err.text);
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct arguments *arguments = state->input;
	struct mirror_wish *wish = &arguments->wish;
	const char **places[] = {&arguments->place, &arguments->path};
	enum numeric numeric;
	error_t unknown;
	struct err err;

	switch (key) {
	case OPTION_TABLES:
		free(arguments->tables);
		arguments->tables = NULL;
		add_list(&arguments->tables, arg, state);
		return 0;
	case OPTION_NUMERIC:
		if (!value_parse_numeric(arg, &numeric))
			argp_error(state, "--numeric=%s: give text or real", arg);
		wish->numeric = arg;
		return 0;
	case OPTION_UNTIL:
		if (moment_parse(&arguments->until.moment, arg, &err) < 0)
			argp_error(state, "--until: %s", err.text);
		arguments->until.text = arg;
		wish->until = &arguments->until;
		return 0;
	case OPTION_ONCE: wish->once = true; return 0;
	case OPTION_FROM: wish->conninfo = arg; return 0;
	case OPTION_RESYNC:
		if (arg)
			add_list(&arguments->resync_tables, arg, state);
		else
			wish->resync = true;
		return 0;
	default:
		unknown = places_parse(key, arg, state, places, sizeof places / sizeof *places,
		                       "a mount point and a database file");
		if (key == ARGP_KEY_END && (!*arguments->place || !*arguments->path))
			argp_error(state, "the mount point and the database file need a name");
		return unknown;
	}
}

const char *argp_program_version = "deltamirror " VERSION;

int main(int argc, char **argv)
{
	static const struct argp argp = {
	    options,
	    parse_option,
	    "MOUNTPOINT[/tables/TABLE] DB.sqlite\n--verify CONNINFO DB.sqlite\nimport CONNINFO QUERY DB.sqlite "
	    "TABLE\nexport DB.sqlite QUERY CONNINFO TABLE",
	    "Follow the change stream under MOUNTPOINT (a folder, or nfs://HOST/PATH), or one table's file of it, into "
	    "the SQLite database "
	    "DB.sqlite.\v"
	    "The database is made where it does not exist, from the newest snapshot; otherwise the mirror goes on "
	    "where "
	    "it stood. It may be read at any time. SIGTERM ends the program; it loses nothing.",
	    NULL,
	    NULL,
	    NULL};
	struct arguments arguments = {0};
	struct mirror_wish *wish = &arguments.wish;
	struct err err = {0};

	log_init("deltamirror");
	pg_init();
	if (!(argv = args_take(argc, argv, true))) {
		log_error("out of memory");
		return EXIT_FAILURE;
	}
	argp_err_exit_status = 2;
	/* Debian's SQLite reads a name that begins with "file:" as more than a name. */
	sqlite3_config(SQLITE_CONFIG_URI, 0);
	int status = commands_run(argc, argv);
	if (status >= 0)
		return status;
	argp_parse(&argp, argc, argv, 0, NULL, &arguments);
	wish->path = arguments.path;
	wish->tables = arguments.tables;
	wish->resync_tables = arguments.resync_tables;
	signal(SIGPIPE, SIG_IGN); /* a log that nobody reads is no reason to end */
	/* Nobody asks, and each count takes a lock. */
	sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
	int rc = stop_catch(&err);
	if (rc == 0)
		rc = find_place(&arguments, &err);
	if (rc == 0)
		rc = check_wish(wish, &err);
	if (rc == 0)
		rc = run(wish, &err);
	/* -EINTR: a signal came, and all ended as it should. */
	bool failed = rc < 0 && !(rc == -EINTR && stop_asked());
	if (failed)
		log_error("%s", err.text);
	nfs_end();
	free(arguments.url);
	free(arguments.mount);
	free(arguments.table);
	free(arguments.tables);
	free(arguments.resync_tables);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
