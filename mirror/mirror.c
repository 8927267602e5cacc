#include "mirror.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "input.h"
#include "log.h"
#include "match.h"
#include "mountpoint.h"
#include "registry.h"
#include "stop.h"

/* What one SQLite transaction holds at most, but for the transaction that goes beyond: so much as SQLite gets line by
 * line or by full batches of coalesce.h; and of lines, that one such batch is large enough for. */
#define BATCH_LINES 100000
#define BATCH_BYTES (64u << 20)
#define BATCH_LINES_MOST 1000000
/* Trying again: wrong bytes may mend; a line that cannot be applied hardly. */
#define DAMAGE_TRIES 5
#define APPLY_TRIES 1
#define PAUSE_LEAST_MS 100
#define PAUSE_MOST_MS 3000
/* A file always ends on a commit: what does not is given that long to get complete. */
#define UNFINISHED_MS 10000

/* What a step came to. */
enum { GO_ON, DONE };

static void warn(const char *text)
{
	log_warn("%s", text);
}

const char *mirror_tables(const struct mirror_wish *wish)
{
	return wish->source.table ? wish->source.table : wish->tables;
}

int mirror_open(struct mirror *mirror, const struct mirror_wish *wish, const char *path, bool build,
                uint64_t newest_generation, struct err *err)
{
	struct database_want want = {.tables = wish->tables,
	                             .table_file = wish->source.table,
	                             .numeric = wish->numeric,
	                             .build = build,
	                             .stop_fd = stop_fd(),
	                             .warn = warn};

	*mirror = (struct mirror){.wish = wish, .pause_ms = PAUSE_LEAST_MS};
	int rc = database_open(&mirror->database, path, &want, err);
	if (rc == 0)
		rc = match_tables(&mirror->database, wish->source.mount, err);
	if (rc == 0)
		rc = apply_open(&mirror->apply, &mirror->database, mirror_tables(wish), newest_generation, warn, err);
	return rc;
}

void mirror_close(struct mirror *mirror)
{
	ahead_close(mirror->ahead);
	apply_close(mirror->apply);
	database_close(&mirror->database);
	mirror->ahead = NULL;
	mirror->apply = NULL;
}

/* Ends at once when a signal comes. */
static void pause_growing(struct mirror *mirror)
{
	stop_pause(mirror->pause_ms);
	mirror->pause_ms = 2 * mirror->pause_ms < PAUSE_MOST_MS ? 2 * mirror->pause_ms : PAUSE_MOST_MS;
}

static const char *source_name(const struct mirror *mirror)
{
	const struct follow_source *source = &mirror->wish->source;

	return source->file ? source->file : source->mount;
}

static int connect_mount(struct mirror *mirror, struct err *err)
{
	const struct database *database = &mirror->database;
	const struct follow_source *source = &mirror->wish->source;
	char at[POSITION_TEXT_MAX];

	int rc = match_source(&mirror->database, source, err);
	if (rc == 0)
		rc = ahead_open(&mirror->ahead, source, database->has_position ? &database->position : NULL, err);
	if (rc < 0)
		return rc;
	if (!mirror->away && !mirror->wish->once && mirror->tries == 0 && !mirror->quiet && !mirror->has_last)
		log_info("following %s %s %s", source_name(mirror), database->has_position ? "after" : "from its",
		         database->has_position ? position_print(at, database->position) : "beginning");
	mirror->unfinished_ms = 0;
	return 0;
}

/* What had not come before has come, or the end has. */
static void went_on(struct mirror *mirror)
{
	if (mirror->away)
		log_info("%s %s", source_name(mirror), mirror->blamed ? "can be read on" : "is back");
	mirror->away = mirror->blamed = false;
	mirror->pause_ms = PAUSE_LEAST_MS;
}

/* Undoes the batch; the stream is to be opened again. */
static int disconnect(struct mirror *mirror, struct err *err)
{
	ahead_close(mirror->ahead);
	mirror->ahead = NULL;
	return apply_rollback(mirror->apply, err);
}

static int commit(struct mirror *mirror, struct err *err)
{
	const struct database *database = &mirror->database;

	int rc = apply_commit(mirror->apply, err);
	if (rc < 0)
		return rc;
	bool further = database->has_position && position_cmp(database->position, mirror->trouble) > 0;
	if (!mirror->away || further)
		went_on(mirror);
	if (mirror->full)
		log_info("%s has space again", database->path);
	mirror->full = false;
	if (further)
		mirror->tries = 0;
	return 0;
}

static bool batch_full(const struct mirror *mirror)
{
	struct apply_amount written = apply_written(mirror->apply);

	return mirror->tries > 0 || mirror->away || written.lines >= BATCH_LINES || written.bytes >= BATCH_BYTES ||
	       apply_taken(mirror->apply).lines >= BATCH_LINES_MOST;
}

static bool interrupted(const struct mirror_goal *goal)
{
	return goal->interrupt && atomic_load(goal->interrupt);
}

/* Whether the database has all that belongs to --until, and `shown` all that the mount shows. */
static bool is_reached(struct mirror *mirror, bool shown)
{
	const struct database *database = &mirror->database;
	const struct mirror_wish *wish = mirror->wish;

	/* What is not committed yet may be undone. */
	mirror->reached = wish->until && (until_met(wish->until, database) ||
	                                  (mirror->has_last && position_cmp(database->position, mirror->last) >= 0) ||
	                                  (shown && until_shown(wish->until, database, wish->source.mount)));
	return mirror->reached;
}

static void tell_waiting(struct mirror *mirror)
{
	char at[POSITION_TEXT_MAX];

	if (!mirror->wish->until || mirror->waiting)
		return;
	mirror->waiting = true;
	log_info("the stream ends at %s; waiting for what shows that all until %s is there (--once ends here)",
	         position_print(at, mirror->database.position), mirror->wish->until->text);
}

/* There is no more at this time. */
static int at_end(struct mirror *mirror, const struct mirror_goal *goal, bool *from_apply, struct err *err)
{
	bool in_line = ahead_in_line(mirror->ahead);
	/* Of a table's file, a line that has not come wholly may belong to the last transaction. */
	bool unfinished = apply_in_transaction(mirror->apply) || (in_line && mirror->database.table_file);
	int rc = unfinished ? 0 : commit(mirror, err);

	*from_apply = rc < 0;
	if (rc < 0)
		return rc;
	/* sshfs shows a file that cannot be read on, a damaged one, as one that has ended. */
	if (mirror->away && ahead_is_cut(mirror->ahead))
		return err_set(err, -ENOTCONN, "%s ends before what is there", source_name(mirror));
	bool cut = goal->least && position_cmp(ahead_position(mirror->ahead), goal->position) < 0 &&
	           position_cmp(mirror->database.position, goal->position) < 0;
	if (!unfinished && !in_line && !cut) {
		mirror->unfinished_ms = 0;
		went_on(mirror);
		apply_caught_up(mirror->apply);
		if (is_reached(mirror, true) || goal->end || interrupted(goal))
			return DONE;
		tell_waiting(mirror);
	} else if (mirror->unfinished_ms == 0) {
		mirror->unfinished_ms = clock_ms();
	} else if (clock_ms() - mirror->unfinished_ms > UNFINISHED_MS) {
		char at[POSITION_TEXT_MAX];
		position_print(at, ahead_position(mirror->ahead));
		return err_set(
		    err, -EBADMSG,
		    "the stream ends after %s, %s: see in its /status whether a file of the store is damaged", at,
		    cut ? "before what is there" : "within a transaction");
	}
	ahead_wait(mirror->ahead, stop_fd());
	return GO_ON;
}

/* At a commit line, which has been applied. */
static int at_commit(struct mirror *mirror, const struct mirror_goal *goal, struct err *err)
{
	bool done = interrupted(goal) || is_reached(mirror, false) ||
	            (goal->at && position_cmp(ahead_position(mirror->ahead), goal->position) >= 0);

	if (!done && (mirror->whole || !batch_full(mirror)))
		return GO_ON;
	int rc = commit(mirror, err);
	return rc < 0 ? rc : done ? DONE : GO_ON;
}

/* At a line of a transaction that is later than --until. */
static int at_later(struct mirror *mirror, struct err *err)
{
	const struct database *database = &mirror->database;

	mirror->has_last = true;
	mirror->last = database->position;
	int rc = apply_in_transaction(mirror->apply) ? disconnect(mirror, err) : commit(mirror, err);
	return rc < 0 ? rc : is_reached(mirror, false) ? DONE : GO_ON;
}

static int look(const char *mount, const char *folder, const char *name)
{
	char path[4200];

	snprintf(path, sizeof path, "%s/%s%s", mount, folder, name);
	return input_look(path, NULL);
}

/* The file of a table of which a snapshot has the rows: 0: it is there by now; -ENOENT: the stream has no line of it yet; else
 * nothing is known, as where the mount is away. */
static int look_at_file(const struct mirror *mirror)
{
	const struct follow_source *source = &mirror->wish->source;

	if (!source->mount || !source->table || !mirror->database.has_position ||
	    !registry_named(apply_registry(mirror->apply), source->table) || look(source->mount, "", "live") != 0)
		return -ENOTCONN;
	int rc = look(source->mount, "tables/", source->table);
	return look(source->mount, "", "live") == 0 ? rc : -ENOTCONN;
}

static int at_no_line(struct mirror *mirror, const struct mirror_goal *goal)
{
	went_on(mirror);
	if (is_reached(mirror, true) || goal->end || interrupted(goal))
		return DONE;
	stop_pause(PAUSE_LEAST_MS);
	return GO_ON;
}

/* One line, or a wait for it. `from_apply` tells whose error it is. */
static int step(struct mirror *mirror, const struct mirror_goal *goal, bool *from_apply, struct err *err)
{
	const struct follow_line *line;

	*from_apply = false;
	int rc = mirror->ahead ? 0 : connect_mount(mirror, err);
	int file = rc == -ENOTCONN ? look_at_file(mirror) : -ENOTCONN;
	if (file == -ENOENT)
		return at_no_line(mirror, goal);
	if (file == 0) /* its first line may have come meanwhile */
		rc = connect_mount(mirror, err);
	if (rc == 0)
		rc = ahead_next(mirror->ahead, &line, err);
	if (rc < 0)
		return rc;
	if (rc == 0)
		return at_end(mirror, goal, from_apply, err);
	mirror->unfinished_ms = 0;
	*from_apply = true;
	if (mirror->wish->until && line->head.xid.at && !until_has(mirror->wish->until, &line->head))
		return at_later(mirror, err);
	/* Of a table's file, this tells that the transaction before was whole. */
	rc = line->begins && batch_full(mirror) && !mirror->whole ? commit(mirror, err) : 0;
	if (rc == 0) {
		/* What is wrong is to be known by its line. */
		apply_coalesce(mirror->apply, mirror->tries == 0);
		rc = apply_line(mirror->apply, &line->head, err);
	}
	return rc == 0 && line->commit ? at_commit(mirror, goal, err) : rc;
}

/* Of damage only where the mount was there, and could be read no further than the last time. */
static bool blame_damage(struct mirror *mirror, struct err *err)
{
	bool stuck =
	    mirror->ahead && (mirror->wish->once || mirror->whole ||
	                      (mirror->away && position_cmp(ahead_position(mirror->ahead), mirror->trouble) <= 0));
	char at[POSITION_TEXT_MAX];
	struct err reason = *err;

	if (!stuck || mirror->blamed || !mirror->wish->source.mount)
		return false;
	err_set(&reason, 0, "after %s: %s", position_print(at, mirror->database.position), err->text);
	if (!mountpoint_blame_damage(mirror->wish->source.mount, &reason))
		return false;
	*err = reason;
	return true;
}

static int wait_for_mount(struct mirror *mirror, struct err *err)
{
	bool blamed = blame_damage(mirror, err);

	if (mirror->wish->once || mirror->whole)
		return -ENOTCONN;
	if (!mirror->away || blamed)
		log_warn("%s; waiting for it", err->text);
	if (mirror->ahead && position_cmp(ahead_position(mirror->ahead), mirror->trouble) > 0)
		mirror->trouble = ahead_position(mirror->ahead);
	mirror->blamed |= blamed;
	mirror->away = true;
	int rc = mirror->ahead ? disconnect(mirror, err) : 0;
	pause_growing(mirror);
	return rc;
}

/* The batch comes again when there is space. What is building gives its own back instead, and ends. */
static int wait_for_space(struct mirror *mirror, struct err *err)
{
	if (mirror->wish->once || mirror->quiet)
		return -ENOSPC;
	if (!mirror->full)
		log_warn("%s; waiting for it", err->text);
	mirror->full = true;
	int rc = disconnect(mirror, err);
	/* What the WAL has beyond need may be all that is missing. */
	if (rc == 0 && (rc = database_make_room(&mirror->database, err)) == -ENOSPC)
		rc = 0;
	pause_growing(mirror);
	return rc;
}

/* Tries the same lines again, unless that was done often enough. */
static int try_again(struct mirror *mirror, int code, bool from_apply, struct err *err)
{
	struct position at = mirror->ahead ? ahead_position(mirror->ahead) : mirror->trouble;

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

	return err_set(err, code, "%.700s; --resync brings %.250s anew", reason.text, mirror->database.path);
}

/* An error of the line: those before it in its batch are not lost with it. */
static bool is_of_a_line(int code)
{
	static const int codes[] = {-ENOENT, -EEXIST, -ENOTSUP, -EFBIG, -EINVAL, -ESTALE};
	size_t i = 0;

	while (i < sizeof codes / sizeof *codes && codes[i] != code)
		i++;
	return i < sizeof codes / sizeof *codes;
}

/* After an error of step: 0 where it is to be tried again. */
static int recover(struct mirror *mirror, int code, bool from_apply, struct err *err)
{
	if (code == -EINTR)
		return 0;
	if (code == -ENOTCONN)
		return wait_for_mount(mirror, err);
	if (code == -ENOSPC)
		return wait_for_space(mirror, err);
	if (code == -EBADMSG || (from_apply && is_of_a_line(code)))
		return try_again(mirror, code, from_apply, err);
	if (code == -ESTALE && !from_apply && !mirror->quiet)
		return no_way_on(mirror, code, err);
	return code;
}

int mirror_run(struct mirror *mirror, const struct mirror_goal *goal, struct err *err)
{
	const struct database *database = &mirror->database;
	bool from_apply;
	int rc = GO_ON;

	if (goal->at && database->has_position && position_cmp(database->position, goal->position) >= 0)
		return 0;
	if (is_reached(mirror, false))
		return 0;
	while (rc != DONE && !stop_asked()) {
		/* Whatever is open here is whole only with the mount at hand. */
		if (!mirror->ahead && interrupted(goal))
			return 0;
		rc = step(mirror, goal, &from_apply, err);
		if (rc < 0 && mirror->whole && rc != -EINTR)
			return rc == -ENOTCONN ? wait_for_mount(mirror, err) : rc;
		if (rc < 0 && !stop_asked() && (rc = recover(mirror, rc, from_apply, err)) < 0)
			return rc;
	}
	return 0;
}

struct mirror_goal mirror_end(const struct mirror *mirror)
{
	struct mirror_goal goal = {.end = true};
	/* A table's file ends where its table's last line is. */
	char *value = mirror->database.table_file ? NULL : mountpoint_status(mirror->wish->source.mount, "position");

	goal.least = value && position_parse(value, strlen(value), &goal.position);
	free(value);
	return goal;
}

/* A stream that does not go on from a copy may go on from the next one, as where retention was faster. */
static int does_not_go_on(const struct mirror_wish *wish, struct err *err)
{
	struct err reason = *err;

	return err_set(err, -ESTALE, "%.900s; %s", reason.text,
	               wish->conninfo ? "a copy takes longer than keep_days and keep_bytes (daystream.conf) allow"
	                              : "`daystream snapshot` on the store takes a copy that it goes on from");
}

int mirror_run_to_end(struct mirror *mirror, struct err *err)
{
	struct mirror_goal goal = mirror_end(mirror);

	goal.at = goal.least;
	mirror->quiet = true;
	int rc = mirror_run(mirror, &goal, err);
	mirror->quiet = false;
	if (rc == -ESTALE && !mirror->wish->until)
		return does_not_go_on(mirror->wish, err);
	return rc == 0 && stop_asked() ? -EINTR : rc;
}

int mirror_settle(struct mirror *mirror, struct err *err)
{
	int rc = disconnect(mirror, err);

	if (rc == 0)
		rc = database_make_room(&mirror->database, err);
	return rc == -ENOSPC ? 0 : rc;
}
