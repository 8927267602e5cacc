#include "follow.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "await.h"
#include "clock.h"
#include "input.h"
#include "lines.h"
#include "mountpoint.h"

#define PAUSE_LEAST_MS 5
#define PAUSE_MOST_MS 25
#define POLL_MS 1000
#define ASK_MS 1000

struct follow {
	const struct follow_source *source; /* NULL: a file that does not grow */
	struct lines lines;
	bool commits; /* they end transactions */
	bool gaps;
	bool within; /* the first transaction was not read from its start */
	struct position last;
	bool has_last;
	struct position from; /* before the first line, where it was opened */
	bool has_from;
	uint64_t last_xid;
	struct line_before before;
	struct position skip; /* of a plain file, what was applied already */
	int pause_ms;
	bool woken;       /* poll said ready since the last read */
	int64_t asked_ms; /* when it was looked whether the end is the end */
	int64_t size;     /* that the file told of then */
};

static int damaged(const struct follow *follow, const char *what, struct err *err)
{
	char at[POSITION_TEXT_MAX];

	if (!follow->has_last)
		return err_set(err, -EBADMSG, "the stream's first line: %s", what);
	return err_set(err, -EBADMSG, "after %s: %s", position_print(at, follow->last), what);
}

void follow_path(char *path, size_t size, const struct follow_source *source, const struct position *from)
{
	char since[80] = "";

	if (!source->mount) {
		snprintf(path, size, "%s", source->file);
		return;
	}
	if (from)
		snprintf(since, sizeof since, "since/%" PRIu64 "/%" PRIu64 "/", from->epoch, from->seq);
	if (source->table)
		snprintf(path, size, "%s/%stables/%s", source->mount, since, source->table);
	else
		snprintf(path, size, "%s/%slive", source->mount, since);
}

static void path_after(char *path, size_t size, const struct follow_source *source, const struct position *after)
{
	struct position from = {0};

	if (after)
		from = (struct position){after->epoch, after->seq + 1};
	follow_path(path, size, source, after ? &from : NULL);
}

/* A position that was given up is ESTALE, but so is an NFS mount that went
 * away, and sshfs knows no ESTALE at all: what /live begins with decides. */
static int open_failed(const struct follow_source *source, const struct position *after, int code, struct err *err)
{
	char path[4096], text[4096], at[POSITION_TEXT_MAX], first[POSITION_TEXT_MAX];
	struct line_head head;

	if (code == -ENOMEM)
		return code;
	if (after && source->mount) {
		snprintf(path, sizeof path, "%s/live", source->mount);
		if (mountpoint_first_line(path, text, sizeof text, &head) == 1 &&
		    (code == -ESTALE || position_cmp(head.position, *after) > 0))
			return err_set(err, -ESTALE, "the stream after %s is no longer retained: %s begins at %s",
			               position_print(at, *after), path, position_print(first, head.position));
	}
	return -ENOTCONN;
}

static struct follow *alloc(const struct follow_source *source, struct err *err)
{
	struct follow *follow = calloc(1, sizeof *follow);

	if (!follow) {
		err_set(err, -ENOMEM, "out of memory");
		return NULL;
	}
	follow->source = source;
	follow->lines.input.fd = -1;
	follow->commits = !source || (!source->table && !source->file);
	follow->gaps = !source || !follow->commits;
	return follow;
}

static int open_path(struct follow **opened, const struct follow_source *source, const char *path, struct err *err)
{
	struct follow *follow = alloc(source, err);
	int rc = follow ? lines_open(&follow->lines, path, err) : -ENOMEM;

	*opened = rc < 0 ? NULL : follow;
	if (rc < 0)
		follow_close(follow);
	return rc;
}

int follow_open(struct follow **opened, const struct follow_source *source, const struct position *after,
                struct err *err)
{
	char path[4096];

	path_after(path, sizeof path, source, after);
	int rc = open_path(opened, source, path, err);
	if (rc < 0)
		return open_failed(source, after, rc, err);
	if (after && source->mount) {
		(*opened)->last = *after;
		(*opened)->has_last = true;
	} else if (after) {
		/* Of a plain file, all that was applied comes first. */
		(*opened)->skip = *after;
	}
	return 0;
}

int follow_open_from(struct follow **opened, const struct follow_source *source, const struct position *from,
                     struct err *err)
{
	char path[4096];

	follow_path(path, sizeof path, source, from);
	int rc = open_path(opened, source, path, err);
	if (rc < 0)
		return open_failed(source, from, rc, err);
	(*opened)->within = from && from->seq > 0;
	(*opened)->has_from = from;
	(*opened)->from = from ? *from : (struct position){0};
	return 0;
}

int follow_open_read(struct follow **opened, const struct follow_read *source, struct err *err)
{
	struct follow *follow = alloc(NULL, err);

	*opened = NULL;
	if (!follow)
		return -ENOMEM;
	follow->commits = !source->table;
	follow->gaps = source->table;
	follow->within = source->within;
	int rc = lines_open_read(&follow->lines, source->read, source->ctx, err);
	if (rc < 0) {
		follow_close(follow);
		return rc;
	}
	*opened = follow;
	return 0;
}

int follow_open_second(struct follow **opened, const struct follow_source *source, uint64_t epoch, struct err *err)
{
	struct position from = {epoch, 0};
	int rc = follow_open_from(opened, source, epoch ? &from : NULL, err);

	return rc == -ESTALE ? follow_open(opened, source, NULL, err) : rc;
}

int follow_open_file(struct follow **opened, const char *path, struct err *err)
{
	return open_path(opened, NULL, path, err);
}

static bool ends_at(const struct line_head *head, const char *lsn)
{
	struct commit commit;
	char text[LSN_TEXT_MAX];

	return commit_parse(head, &commit) && strcmp(lsn_print(text, commit.lsn), lsn) == 0;
}

int follow_recognize(const struct follow_source *source, struct position commit, const char *lsn, struct err *err)
{
	char folder[4096], path[4200], text[4096], at[POSITION_TEXT_MAX];
	const char *mount = source->mount;
	struct line_head head;

	if (!mount)
		return 0;
	snprintf(folder, sizeof folder, "%s/by-time", mount);
	snprintf(path, sizeof path, "%s/%" PRIu64 "/%" PRIu64, folder, commit.epoch, commit.seq);
	int rc = mountpoint_first_line(path, text, sizeof text, &head);
	/* While a daemon is started again, its mountpoint is bare: nothing can be concluded from that. */
	if (rc == -ENOENT && input_kind(folder) == INPUT_FOLDER)
		rc = mountpoint_first_line(path, text, sizeof text, &head);
	/* What never was there, as long as there is a mount, or is not any more. */
	if (rc == -ENOENT && input_kind(folder) == INPUT_FOLDER)
		return open_failed(source, &commit, rc, err) == -ESTALE
		           ? -ESTALE
		           : err_set(err, -ESTALE, "%s shows another stream: it has no line %s", mount,
		                     position_print(at, commit));
	if (rc != 1 || !*lsn || position_cmp(head.position, commit) != 0 || ends_at(&head, lsn))
		return 0;
	return err_set(err, -ESTALE, "%s shows another stream: what ends at %s is not the transaction of LSN %s", mount,
	               position_print(at, commit), lsn);
}

void follow_close(struct follow *follow)
{
	if (!follow)
		return;
	lines_close(&follow->lines);
	free(follow);
}

/* Of a commit line, which was handed out last. */
static int check_crc(struct follow *follow, const struct line_head *head, struct err *err)
{
	struct commit commit;
	char at[POSITION_TEXT_MAX];

	if (!commit_parse(head, &commit) || !commit.has_crc)
		return damaged(follow, "what follows is not a commit line of the stream (docs/FORMAT.md)", err);
	uint32_t crc = follow->within ? commit.crc : lines_sum(&follow->lines, commit.crc_at);
	if (crc != commit.crc)
		return err_set(err, -EBADMSG,
		               "the transaction that commits at %s is damaged: its crc is %08" PRIx32
		               ", the line says %08" PRIx32,
		               position_print(at, head->position), crc, commit.crc);
	lines_sum_begin(&follow->lines);
	follow->within = false;
	return 0;
}

static int check_line(struct follow *follow, struct follow_line *line, struct err *err)
{
	struct line_head *head = &line->head;
	char text[80], at[POSITION_TEXT_MAX];
	uint64_t xid = 0;

	if (!line_parse_next(&follow->before, line->text, line->len, head) || !head->stamped)
		return damaged(follow, "what follows is not a line of the stream (docs/FORMAT.md)", err);
	bool follows = follow->gaps ? position_cmp(follow->last, head->position) < 0
	                            : position_follows(follow->last, head->position);
	if (follow->has_last && !follows) {
		snprintf(text, sizeof text, "the stream goes on at %s", position_print(at, head->position));
		return damaged(follow, text, err);
	}
	line->commit = follow->commits && !head->table.at && span_is(head->action, "commit");
	if (head->same)
		xid = follow->last_xid;
	else if (head->xid.at)
		position_parse_number(head->xid.at, head->xid.len, &xid);
	line->begins = !follow->commits && (xid == 0 || xid != follow->last_xid);
	follow->last_xid = xid;
	return line->commit ? check_crc(follow, head, err) : 0;
}

bool follow_is_cut(const struct follow *follow)
{
	return input_size(&follow->lines.input) > (int64_t)follow->lines.input.at;
}

/* Some time ago there was more already than what can be read now. */
static int check_size(struct follow *follow, struct err *err)
{
	int64_t at = (int64_t)follow->lines.input.at, size = follow->size;

	follow->size = input_size(&follow->lines.input);
	if (size <= at)
		return 0;
	int rc = lines_more(&follow->lines, err);
	return rc != 0 ? rc
	               : err_set(err, -ENOTCONN, "of the %lld bytes of %s only %lld can be read", (long long)size,
	                         follow->lines.path, (long long)at);
}

/* sshfs answers a read of a file that is dead at the other end (its mount there went away and
 * came back) or damaged as if it were the file's end. So where poll(2) tells nothing, a second look is taken
 * now and then, by a file opened afresh. */
static int ask_again(struct follow *follow, struct err *err)
{
	char path[4096], byte;
	int64_t now = clock_ms();
	struct input input;

	if (follow->pause_ms == 0 || now - follow->asked_ms < ASK_MS || !follow->source || !follow->source->mount)
		return 0;
	follow->asked_ms = now;
	int rc = check_size(follow, err);
	if (rc != 0)
		return rc < 0 ? rc : 0;
	if (follow->has_last)
		path_after(path, sizeof path, follow->source, &follow->last);
	else
		follow_path(path, sizeof path, follow->source, follow->has_from ? &follow->from : NULL);
	rc = input_open(&input, path, NULL);
	long n = rc < 0 ? rc : input_read(&input, &byte, 1);
	input_close(&input);
	if (n < 0)
		return err_set(err, -ENOTCONN, "cannot read %s: %s", path, strerror((int)-n));
	/* Unless it came just now. */
	rc = n > 0 && !follow_in_line(follow) ? lines_more(&follow->lines, err) : 1;
	return rc == 0 ? err_set(err, -ENOTCONN, "the open file does not show what %s does", path) : rc < 0 ? rc : 0;
}

static int at_end(struct follow *follow, struct err *err)
{
	const char *rest;
	size_t len = lines_rest(&follow->lines, &rest);

	if (follow->woken) {
		follow->pause_ms = follow->pause_ms ? 2 * follow->pause_ms : PAUSE_LEAST_MS;
		if (follow->pause_ms > PAUSE_MOST_MS)
			follow->pause_ms = PAUSE_MOST_MS;
	}
	follow->woken = false;
	/* The text has no such byte: what shows it has not come over the network yet. */
	if (memchr(rest, 0, len))
		return damaged(follow, "zeros stand where a line should", err);
	return ask_again(follow, err);
}

int follow_next(struct follow *follow, struct follow_line *line, struct err *err)
{
	int rc;

	do {
		rc = lines_next(&follow->lines, &line->text, &line->len, err);
		if (rc == 0)
			return at_end(follow, err);
		if (rc == -EBADMSG && !follow->lines.read) /* what reads for us says itself what is wrong */
			return damaged(follow, "a line has no end", err);
		if (rc < 0 || (rc = check_line(follow, line, err)) < 0)
			return rc;
		follow->last = line->head.position;
		follow->has_last = true;
	} while (position_cmp(follow->last, follow->skip) <= 0 && follow->skip.epoch > 0);
	follow->pause_ms = 0;
	follow->woken = false;
	return 1;
}

bool follow_in_line(const struct follow *follow)
{
	const char *rest;

	return lines_rest(&follow->lines, &rest) > 0;
}

struct position follow_position(const struct follow *follow)
{
	return follow->last;
}

void follow_wait(struct follow *follow, int stop_fd)
{
	int fd = follow->lines.input.fd;
	struct pollfd fds[2] = {{.fd = stop_fd, .events = POLLIN}, {.fd = fd, .events = POLLIN}};

	if (follow->pause_ms > 0 && await(fds, 1, follow->pause_ms) != 0)
		return;
	follow->woken = fd < 0 || (await(fds, 2, POLL_MS) > 0 && fds[1].revents != 0);
}
