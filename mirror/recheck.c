#include "recheck.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "database.h"
#include "keys.h"
#include "stop.h"

#define ROUNDS_MOST 60
#define PAUSE_MOST_MS 500
/* Looks in a row that have to say the same, where one does not tell. */
#define TIMES_ENOUGH 4
/* So many suspects' rows are kept and compared while the mirror moves. */
#define KEEP_ROWS 200
#define KEEP_BYTES (64u << 10)

struct recheck {
	struct suspects *suspects;
	struct lag *lag;
	const struct schema *schema;
	struct sides sides;
	bool by_text; /* some key is none of its type at the server */
	bool keep;
	bool stands;
};

enum turn { BEFORE, AFTER };

static int changed(struct err *err)
{
	return err_set(err, -ESTALE, "its definition changes all the time");
}

static struct suspect *first_open(struct suspects *suspects)
{
	struct suspect *suspect = suspects->all;

	while (suspect && suspect->verdict != SUSPECT_OPEN)
		suspect = suspect->hh.next;
	return suspect;
}

/* The mirror's row of a suspect, in sides.mirror. 1: there is one; 0: none. */
static int mirror_lookup(struct recheck *recheck, const struct suspect *suspect, struct err *err)
{
	struct value value;
	const char *at = NULL;

	sqlite3_reset(recheck->sides.stmt);
	for (int i = 1; suspect_next_value(suspect, &at, &value); i++) {
		int rc = value_put(recheck->sides.stmt, i, &value, err);
		if (rc < 0)
			return rc;
	}
	return sides_mirror_next(&recheck->sides, err);
}

static int open_lookup(struct recheck *recheck, struct err *err)
{
	const struct sides *sides = &recheck->sides;
	sqlite3_str *sql = sqlite3_str_new(NULL);
	unsigned put = 0;

	for (unsigned i = 0; i < sides->count; i++)
		if (sides_orders(sides, i))
			sqlite3_str_appendf(sql, "%s\"%w\" = ?", put++ ? " AND " : "WHERE ",
			                    sides->schema->columns[i].name);
	char *rest = sqlite3_str_finish(sql);
	int rc = rest ? sides_mirror_open(&recheck->sides, rest, err) : err_set(err, -ENOMEM, "out of memory");
	sqlite3_free(rest);
	return rc;
}

static void keep_row(struct recheck *recheck, struct suspect *suspect, struct err *err)
{
	long len = suspects_encode(recheck->suspects, &recheck->sides, recheck->sides.source, false, err);

	free(suspect->row);
	suspect->row = len > 0 && len < (long)KEEP_BYTES ? malloc((size_t)len) : NULL;
	if (suspect->row) {
		memcpy(suspect->row, recheck->suspects->room, (size_t)len);
		suspect->row_len = (size_t)len;
	}
}

/* One of the server's rows, in sides.source. */
static int note_row(struct recheck *recheck, enum turn turn, struct err *err)
{
	struct sides *sides = &recheck->sides;
	struct suspect *suspect;
	char version[sizeof suspect->version];

	int rc = suspects_find(recheck->suspects, sides, sides->source, &suspect, err);
	if (rc < 0 || !suspect || suspect->verdict != SUSPECT_OPEN)
		return rc;
	snprintf(version, sizeof version, "%.*s %.*s", (int)sides->lead[0].len, sides->lead[0].at,
	         (int)sides->lead[1].len, sides->lead[1].at);
	if (turn == BEFORE) {
		suspect->before++;
		memcpy(suspect->version, version, sizeof version);
		if (recheck->keep && sides->keyed)
			keep_row(recheck, suspect, err);
		return 0;
	}
	suspect->after++;
	suspect->moved = strcmp(suspect->version, version) != 0;
	suspect->busy = !span_is(sides->lead[2], "0");
	if (!sides->keyed)
		return 0;
	rc = mirror_lookup(recheck, suspect, err);
	suspect->mirror = rc > 0;
	if (rc > 0) {
		sqlite3_str *names = sqlite3_str_new(NULL);
		suspect->same = sides_same(sides, names);
		sqlite3_free(suspect->columns);
		suspect->columns = sqlite3_str_finish(names);
	}
	return rc < 0 ? rc : 0;
}

static int read_batch(struct recheck *recheck, const char *from, const char *where, enum turn turn, struct err *err)
{
	struct sides *sides = &recheck->sides;
	int rc = sides_source_open(sides, "t.ctid, t.xmin, t.xmax", 3, from, where, err);

	while (rc == 0 && (rc = sides_source_next(sides, err)) > 0)
		rc = note_row(recheck, turn, err);
	sides_source_close(sides);
	return rc;
}

static int read_batches(struct recheck *recheck, const char *from, enum turn turn, struct err *err)
{
	struct suspect *next = first_open(recheck->suspects);
	int rc = 0;

	if (!recheck->sides.keyed)
		return read_batch(recheck, from, "", turn, err);
	while (rc == 0 && next) {
		char *where = keys_where(&recheck->sides, &next, recheck->by_text, &rc);
		if (rc < 0)
			err_set(err, rc, "out of memory for a query");
		else if (where)
			rc = read_batch(recheck, from, where, turn, err);
		sqlite3_free(where);
	}
	return rc;
}

static void forget_turn(struct recheck *recheck, enum turn turn)
{
	for (struct suspect *suspect = recheck->suspects->all; suspect; suspect = suspect->hh.next) {
		suspect->after = 0;
		suspect->moved = suspect->busy = suspect->same = false;
		if (turn == AFTER)
			continue;
		suspect->before = suspect->mirror = 0;
		suspect->version[0] = 0;
		free(suspect->row);
		suspect->row = NULL;
	}
}

/* The server's rows, all in one snapshot. */
static int read_source(struct recheck *recheck, enum turn turn, struct err *err)
{
	struct server *server = recheck->lag->server;
	struct server_table table;
	struct err ignored;
	int rc = server_table_begin(server, recheck->schema->definition.relid, &table, err);

	if (rc == 0 || (rc == 1 && server_table_differs(&table, recheck->schema, &ignored)))
		rc = changed(err);
	forget_turn(recheck, turn);
	if (rc == 1)
		rc = read_batches(recheck, table.from, turn, err);
	server_table_end(server, &table);
	/* A key that a person put into the mirror may be none of its type: asked for as text, it is not found. */
	if (rc == -EPROTO && !recheck->by_text && recheck->sides.keyed) {
		recheck->by_text = true;
		return read_source(recheck, turn, err);
	}
	return rc;
}

/* While the mirror moves: a row that it shows as the server had it is no difference. */
static int look_meanwhile(void *ctx, struct err *err)
{
	struct recheck *recheck = ctx;
	struct suspects *suspects = recheck->suspects;
	struct err ignored;

	/* A table that is not as it was is found out afterwards. */
	if (!recheck->keep || !recheck->sides.keyed || reading_begin(recheck->lag->reading, &ignored) < 0)
		return 0;
	if (open_lookup(recheck, &ignored) == 0) {
		for (struct suspect *suspect = suspects->all; suspect; suspect = suspect->hh.next) {
			if (suspect->verdict != SUSPECT_OPEN || !suspect->row ||
			    mirror_lookup(recheck, suspect, &ignored) <= 0)
				continue;
			long len = suspects_encode(suspects, &recheck->sides, recheck->sides.mirror, false, err);
			if (len == (long)suspect->row_len && memcmp(suspect->row, suspects->room, (size_t)len) == 0)
				suspect->verdict = SUSPECT_EQUAL;
		}
	}
	sides_mirror_close(&recheck->sides);
	reading_end(recheck->lag->reading);
	return 0;
}

static int count_mirror(struct recheck *recheck, struct err *err)
{
	struct sides *sides = &recheck->sides;
	struct suspect *suspect;
	int rc = sides_mirror_open(sides, "", err);

	while (rc == 0 && (rc = sides_mirror_next(sides, err)) > 0) {
		rc = suspects_find(recheck->suspects, sides, sides->mirror, &suspect, err);
		if (suspect)
			suspect->mirror++;
	}
	return rc;
}

/* Those that the server has not. */
static int find_extra(struct recheck *recheck, struct err *err)
{
	int rc = 0;

	for (struct suspect *suspect = recheck->suspects->all; suspect && rc >= 0; suspect = suspect->hh.next)
		if (suspect->verdict == SUSPECT_OPEN && suspect->after == 0) {
			rc = mirror_lookup(recheck, suspect, err);
			suspect->mirror = rc > 0;
		}
	return rc < 0 ? rc : 0;
}

static int check_mirror(struct recheck *recheck, struct err *err)
{
	struct schema now;
	int rc = reading_table(recheck->lag->reading, recheck->schema->definition.relid, &now, err);

	if (rc >= 0 && (rc == 0 || now.displaced || strcmp(now.text, recheck->schema->text) != 0 ||
	                strcmp(now.name, recheck->schema->name) != 0))
		rc = changed(err);
	schema_fini(&now);
	return rc < 0 ? rc : 0;
}

static int read_both(struct recheck *recheck, struct err *err)
{
	struct reading *reading = recheck->lag->reading;
	bool keyed = recheck->sides.keyed;
	int rc = reading_begin(reading, err);

	if (rc == 0)
		rc = check_mirror(recheck, err);
	if (rc == 0)
		rc = keyed ? open_lookup(recheck, err) : count_mirror(recheck, err);
	if (rc == 0)
		rc = read_source(recheck, AFTER, err);
	if (rc == 0 && keyed)
		rc = find_extra(recheck, err);
	sides_mirror_close(&recheck->sides);
	reading_end(reading);
	return rc;
}

static enum suspect_verdict seen(const struct recheck *recheck, const struct suspect *suspect)
{
	if (suspect->after == suspect->mirror)
		return !recheck->sides.keyed || suspect->after == 0 || suspect->same ? SUSPECT_EQUAL
		                                                                     : SUSPECT_DIFFERING;
	return suspect->mirror > suspect->after ? SUSPECT_EXTRA : SUSPECT_MISSING;
}

static void conclude(const struct recheck *recheck, struct suspect *suspect)
{
	enum suspect_verdict now = seen(recheck, suspect);
	bool stood = recheck->sides.keyed && suspect->after > 0 && !suspect->busy;

	suspect->times = now == suspect->seen ? suspect->times + 1 : 1;
	suspect->seen = now;
	if (now == SUSPECT_EQUAL || recheck->stands)
		suspect->verdict = now;
	else if (suspect->before != suspect->after || (recheck->sides.keyed && suspect->moved))
		suspect->times = 0; /* it may be lag */
	else if (stood || suspect->times >= TIMES_ENOUGH)
		suspect->verdict = now;
}

static size_t count_open(const struct suspects *suspects)
{
	size_t count = 0;

	for (struct suspect *suspect = suspects->all; suspect; suspect = suspect->hh.next)
		count += suspect->verdict == SUSPECT_OPEN;
	return count;
}

static int look_again(struct recheck *recheck, struct err *err)
{
	int rc;

	recheck->keep = count_open(recheck->suspects) <= KEEP_ROWS;
	rc = read_source(recheck, BEFORE, err);
	if (rc == 0)
		rc = lag_pass(recheck->lag, look_meanwhile, recheck, err);
	if (rc < 0)
		return rc;
	recheck->stands = rc == 0;
	rc = read_both(recheck, err);
	if (rc < 0)
		return rc;
	for (struct suspect *suspect = recheck->suspects->all; suspect; suspect = suspect->hh.next)
		if (suspect->verdict == SUSPECT_OPEN)
			conclude(recheck, suspect);
	return 0;
}

int recheck_run(struct suspects *suspects, struct lag *lag, const struct schema *schema, struct err *err)
{
	struct recheck recheck = {.suspects = suspects, .lag = lag, .schema = schema};
	int rc = sides_init(&recheck.sides, lag->server, lag->reading, schema, err);

	for (int round = 1; rc == 0 && round <= ROUNDS_MOST && count_open(suspects) > 0; round++) {
		rc = look_again(&recheck, err);
		if (rc == 0 && count_open(suspects) > 0)
			stop_pause(20 * round < PAUSE_MOST_MS ? 20 * round : PAUSE_MOST_MS);
		if (rc == 0 && stop_asked())
			rc = err_set(err, -EINTR, "stopped");
	}
	sides_fini(&recheck.sides);
	return rc;
}
