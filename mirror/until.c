#include "until.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "follow.h"
#include "mountpoint.h"
#include "record.h"

bool until_has(const struct until *until, const struct line_head *head)
{
	struct commit commit;

	/* An LSN is told by the commit line alone; all have those above 0. */
	bool ends = !head->table.at && commit_parse(head, &commit);
	return moment_has(&until->moment, head->position, ends ? commit.lsn : 0);
}

static uint64_t database_lsn(const struct database *database)
{
	uint64_t lsn;

	return lsn_parse(database->lsn, strlen(database->lsn), &lsn) ? lsn : 0;
}

bool until_met(const struct until *until, const struct database *database)
{
	const struct moment *moment = &until->moment;

	if (!database->has_position)
		return false;
	if (moment->kind == MOMENT_POSITION)
		return position_cmp(database->position, moment->position) >= 0;
	return moment->kind == MOMENT_LSN && database_lsn(database) >= moment->lsn;
}

/* Up to which LSN the mount shows all that was committed; 0: it does not say. */
static uint64_t shown_lsn(const char *mount)
{
	char *source = mountpoint_status(mount, "source_lsn"), *lag = mountpoint_status(mount, "lag_bytes");
	uint64_t lsn = 0, bytes = 0;

	if (!source || !lag || !lsn_parse(source, strlen(source), &lsn) ||
	    position_parse_number(lag, strlen(lag), &bytes) != strlen(lag) || bytes > lsn)
		lsn = bytes = 0;
	free(source);
	free(lag);
	return lsn - bytes;
}

bool until_shown(const struct until *until, const struct database *database, const char *mount)
{
	struct position end;

	if (until_met(until, database))
		return true;
	if (until->moment.kind != MOMENT_LSN || shown_lsn(mount) < until->moment.lsn)
		return false;
	/* Asked for afterwards: what came in between may belong to it. */
	char *value = mountpoint_status(mount, "position");
	bool all = value && position_parse(value, strlen(value), &end) && database->has_position &&
	           position_cmp(database->position, end) >= 0;
	free(value);
	return all;
}

int until_check(const struct until *until, const struct database *database, struct err *err)
{
	char at[POSITION_TEXT_MAX];

	if (!database->has_position || moment_has(&until->moment, database->position, database_lsn(database)))
		return 0;
	return err_set(err, -ERANGE,
	               "%s stands at %s (LSN %s) already, after %s: a mirror does not go back; name a file that is not "
	               "there, which is built from an older snapshot",
	               database->path, position_print(at, database->position), database->lsn, until->text);
}

static int too_old(const struct until *until, const char *mount, struct position oldest, struct err *err)
{
	char at[POSITION_TEXT_MAX], when[40];
	time_t second = (time_t)oldest.epoch;
	struct tm tm;

	if (oldest.epoch == 0)
		return err_set(err, -ERANGE,
		               "%s has no snapshot, and its stream from where it began is no longer retained: there is "
		               "nothing to begin with",
		               mount);
	strftime(when, sizeof when, "%Y-%m-%d %H:%M:%S+00", gmtime_r(&second, &tm));
	return err_set(
	    err, -ERANGE,
	    "%s has nothing as old as %s to begin with: the oldest possible --until is %s, or a time after %s", mount,
	    until->text, position_print(at, oldest), when);
}

int until_beginning(const struct until *until, const char *mount, struct position oldest, struct err *err)
{
	const struct follow_source source = {.mount = mount};
	struct follow *follow = NULL;
	struct follow_line line;
	bool has = false;

	int rc = follow_open(&follow, &source, NULL, err);
	for (int i = 0; i < 2 && rc >= 0; i++)
		rc = follow_next(follow, &line, err);
	/* Only where a generation begins, a commit line comes next to the origin (docs/FORMAT.md). */
	if (rc == 1 && line.commit) {
		oldest = line.head.position;
		has = until_has(until, &line.head);
	}
	follow_close(follow);
	return rc < 0 ? rc : has ? 0 : too_old(until, mount, oldest, err);
}
