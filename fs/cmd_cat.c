/*
 * daystream cat - the lines of the stream, from a moment to another, as they stand or as JSON.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "as_json.h"
#include "await.h"
#include "commands.h"
#include "held.h"
#include "log.h"
#include "moment.h"
#include "mountpoint.h"
#include "name.h"
#include "record.h"
#include "seek.h"

enum { PAUSE_LEAST_MS = 5, PAUSE_MOST_MS = 200, TRIES = 10 };

struct cat {
	const char *path; /* first, for command_parse_one */
	const char *tables;
	struct moment since, until;
	bool follow, json;

	struct stream *stream;
	struct shapes *shapes; /* for JSON */
	struct stream_lines *lines;
	const char *file;      /* the one table whose file is read; NULL: all lines are */
	struct position after; /* the end of what is printed, */
	bool has_after;
	char lsn[LSN_TEXT_MAX]; /* and its transaction's; or "" */
	uint64_t xid;           /* of a table's file: of the last line that is printed, */
	struct position last;   /* and the last line, */
	uint64_t last_xid;      /* and its */
	uint64_t generation;    /* when the following began */
	struct held held;
	char pairs[NAME_PAIRS_MAX]; /* of the last line that was looked at: is it wanted? */
	size_t pairs_len;
	bool wanted;
	bool over; /* what `until` leaves out has come, or nobody reads any more */
	bool away; /* the mount, or the table, and that was said */
	int pause_ms, tries;
};

/* ---- arguments ----------------------------------------------------------- */

static const struct argp_option options[] = {
    {"since", 's', "T", 0, "Begin at T: a position, an LSN or a time", 0},
    {"until", 'u', "T", 0, "End with what had been committed by T", 0},
    {"tables", 't', "LIST", 0, "Only the lines of these tables, as a,schema.b", 0},
    {"json", 'j', NULL, 0, "A JSON object for each line (docs/FORMAT.md, As JSON)", 0},
    {"follow", 'f', NULL, 0, "At the end, wait for more", 0},
    {0}};

static void parse_moment(struct moment *moment, const char *text, struct argp_state *state)
{
	struct err err;

	if (moment_parse(moment, text, &err) < 0)
		argp_error(state, "%s", err.text);
}

static void check_tables(const char *list, struct argp_state *state)
{
	char schema[NAME_RAW_MAX], table[NAME_RAW_MAX];
	const char *part = list;

	for (;;) {
		size_t len = strcspn(part, ",");
		if (!name_split(part, len, schema, table))
			argp_error(state, "--tables: no table is spelt \"%.*s\" (docs/FORMAT.md, A table's path name)",
			           (int)len, part);
		if (!part[len])
			return;
		part += len + 1;
	}
}

static void check_order(const struct cat *cat, struct argp_state *state)
{
	const struct moment *since = &cat->since, *until = &cat->until;
	bool lsn = since->kind == MOMENT_LSN;

	if (!since->kind || !until->kind || lsn != (until->kind == MOMENT_LSN))
		return; /* not to be compared */
	if (lsn ? until->lsn < since->lsn : position_cmp(until->position, since->position) < 0)
		argp_error(state, "--until is before --since");
}

static error_t parse_option(int key, char *arg, struct argp_state *state)
{
	struct cat *cat = state->input;

	switch (key) {
	case 's': parse_moment(&cat->since, arg, state); return 0;
	case 'u': parse_moment(&cat->until, arg, state); return 0;
	case 't':
		check_tables(arg, state);
		cat->tables = arg;
		return 0;
	case 'j': cat->json = true; return 0;
	case 'f': cat->follow = true; return 0;
	case ARGP_KEY_END: check_order(cat, state); return command_parse_one(key, arg, state);
	default: return command_parse_one(key, arg, state);
	}
}

static const struct argp argp = {
    options,
    parse_option,
    "STORE|MOUNTPOINT",
    "Prints the lines of the stream (docs/FORMAT.md). Transactions are printed whole, when "
    "their checksum is found right.\v"
    "T is a position (1507507200.10), an LSN (16/B374D848) or a time (2026-11-21 10:00, "
    "yesterday 18:00+01; local where it has no zone).",
    NULL,
    NULL,
    NULL};

/* ---- lines --------------------------------------------------------------- */

/* All up to `end` is whole. */
static int release(struct cat *cat, struct position end, struct err *err)
{
	cat->after = end;
	cat->has_after = true;
	cat->tries = 0;
	return held_release(&cat->held, err);
}

static int release_table(struct cat *cat, struct err *err)
{
	cat->xid = cat->last_xid;
	return release(cat, cat->last, err);
}

static bool is_wanted(struct cat *cat, const struct line_head *head)
{
	struct span pairs = head->table_pairs;
	char name[NAME_PATH_MAX];

	if (!cat->tables || cat->file)
		return true;
	if (!pairs.at)
		return false;
	if (pairs.len != cat->pairs_len || memcmp(pairs.at, cat->pairs, pairs.len) != 0) {
		cat->wanted = name_of_pairs(name, pairs) && name_listed(cat->tables, name, strlen(name));
		cat->pairs_len = pairs.len < sizeof cat->pairs ? pairs.len : 0;
		memcpy(cat->pairs, pairs.at, cat->pairs_len);
	}
	return cat->wanted;
}

static int print_json(struct cat *cat, const struct line_head *head, struct err *err)
{
	const struct shape *shape = NULL;
	struct json_object *object = NULL;
	size_t len;
	int r = shapes_note(cat->shapes, head, err);

	if (r == 0 && as_json_needs_shape(head))
		r = shapes_get(cat->shapes, head, &shape, err);
	if (r == 0)
		r = as_json_line(&object, head, shape, err);
	const char *text = object ? as_json_print(object, &len) : NULL;
	if (r == 0)
		r = text ? held_put(&cat->held, text, len, err) : err_set(err, -ENOMEM, "out of memory");
	json_object_put(object);
	return r;
}

static int print_line(struct cat *cat, const struct follow_line *line, struct err *err)
{
	int r = cat->json ? print_json(cat, &line->head, err) : held_put(&cat->held, line->text, line->len, err);

	return r < 0 ? r : held_put(&cat->held, "\n", 1, err);
}

static int take_commit(struct cat *cat, const struct line_head *head, struct err *err)
{
	struct commit commit;

	commit_parse(head, &commit);                /* follow_next did that */
	if (moment_before(&cat->since, commit.lsn)) /* an LSN that nothing had come behind yet */
		held_drop(&cat->held);
	else if (cat->since.kind == MOMENT_LSN)
		cat->since = (struct moment){0};
	if (!moment_has(&cat->until, head->position, commit.lsn)) {
		held_drop(&cat->held);
		cat->over = true;
		return 0;
	}
	lsn_print(cat->lsn, commit.lsn);
	return release(cat, head->position, err);
}

static uint64_t xid_of(const struct line_head *head)
{
	uint64_t xid = 0;

	if (head->xid.at)
		position_parse_number(head->xid.at, head->xid.len, &xid);
	return xid;
}

static int take_line(struct cat *cat, const struct follow_line *line, struct err *err)
{
	int r = 0;

	if (line->begins && cat->last.epoch) /* of a table's file: the transaction before is whole */
		r = release_table(cat, err);
	/* No commit line stands before its transaction's lines, and all of them have its second. */
	if (cat->until.kind != MOMENT_LSN && !moment_has(&cat->until, line->head.position, 0)) {
		held_drop(&cat->held);
		cat->over = true;
		return r;
	}
	if (r == 0 && is_wanted(cat, &line->head))
		r = print_line(cat, line, err);
	if (cat->file) {
		cat->last = line->head.position;
		cat->last_xid = xid_of(&line->head);
	}
	return r == 0 && line->commit ? take_commit(cat, &line->head, err) : r;
}

/* ---- waiting ------------------------------------------------------------- */

/* Waits so long at most, or until the reader of the output has closed it. */
static void pause_ms(struct cat *cat, int ms)
{
	struct pollfd out = {.fd = STDOUT_FILENO};
	struct stat st;
	bool pipe = fstat(STDOUT_FILENO, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));

	if (await(&out, pipe, ms) > 0)
		cat->over = true;
}

static void pause_growing(struct cat *cat)
{
	cat->pause_ms = cat->pause_ms ? 2 * cat->pause_ms : PAUSE_LEAST_MS;
	if (cat->pause_ms > PAUSE_MOST_MS)
		cat->pause_ms = PAUSE_MOST_MS;
	pause_ms(cat, cat->pause_ms);
}

/* ---- opening ------------------------------------------------------------- */

/* Whether the line that was printed last of a table's file is still there. */
static int recognize_line(const struct cat *cat, struct err *err)
{
	char path[4096], text[4096], at[POSITION_TEXT_MAX];
	struct line_head head;

	snprintf(path, sizeof path, "%s/by-time/%" PRIu64 "/%" PRIu64, cat->path, cat->after.epoch, cat->after.seq);
	return mountpoint_first_line(path, text, sizeof text, &head) != 1 || xid_of(&head) == cat->xid
	           ? 0
	           : err_set(err, -ESTALE, "%s shows another stream: at %s stands another transaction", cat->path,
	                     position_print(at, cat->after));
}

/* Where the stream is another one now, its positions mean something else. */
static int recognize(const struct cat *cat, struct err *err)
{
	const struct follow_source source = {.mount = cat->path};

	if (!stream_is_mount(cat->stream) || !cat->has_after || !(cat->file ? cat->xid > 0 : *cat->lsn))
		return 0;
	int r = follow_recognize(&source, cat->after, cat->lsn, err);
	return r == 0 && cat->file ? recognize_line(cat, err) : r;
}

static int open_lines(struct cat *cat, struct err *err)
{
	struct stream_file *file = NULL;
	struct position first;
	int r = cat->file ? stream_file_open(&file, cat->stream, cat->file, NULL, err) : 0;

	stream_file_close(file);
	if (r == 0)
		r = recognize(cat, err);
	if (r == 0 && cat->has_after)
		r = stream_lines_after(&cat->lines, cat->stream, cat->file, cat->after, err);
	else if (r == 0)
		r = stream_lines_open(
		    &cat->lines, cat->stream, cat->file,
		    cat->since.kind != MOMENT_NONE && moment_first(&cat->since, &first) ? &first : NULL, err);
	if (r == 0 && cat->away)
		log_info("%s is there again", cat->path);
	if (r == 0)
		cat->away = false;
	return r;
}

static void close_lines(struct cat *cat)
{
	held_drop(&cat->held);
	stream_lines_close(cat->lines);
	cat->lines = NULL;
	cat->last = (struct position){0};
}

static int open_stream(struct cat *cat, struct err *err)
{
	int r;

	while ((r = stream_open(&cat->stream, cat->path, cat->follow, err)) == -EAGAIN && !cat->over) {
		if (!cat->away)
			log_warn("%s; waiting for it", err->text);
		cat->away = true;
		pause_growing(cat);
	}
	if (r == 0 && cat->follow && cat->tables)
		cat->generation = stream_generation(cat->stream);
	return cat->over ? 0 : r;
}

static int start(struct cat *cat, struct err *err)
{
	/* A table's file has no commit lines, which tell where an `until` is that is no time, and a `since` that is yet
	 * to come. */
	if (cat->tables && !strchr(cat->tables, ',') && !(cat->follow && cat->since.kind == MOMENT_LSN) &&
	    (cat->until.kind == MOMENT_NONE || cat->until.kind == MOMENT_TIME))
		cat->file = cat->tables;
	int r = open_stream(cat, err);
	if (r < 0 || cat->over)
		return r;
	if (cat->json && !(cat->shapes = shapes_new(cat->stream)))
		r = err_set(err, -ENOMEM, "out of memory");
	if (r == 0 && cat->since.kind == MOMENT_LSN) {
		r = seek_lsn(cat->stream, cat->since.lsn, &cat->after, err);
		cat->has_after = r == 1;
	}
	return r < 0 ? r : 0;
}

/* ---- the end ------------------------------------------------------------- */

/* No table's line tells of it; so before any line is printed that came just now. */
static int check_generation(struct cat *cat, struct err *err)
{
	uint64_t now = held_is_empty(&cat->held) && cat->generation ? cat->generation : stream_generation(cat->stream);

	if (!now)
		return err_set(err, -ENOTCONN, "%s/status cannot be read", cat->path);
	if (!cat->generation)
		cat->generation = now;
	if (now == cat->generation)
		return 0;
	cat->held.released = 0; /* perhaps lines of it */
	held_drop(&cat->held);
	if (now < cat->generation) /* one stream's only grow */
		return err_set(err, -ESTALE, "%s shows another stream: of generation %" PRIu64 ", after %" PRIu64,
		               cat->path, now, cat->generation);
	return err_set(err, -ESTALE,
	               "%s: generation %" PRIu64
	               " has begun, and lines between it and the one before are missing: who keeps rows "
	               "begins anew from a snapshot; started again, daystream cat prints what follows",
	               cat->path, now);
}

/* `cut`: there should be more. */
static int at_end(struct cat *cat, bool cut, struct err *err)
{
	int r = 0;

	if (cat->follow && cat->tables)
		r = check_generation(cat, err);
	if (r == 0 && cat->file && !cut && cat->last.epoch) /* it ends where a transaction does */
		r = release_table(cat, err);
	if (r == 0)
		r = held_flush(&cat->held, err);
	if (r < 0 || (!cut && !cat->follow)) {
		cat->over = r == 0;
		return r;
	}
	if (cat->follow) {
		r = stream_lines_wait(cat->lines, err);
		pause_ms(cat, 0);
		return r;
	}
	if (++cat->tries <= TRIES) {
		pause_growing(cat);
		return 0;
	}
	err_set(err, -EIO, "%s ends before the length that it tells", cat->path);
	mountpoint_blame_damage(cat->path, err);
	return -EIO;
}

/* ---- the loop ------------------------------------------------------------ */

static int step(struct cat *cat, struct err *err)
{
	struct follow_line line;
	int r = cat->lines ? 0 : open_lines(cat, err);

	if (r < 0)
		return r;
	struct follow *follow = stream_lines_follow(cat->lines);
	r = follow_next(follow, &line, err);
	if (r == 0)
		return at_end(cat, follow_in_line(follow) || follow_is_cut(follow), err);
	if (r == 1 && stream_unsure(cat->stream, line.head.position))
		return at_end(cat, false, err);
	cat->pause_ms = 0;
	return r < 0 ? r : take_line(cat, &line, err);
}

/* After an error of step: 0 where it is to be tried again. */
static int recover(struct cat *cat, int code, struct err *err)
{
	bool away = code == -ENOTCONN || (code == -ENOENT && cat->file);

	if (code == -EINTR)
		return 0;
	if (code == -EPIPE) {
		cat->over = true;
		return 0;
	}
	if (code == -ENOTCONN && !cat->away && stream_is_mount(cat->stream))
		mountpoint_blame_damage(cat->path, err);
	if (!cat->follow || (!away && (code != -EBADMSG || ++cat->tries > TRIES)))
		return code;
	if (!cat->away)
		log_warn("%s; waiting for it", err->text);
	cat->away = true;
	if (cat->lines)
		close_lines(cat);
	pause_growing(cat);
	return 0;
}

static int run(struct cat *cat, struct err *err)
{
	int r = start(cat, err);

	while (r == 0 && !cat->over)
		if ((r = step(cat, err)) < 0)
			r = recover(cat, r, err);
	/* Of what failed, nothing that is not whole; of what is whole, all. */
	int written = held_flush(&cat->held, r < 0 ? NULL : err);
	return r < 0 || written == -EPIPE ? r : written;
}

int cmd_cat(int argc, char **argv)
{
	struct cat cat = {0};
	struct err err = {""};

	argp_parse(&argp, argc, argv, 0, NULL, &cat);
	int r = held_init(&cat.held, STDOUT_FILENO, &err);
	if (r == 0)
		r = run(&cat, &err);
	if (r < 0)
		log_error("%s", err.text);
	close_lines(&cat);
	held_fini(&cat.held);
	shapes_free(cat.shapes);
	stream_close(cat.stream);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
