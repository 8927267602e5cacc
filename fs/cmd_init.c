/*
 * daystream init - creates a store and its slot; on a store whose slot cannot go
 * on, a new generation of it.
 */
#include <argp.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "commands.h"
#include "config.h"
#include "fit.h"
#include "log.h"
#include "name.h"
#include "origin.h"
#include "privileges.h"
#include "server.h"
#include "store.h"

struct init {
	const char *path;
	const char *conninfo, *slot, *tables; /* NULL where not given */
	struct config config;
	bool again;          /* the store was there before */
	bool made_slot;      /* by this run */
	bool writing;        /* what stands in the folder from here on is ours */
	struct store *store; /* open where `again` */
	PGconn *conn, *replication;
	struct origin origin;
	struct position after;
	uint64_t least; /* second of its first line */
	uint64_t lsn;   /* where the generation starts */
};

static bool good_tables(const char *list)
{
	for (;;) {
		char schema[NAME_RAW_MAX], table[NAME_RAW_MAX];
		size_t n = strcspn(list, ",");
		if (!name_split(list, n, schema, table))
			return false;
		if (!list[n])
			return true;
		list += n + 1;
	}
}

static bool good_slot(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len < 64 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == len;
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct init *init = state->input;

	switch (key) {
	case 'c': init->conninfo = arg; break;
	case 's':
		if (!good_slot(arg))
			argp_error(state, "a slot's name consists of a-z, 0-9 and _: \"%s\"", arg);
		init->slot = arg;
		break;
	case 't':
		if (*arg && !good_tables(arg))
			argp_error(state, "--tables needs table or schema.table, joined by commas: \"%s\"", arg);
		init->tables = arg;
		break;
	case ARGP_KEY_ARG:
		if (init->path)
			argp_error(state, "only one STORE can be given");
		init->path = arg;
		break;
	case ARGP_KEY_END:
		if (!init->path)
			argp_error(state, "STORE is needed");
		break;
	default: return ARGP_ERR_UNKNOWN;
	}
	return 0;
}

static const struct argp_option options[] = {
    {"conninfo", 'c', "CONNINFO", 0, "how to reach the server, as libpq takes it (default: the PG* variables)", 0},
    {"slot", 's', "NAME", 0, "the replication slot to create (default: daystream)", 0},
    {"tables", 't', "LIST", 0, "only these tables: table or schema.table, joined by commas (default: all)", 0},
    {0},
};
static const struct argp argp = {
    options,
    parse_option,
    "STORE",
    "Creates the folder STORE, the replication slot that feeds it, and its daystream.conf. Says what the server lacks, "
    "with the statement to run, and which tables' changes cannot be placed.\v"
    "On a store that is there already and whose slot is lost, or whose server is another one now, it starts a new "
    "generation: what the store holds stays, and mirrors start again from there on.",
    NULL,
    NULL,
    NULL};

static void say_warning(const char *sentence)
{
	log_warn("%s", sentence);
}

static void say_error(const char *sentence)
{
	log_error("%s", sentence);
}

/* ---- the folder --------------------------------------------------------- */

static bool only_lost_and_found(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	bool empty = dir != NULL;

	while (dir && (entry = readdir(dir)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
		    strcmp(entry->d_name, "lost+found") != 0)
			empty = false;
	if (dir)
		closedir(dir);
	return empty;
}

/* Opens the folder: creates it, or finds it empty, or finds a store in it. */
static int open_folder(struct init *init, int *dirfd, bool *created, struct err *err)
{
	*created = mkdir(init->path, 0700) == 0;
	if (!*created && errno != EEXIST)
		return err_errno(err, "creating %s", init->path);
	*dirfd = open(init->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*dirfd < 0)
		return err_errno(err, "opening %s", init->path);
	init->again = faccessat(*dirfd, "daystream.conf", F_OK, 0) == 0;
	if (init->again) {
		int r = config_read(&init->config, *dirfd, err);
		return r < 0 ? err_prefix(err, r, "%s", init->path) : 0;
	}
	if (!*created && faccessat(*dirfd, "segments", F_OK, 0) == 0)
		return err_set(
		    err, -ENOTEMPTY,
		    "%s has segments, but no daystream.conf: it was removed, or a daystream init broke off; put it "
		    "back, or remove the folder (and the slot that init may have made)",
		    init->path);
	if (!*created && !only_lost_and_found(init->path))
		return err_set(err, -ENOTEMPTY, "%s holds something else: give a new or an empty folder", init->path);
	/* The folder's own name is to be as durable as what it will hold. */
	int parent = *created ? openat(*dirfd, "..", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
	if (parent >= 0) {
		fsync(parent);
		close(parent);
	}
	if (faccessat(*dirfd, ".", W_OK, 0) < 0)
		return err_errno(err, "%s cannot be written", init->path);
	return 0;
}

static int settle_config(struct init *init, struct err *err)
{
	struct config *config = &init->config;

	if (!init->again)
		*config = (struct config){.conninfo = strdup(""),
		                          .slot = strdup("daystream"),
		                          .tables = strdup(""),
		                          .snapshot = strdup("auto"),
		                          .user = strdup(""),
		                          .segment_bytes = 268435456,
		                          .keep_days = 7,
		                          .reserve_bytes = CONFIG_RESERVE};
	char **settings[] = {&config->conninfo, &config->slot, &config->tables};
	const char *given[] = {init->conninfo, init->slot, init->tables};
	for (int i = 0; i < 3; i++)
		if (given[i]) {
			free(*settings[i]);
			*settings[i] = strdup(given[i]);
		}
	if (!config->conninfo || !config->slot || !config->tables || !config->snapshot || !config->user)
		return err_set(err, -ENOMEM, "out of memory");
	return 0;
}

/* ---- the server --------------------------------------------------------- */

/* All that can be known is told at once: what would be missing, and then what has to be mended. */
static int tell_problems(struct init *init, struct err *err)
{
	char where[512];
	int r;

	if ((r = server_weak_tables(init->conn, init->config.tables, say_warning, err)) < 0 ||
	    (r = server_closed_tables(init->conn, init->config.tables, say_warning, err)) < 0 ||
	    (r = server_problems(init->conn, !init->again, say_error, err)) <= 0)
		return r;
	pg_where(init->conn, where, sizeof where);
	return err_set(err, -EPROTO, "the server %s is not ready: mend the above and run this again", where);
}

static int connect_both(struct init *init, struct err *err)
{
	char where[512];
	int r = pg_connect(&init->conn, init->config.conninfo, false, -1, err);

	if (r < 0)
		return err_prefix(err, r, "connecting to the server");
	/* The daemon may be started by another user, and while the server is away. */
	char *conninfo = pg_with_role(init->config.conninfo, init->conn);
	if (!conninfo)
		return err_set(err, -ENOMEM, "out of memory");
	free(init->config.conninfo);
	init->config.conninfo = conninfo;
	if ((r = tell_problems(init, err)) < 0)
		return r;
	pg_where(init->conn, where, sizeof where);
	if ((r = pg_connect(&init->replication, init->config.conninfo, true, -1, err)) < 0)
		return err_prefix(err, r, "connecting to %s for replication", where);
	return 0;
}

/* True where the store's own slot, whatever --slot says, is there for it to go on. */
static int can_go_on(struct init *init, const struct store_end *end, struct err *err)
{
	uint64_t idle = store_confirmed(init->store)->now.idle_lsn, durable = idle > end->lsn ? idle : end->lsn;
	struct origin origin = end->origin;
	struct fit fit;
	int r = fit_check(init->replication, &origin, origin.slot, durable, -1, &fit, err);

	return r == -EPROTO ? 0 : r < 0 ? r : 1;
}

/* Where the store has lost what it once had, its slot cannot go on. The new generation begins behind that, too: in a
 * second of its own, since what is missing had numbers in the last one. */
static bool is_short(struct init *init, const struct store_end *end)
{
	char has[POSITION_TEXT_MAX], had[POSITION_TEXT_MAX];
	struct position mark = store_confirmed(init->store)->now.last;

	if (position_cmp(end->last, mark) >= 0)
		return false;
	log_warn("%s ends at %s, and was whole up to %s once: what came between is lost", init->path,
	         position_print(has, end->last), position_print(had, mark));
	init->least = mark.epoch + 1;
	return true;
}

/* What an existing store means for the server it meets. 0: a new generation is
 * due, from init->lsn where the slot can stay. */
static int judge_store(struct init *init, const struct server_slot *slot, struct err *err)
{
	struct store_end end;

	store_end(init->store, &end);
	init->after = end.last;
	init->origin.generation = end.origin.generation + 1;
	if (slot->active)
		return err_set(err, -EBUSY, "the replication slot \"%s\" is in use: stop daystreamfs first",
		               init->config.slot);
	if (slot->exists && strcmp(slot->plugin, "deltaflood") != 0)
		return err_set(err, -EEXIST,
		               "the replication slot \"%s\" belongs to the plugin \"%s\"; give another --slot",
		               init->config.slot, slot->plugin);
	init->lsn = slot->exists && strcmp(slot->wal_status, "lost") != 0 ? slot->confirmed_lsn : 0;
	if (is_short(init, &end))
		return 0;
	int r = can_go_on(init, &end, err);
	if (r > 0 && !init->slot && fit_named(init->config.slot, &end.origin, err) < 0)
		return -EINVAL;
	if (r > 0)
		return err_set(err, -EEXIST,
		               "%s is a store already, and its slot \"%s\" can go on: start daystreamfs (or, to "
		               "end this generation for all who follow it, run daystream drop first)",
		               init->path, end.origin.slot);
	return r;
}

/* Who loses patience leaves no slot in the making, which would be there as long as the transactions that it waits for. */
static int create_slot(struct init *init, struct err *err)
{
	int wakefd = command_signals(err); /* from here on, until there is a store or nothing is left */
	int r = wakefd < 0 ? wakefd : server_create_slot(init->replication, init->config.slot, wakefd, &init->lsn, err);

	if (wakefd >= 0)
		close(wakefd);
	init->made_slot = r == 0 || r == -EINTR || r == -EAGAIN; /* it may have come just then */
	return r;
}

/* The schema is saved before the slot is there, so that the stream does not begin
 * with it, and after all reasons to refuse. */
static int make_slot(struct init *init, struct server_origin *saved, struct err *err)
{
	struct server_slot slot = {0};
	uint64_t server_lsn;
	int r;

	init->origin.generation = 1;
	if ((r = server_identify(init->replication, &init->origin, &server_lsn, err)) < 0 ||
	    (r = server_slot(init->conn, init->config.slot, -1, &slot, err)) < 0)
		return r;
	if (init->again && (r = judge_store(init, &slot, err)) < 0)
		return r;
	if (!init->again && slot.exists)
		return server_slot_exists(init->config.slot, err);
	if ((r = server_save_schema(init->conn, init->config.slot, saved, err)) < 0 || init->lsn)
		return r;
	if (init->again && slot.exists && (r = server_drop_slot(init->conn, init->config.slot, err)) < 0)
		return r;
	log_info("creating the replication slot \"%s\" (this waits for transactions that are open now)",
	         init->config.slot);
	return create_slot(init, err);
}

/* ---- the store ---------------------------------------------------------- */

static int write_store(struct init *init, int dirfd, const struct server_origin *saved, struct err *err)
{
	struct confirmed_file confirmed;
	int r;

	init->writing = true;
	if (fchmod(dirfd, 0700) < 0)
		return err_errno(err, "closing %s to others", init->path);
	if (mkdirat(dirfd, "segments", 0700) < 0 && errno != EEXIST)
		return err_errno(err, "creating %s/segments", init->path);
	int segments = openat(dirfd, "segments", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (segments < 0)
		return err_errno(err, "opening %s/segments", init->path);
	snprintf(init->origin.slot, sizeof init->origin.slot, "%s", init->config.slot);
	uint64_t second = saved->second > init->least ? saved->second : init->least;
	/* What a former generation had confirmed is over, before there is a new one; in both
	 * slots of the file, so that no later write of it needs space. */
	if ((r = confirmed_open(&confirmed, dirfd, true, err)) == 0) {
		if ((r = confirmed_write(&confirmed, (struct confirmed){0}, err)) == 0)
			r = confirmed_write(&confirmed, (struct confirmed){0}, err);
		confirmed_close(&confirmed);
	}
	if (r == 0)
		r = origin_write(segments, init->after, second, &init->origin, saved->xid, init->lsn, saved->time, err);
	close(segments);
	if (r == 0)
		r = config_write(&init->config, dirfd, err);
	return r < 0 ? err_prefix(err, r, "%s", init->path) : 0;
}

/* Who will work on the store, where root makes it: what the server says to that user is known now. */
static int settle_user(struct init *init, int dirfd, struct privileges *privileges, struct err *err)
{
	struct config *config = &init->config;
	struct err why;
	int r = privileges_choose(privileges, dirfd, config->user, err);

	if (r < 0 || privileges_connect(privileges, config->conninfo, &why))
		return r;
	log_warn("%s; it is written there now", why.text);
	privileges->drop = false;
	free(config->user);
	config->user = strdup("root");
	return config->user ? 0 : err_set(err, -ENOMEM, "out of memory");
}

static int run(struct init *init, int *dirfd, bool *created, struct err *err)
{
	struct server_origin saved;
	struct privileges privileges = {0};
	struct err given;
	int r;

	if ((r = open_folder(init, dirfd, created, err)) < 0 || (r = settle_config(init, err)) < 0)
		return r;
	if (init->again && (r = store_open(&init->store, init->path, STORE_RENEW, err)) < 0)
		return r;
	if ((r = connect_both(init, err)) < 0)
		return r;
	if ((r = make_slot(init, &saved, err)) == 0 && (r = settle_user(init, *dirfd, &privileges, err)) == 0 &&
	    (r = write_store(init, *dirfd, &saved, err)) == 0 && privileges_give(&privileges, *dirfd, &given) < 0)
		log_warn("%s", given.text); /* the daemon will try again, and say what follows from it */
	/* A slot without a store pins WAL for nobody. */
	if (r < 0 && init->made_slot && server_drop_slot(init->conn, init->config.slot, NULL) == -EAGAIN)
		log_warn("the server does not answer: where it has a slot \"%s\" later on, run: SELECT "
		         "pg_drop_replication_slot('%s');",
		         init->config.slot, init->config.slot);
	return r;
}

/* There was none before, so all are of this run. */
static void remove_segments(int dirfd)
{
	struct position *list = NULL;
	size_t count = 0;
	int segments = openat(dirfd, "segments", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (segments < 0)
		return;
	if (segment_list(segments, true, &list, &count, NULL) == 0)
		for (size_t i = 0; i < count; i++) {
			char name[SEGMENT_NAME_MAX];
			unlinkat(segments, segment_name(name, list[i]), 0);
		}
	free(list);
	close(segments);
}

static void undo_folder(const struct init *init, int dirfd, bool created)
{
	if (init->again || dirfd < 0)
		return;
	if (init->writing) {
		remove_segments(dirfd);
		unlinkat(dirfd, "daystream.conf.new", 0);
		unlinkat(dirfd, "confirmed", 0);
		unlinkat(dirfd, "segments", AT_REMOVEDIR);
	}
	if (created)
		rmdir(init->path);
}

int cmd_init(int argc, char **argv)
{
	struct init init = {0};
	struct err err = {""};
	int dirfd = -1;
	bool created = false;

	argp_parse(&argp, argc, argv, 0, NULL, &init);
	int r = err_full(&err, run(&init, &dirfd, &created, &err));
	if (r < 0) {
		log_error("%s", err.text);
		undo_folder(&init, dirfd, created);
	} else {
		log_info("%s is ready%s; now run: daystreamfs %s MOUNTPOINT", init.path,
		         init.again ? ", with a new generation" : "", init.path);
	}
	PQfinish(init.replication);
	PQfinish(init.conn);
	store_close(init.store);
	config_fini(&init.config);
	if (dirfd >= 0)
		close(dirfd);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
