/*
 * deltamirror.c - the program: follows a mount into an SQLite database.
 *
 *                  a line                      end, or a full batch at a commit line
 *     follow_next ───────▶ apply_line ─────▶ apply_commit ─────▶ follow_wait ─▶ follow_next
 *         │                    │
 *         │ the mount is away  │ something is wrong
 *         ▼                    ▼
 *     apply_rollback, a pause, follow_open directly after the last apply_commit
 *
 * A line that cannot be applied is tried again: bytes that a network mount
 * made up look like it. On the way back there each transaction is committed
 * by itself, so that the mirror ends directly before the one that is wrong.
 */
#include <argp.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "apply.h"
#include "clock.h"
#include "commands.h"
#include "database.h"
#include "filter.h"
#include "follow.h"
#include "log.h"

/* What one SQLite transaction holds at most, but for the transaction that goes beyond. */
#define BATCH_LINES 100000
#define BATCH_BYTES (64u << 20)
/* Trying again: wrong bytes may mend; a line that cannot be applied hardly. */
#define DAMAGE_TRIES 5
#define APPLY_TRIES 1
#define PAUSE_LEAST_MS 100
#define PAUSE_MOST_MS 3000
/* A file always ends on a commit: what does not is given that long to get complete. */
#define UNFINISHED_MS 10000

struct mirror {
	const char *mount, *path;
	char *tables;
	bool once;

	struct database database;
	struct apply *apply;
	struct follow *follow; /* NULL while the mount is away */
	int pause_ms;
	bool away;             /* and it has been said */
	int64_t unfinished_ms; /* since when the stream ends within a transaction; 0: it does not */
	unsigned tries;
	struct position trouble; /* where the tries began: up to there each transaction is a batch */
};

static volatile sig_atomic_t stopped;
static int stop_fd = -1;

static void on_signal(int number)
{
	uint64_t one = 1;
	int saved = errno;

	(void)number;
	stopped = 1;
	if (write(stop_fd, &one, sizeof one) < 0)
		_exit(1);
	errno = saved;
}

static int catch_signals(struct err *err)
{
	/* No SA_RESTART: a read that hangs is to end. */
	struct sigaction action = {.sa_handler = on_signal};

	stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (stop_fd < 0 || sigaction(SIGTERM, &action, NULL) < 0 || sigaction(SIGINT, &action, NULL) < 0)
		return err_errno(err, "cannot catch signals");
	return 0;
}

static void warn(const char *text)
{
	log_warn("%s", text);
}

/* Ends at once when a signal comes. */
static void pause_growing(struct mirror *mirror)
{
	struct pollfd stop = {.fd = stop_fd, .events = POLLIN};

	poll(&stop, 1, mirror->pause_ms);
	mirror->pause_ms = 2 * mirror->pause_ms < PAUSE_MOST_MS ? 2 * mirror->pause_ms : PAUSE_MOST_MS;
}

static int connect_mount(struct mirror *mirror, struct err *err)
{
	const struct database *database = &mirror->database;
	char at[POSITION_TEXT_MAX];

	int rc = 0;
	if (database->has_position)
		rc = follow_recognize(mirror->mount, database->position, database->lsn, err);
	if (rc == 0)
		rc = follow_open(&mirror->follow, mirror->mount, database->has_position ? &database->position : NULL,
		                 err);
	if (rc < 0)
		return rc;
	if (mirror->away)
		log_info("%s is back", mirror->mount);
	else if (!mirror->once && mirror->tries == 0)
		log_info("following %s %s %s", mirror->mount, database->has_position ? "after" : "from its",
		         database->has_position ? position_print(at, database->position) : "beginning");
	mirror->away = false;
	mirror->unfinished_ms = 0;
	return 0;
}

/* Undoes the batch; the stream is to be opened again. */
static int disconnect(struct mirror *mirror, struct err *err)
{
	follow_close(mirror->follow);
	mirror->follow = NULL;
	return apply_rollback(mirror->apply, err);
}

static int commit(struct mirror *mirror, struct err *err)
{
	const struct database *database = &mirror->database;

	int rc = apply_commit(mirror->apply, err);
	if (rc < 0)
		return rc;
	mirror->pause_ms = PAUSE_LEAST_MS;
	if (mirror->tries && database->has_position && position_cmp(database->position, mirror->trouble) > 0)
		mirror->tries = 0;
	return 0;
}

static bool batch_full(const struct mirror *mirror)
{
	return mirror->tries > 0 || apply_lines(mirror->apply) >= BATCH_LINES ||
	       apply_bytes(mirror->apply) >= BATCH_BYTES;
}

/* There is no more at this time. 1: done; 0: go on. */
static int at_end(struct mirror *mirror, struct err *err)
{
	bool unfinished = apply_in_transaction(mirror->apply);
	int rc = unfinished ? 0 : commit(mirror, err);

	if (rc < 0)
		return rc;
	if (!unfinished && !follow_in_line(mirror->follow)) {
		mirror->unfinished_ms = 0;
		apply_caught_up(mirror->apply);
		if (mirror->once)
			return 1;
	} else if (mirror->unfinished_ms == 0) {
		mirror->unfinished_ms = clock_ms();
	} else if (clock_ms() - mirror->unfinished_ms > UNFINISHED_MS) {
		char at[POSITION_TEXT_MAX];
		return err_set(err, -EBADMSG, "the stream ends after %s, within a transaction",
		               position_print(at, follow_position(mirror->follow)));
	}
	follow_wait(mirror->follow, stop_fd);
	return 0;
}

/* One line, or a wait for it. 1: done; 0: go on. `from_apply` tells whose error it is. */
static int step(struct mirror *mirror, bool *from_apply, struct err *err)
{
	struct follow_line line;

	*from_apply = false;
	int rc = mirror->follow ? 0 : connect_mount(mirror, err);
	if (rc == 0)
		rc = follow_next(mirror->follow, &line, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return at_end(mirror, err);
	mirror->unfinished_ms = 0;
	*from_apply = true;
	rc = apply_line(mirror->apply, &line.head, err);
	return rc == 0 && line.commit && batch_full(mirror) ? commit(mirror, err) : rc;
}

static int wait_for_mount(struct mirror *mirror, struct err *err)
{
	if (mirror->once)
		return -ENOTCONN;
	if (!mirror->away)
		log_warn("%s; waiting for it", err->text);
	mirror->away = true;
	int rc = mirror->follow ? disconnect(mirror, err) : 0;
	pause_growing(mirror);
	return rc;
}

/* Tries the same lines again, unless that was done often enough. */
static int try_again(struct mirror *mirror, int code, bool from_apply, struct err *err)
{
	struct position at = mirror->follow ? follow_position(mirror->follow) : mirror->trouble;

	if (mirror->tries == 0 || position_cmp(at, mirror->trouble) > 0)
		mirror->trouble = at;
	if (++mirror->tries > (from_apply ? APPLY_TRIES : DAMAGE_TRIES))
		return code;
	if (mirror->tries == 1 && !from_apply)
		log_warn("%s; reading it again", err->text);
	struct err second;
	int rc = disconnect(mirror, &second);
	if (rc < 0) {
		*err = second;
		return rc;
	}
	pause_growing(mirror);
	return 0;
}

static int no_way_on(const struct mirror *mirror, int code, struct err *err)
{
	struct err reason = *err;

	return err_set(err, code, "%.700s; delete %.250s and start again", reason.text, mirror->path);
}

/* After an error of step: 0 where it is to be tried again. */
static int recover(struct mirror *mirror, int code, bool from_apply, struct err *err)
{
	if (code == -EINTR)
		return 0;
	if (code == -ENOTCONN)
		return wait_for_mount(mirror, err);
	if (code == -EBADMSG || (from_apply && (code == -ENOENT || code == -EEXIST)))
		return try_again(mirror, code, from_apply, err);
	if (code == -ESTALE && !from_apply)
		return no_way_on(mirror, code, err);
	return code;
}

static int run(struct mirror *mirror, struct err *err)
{
	bool from_apply;
	int rc;

	while ((rc = stopped ? 1 : step(mirror, &from_apply, err)) <= 0) {
		if (rc < 0 && !stopped && (rc = recover(mirror, rc, from_apply, err)) < 0)
			return rc;
	}
	return 0;
}

static int mirror_mount(struct mirror *mirror, struct err *err)
{
	char live[4096];

	mirror->pause_ms = PAUSE_LEAST_MS;
	int rc = catch_signals(err);
	if (rc < 0)
		return rc;
	/* Before a database is made that would stay empty. */
	snprintf(live, sizeof live, "%s/live", mirror->mount);
	if (mirror->once && access(live, R_OK) < 0)
		return err_errno(err, "cannot open %s", live);
	rc = database_open(&mirror->database, mirror->path, mirror->tables, stop_fd, err);
	if (rc == 0)
		rc = apply_open(&mirror->apply, &mirror->database, mirror->tables, follow_generation(mirror->mount),
		                warn, err);
	if (rc == 0)
		rc = run(mirror, err);
	follow_close(mirror->follow);
	apply_close(mirror->apply);
	database_close(&mirror->database);
	return rc;
}

enum { OPTION_TABLES = 256, OPTION_ONCE, OPTION_VERIFY };

static const struct argp_option options[] = {
    {"tables", OPTION_TABLES, "LIST", 0, "Mirror these tables only: path names, joined by commas", 0},
    {"once", OPTION_ONCE, NULL, 0, "Stop at the end of what is published", 0},
    {"verify", OPTION_VERIFY, NULL, 0, "Compare a mirror with its server; see --verify --help", 0},
    {0},
};

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct mirror *mirror = state->input;
	struct err err;

	switch (key) {
	case OPTION_TABLES:
		free(mirror->tables);
		if (!(mirror->tables = filter_normalize(arg, &err)))
			argp_error(state, "%s", err.text);
		return 0;
	case OPTION_ONCE: mirror->once = true; return 0;
	case ARGP_KEY_ARG:
		if (state->arg_num > 1)
			argp_error(state, "too many arguments: %s", arg);
		*(state->arg_num == 0 ? &mirror->mount : &mirror->path) = arg;
		return 0;
	case ARGP_KEY_END:
		if (state->arg_num < 2)
			argp_error(state, "give a mount point and a database file");
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

const char *argp_program_version = "deltamirror " VERSION;

int main(int argc, char **argv)
{
	static const struct argp argp = {
	    options,
	    parse_option,
	    "MOUNTPOINT DB.sqlite",
	    "Follow the change stream under MOUNTPOINT into the SQLite database DB.sqlite.\v"
	    "The database is made where it does not exist; otherwise the mirror goes on where it stood. "
	    "It may be read at any time. SIGTERM ends the program; it loses nothing.",
	    NULL,
	    NULL,
	    NULL};
	struct mirror mirror = {.database = {.lock_fd = -1}};
	struct err err = {0};

	log_init("deltamirror");
	argp_err_exit_status = 2;
	int status = commands_run(argc, argv);
	if (status >= 0)
		return status;
	argp_parse(&argp, argc, argv, 0, NULL, &mirror);
	int rc = mirror_mount(&mirror, &err);
	if (rc < 0)
		log_error("%s", err.text);
	free(mirror.tables);
	return rc < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
