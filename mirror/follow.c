#include "follow.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "crc32c.h"
#include "record.h"

#define READ_SIZE ((size_t)1 << 20)
#define BUFFER_SIZE (2 * READ_SIZE)
/* PostgreSQL sends no message above 1 GiB, which escaping at most doubles. */
#define LINE_MAX_LEN ((size_t)1 << 31)
#define PAUSE_LEAST_MS 5
#define PAUSE_MOST_MS 200
#define POLL_MS 1000
#define ASK_MS 1000

struct follow {
	const char *mount;
	int fd;
	/* buffer[start..end) has not been handed out; buffer[start..scanned)
	 * has no '\n'; buffer[summed..start) is not in crc yet. */
	char *buffer;
	size_t size, start, end, scanned, summed;
	uint32_t crc;
	struct position last;
	bool has_last;
	int pause_ms;
	bool woken;       /* poll said ready since the last read */
	int64_t asked_ms; /* when it was looked whether the end is the end */
};

static int damaged(const struct follow *follow, const char *what, struct err *err)
{
	char at[POSITION_TEXT_MAX];

	if (!follow->has_last)
		return err_set(err, -EBADMSG, "the stream's first line: %s", what);
	return err_set(err, -EBADMSG, "after %s: %s", position_print(at, follow->last), what);
}

/* The head of the file's first line, which points into `text`. 1; 0: no whole line there; a negative errno. */
static int first_line(const char *path, char *text, size_t size, struct line_head *head)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ssize_t n = read(fd, text, size);
	int rc = n < 0 ? -errno : 0;
	close(fd);
	char *newline = n > 0 ? memchr(text, '\n', (size_t)n) : NULL;
	return newline && line_parse(text, (size_t)(newline - text), head) && head->stamped ? 1 : rc;
}

static int oldest_position(const char *mount, struct position *oldest)
{
	char path[4096], text[4096];
	struct line_head head;

	snprintf(path, sizeof path, "%s/live", mount);
	int rc = first_line(path, text, sizeof text, &head);
	if (rc == 1)
		*oldest = head.position;
	return rc;
}

/* A position that was given up is ESTALE, but so is an NFS mount that went
 * away, and sshfs knows no ESTALE at all: what /live begins with decides. */
static int open_failed(const char *mount, const char *path, const struct position *after, struct err *err)
{
	int code = errno;
	struct position oldest;
	char at[POSITION_TEXT_MAX], first[POSITION_TEXT_MAX];

	if (after && oldest_position(mount, &oldest) == 1 && (code == ESTALE || position_cmp(oldest, *after) > 0))
		return err_set(err, -ESTALE, "the stream after %s is no longer retained: %s/live begins at %s",
		               position_print(at, *after), mount, position_print(first, oldest));
	return err_set(err, -ENOTCONN, "cannot open %s: %s", path, strerror(code));
}

/* The growing file directly after a position, or from the oldest line. */
static void path_after(char *path, size_t size, const char *mount, const struct position *after)
{
	if (after)
		snprintf(path, size, "%s/since/%" PRIu64 "/%" PRIu64 "/live", mount, after->epoch, after->seq + 1);
	else
		snprintf(path, size, "%s/live", mount);
}

int follow_open(struct follow **opened, const char *mount, const struct position *after, struct err *err)
{
	char path[4096];
	struct follow *follow = calloc(1, sizeof *follow);
	int rc;

	*opened = NULL;
	if (!follow || !(follow->buffer = malloc(BUFFER_SIZE))) {
		free(follow);
		return err_set(err, -ENOMEM, "out of memory for a buffer of %zu bytes", BUFFER_SIZE);
	}
	follow->size = BUFFER_SIZE;
	follow->mount = mount;
	path_after(path, sizeof path, mount, after);
	follow->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (follow->fd < 0) {
		rc = open_failed(mount, path, after, err);
		follow_close(follow);
		return rc;
	}
	if (after) {
		follow->last = *after;
		follow->has_last = true;
	}
	*opened = follow;
	return 0;
}

static bool ends_at(const struct line_head *head, const char *lsn)
{
	struct commit commit;
	char text[LSN_TEXT_MAX];

	return commit_parse(head, &commit) && strcmp(lsn_print(text, commit.lsn), lsn) == 0;
}

int follow_recognize(const char *mount, struct position commit, const char *lsn, struct err *err)
{
	char folder[4096], path[4200], text[4096], at[POSITION_TEXT_MAX];
	struct line_head head;

	snprintf(folder, sizeof folder, "%s/by-time", mount);
	snprintf(path, sizeof path, "%s/%" PRIu64 "/%" PRIu64, folder, commit.epoch, commit.seq);
	int rc = first_line(path, text, sizeof text, &head);
	/* What was given up is ESTALE; ENOENT never was there, as long as there is a mount. */
	if (rc == -ENOENT && access(folder, F_OK) == 0)
		return err_set(err, -ESTALE, "%s shows another stream: it has no line %s", mount,
		               position_print(at, commit));
	if (rc != 1 || position_cmp(head.position, commit) != 0 || ends_at(&head, lsn))
		return 0;
	return err_set(err, -ESTALE, "%s shows another stream: what ends at %s is not the transaction of LSN %s", mount,
	               position_print(at, commit), lsn);
}

uint64_t follow_generation(const char *mount)
{
	char path[4096], line[4096];
	unsigned long long generation = 0;

	snprintf(path, sizeof path, "%s/status", mount);
	FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "generation\t%llu", &generation) == 1)
			break;
	if (file)
		fclose(file);
	return generation;
}

void follow_close(struct follow *follow)
{
	if (!follow)
		return;
	if (follow->fd >= 0)
		close(follow->fd);
	free(follow->buffer);
	free(follow);
}

static void sum_up(struct follow *follow)
{
	follow->crc = crc32c(follow->crc, follow->buffer + follow->summed, follow->start - follow->summed);
	follow->summed = follow->start;
}

/* Makes room for one read behind the unfinished line. */
static int make_room(struct follow *follow, struct err *err)
{
	size_t kept = follow->end - follow->start;

	sum_up(follow);
	if (follow->start > 0) {
		memmove(follow->buffer, follow->buffer + follow->start, kept);
		follow->scanned -= follow->start;
		follow->start = follow->summed = 0;
		follow->end = kept;
	}
	if (kept > LINE_MAX_LEN)
		return damaged(follow, "a line has no end", err);

	size_t size = follow->size;
	if (kept + READ_SIZE > size)
		size = 2 * size;
	else if (kept + READ_SIZE <= BUFFER_SIZE)
		size = BUFFER_SIZE;
	if (size != follow->size) {
		char *buffer = realloc(follow->buffer, size);
		if (!buffer)
			return err_set(err, -ENOMEM, "out of memory for a line of more than %zu bytes", kept);
		follow->buffer = buffer;
		follow->size = size;
	}
	return 0;
}

/* 1: there are more bytes; 0: not at this time. */
static int fill(struct follow *follow, struct err *err)
{
	if (follow->size - follow->end < READ_SIZE) {
		int rc = make_room(follow, err);
		if (rc < 0)
			return rc;
	}
	ssize_t n = read(follow->fd, follow->buffer + follow->end, follow->size - follow->end);
	if (n < 0)
		return errno == EINTR ? -EINTR : err_set(err, -ENOTCONN, "cannot read the stream: %s", strerror(errno));
	if (n > 0) {
		follow->end += (size_t)n;
		follow->pause_ms = 0;
	} else if (follow->woken) {
		follow->pause_ms = follow->pause_ms ? 2 * follow->pause_ms : PAUSE_LEAST_MS;
		if (follow->pause_ms > PAUSE_MOST_MS)
			follow->pause_ms = PAUSE_MOST_MS;
	}
	follow->woken = false;
	/* The text has no such byte: what shows it has not come over the network yet. */
	if (n == 0 && follow->end > follow->start &&
	    memchr(follow->buffer + follow->start, 0, follow->end - follow->start))
		return damaged(follow, "zeros stand where a line should", err);
	return n > 0;
}

/* Of a commit line, which ends (with its '\n') at buffer[line_end). */
static int check_crc(struct follow *follow, const struct line_head *head, size_t line_end, struct err *err)
{
	struct commit commit;
	char at[POSITION_TEXT_MAX];

	if (!commit_parse(head, &commit) || !commit.has_crc)
		return damaged(follow, "what follows is not a commit line of the stream (docs/FORMAT.md)", err);
	uint32_t crc = crc32c(follow->crc, follow->buffer + follow->summed,
	                      (size_t)(commit.crc_at - follow->buffer) - follow->summed);
	if (crc != commit.crc)
		return err_set(err, -EBADMSG,
		               "the transaction that commits at %s is damaged: its crc is %08" PRIx32
		               ", the line says %08" PRIx32,
		               position_print(at, head->position), crc, commit.crc);
	follow->crc = 0;
	follow->summed = line_end;
	return 0;
}

static int check_line(struct follow *follow, size_t len, struct follow_line *line, struct err *err)
{
	char text[80], at[POSITION_TEXT_MAX];

	line->text = follow->buffer + follow->start;
	line->len = len;
	if (!line_parse(line->text, len, &line->head) || !line->head.stamped)
		return damaged(follow, "what follows is not a line of the stream (docs/FORMAT.md)", err);
	if (follow->has_last && !position_follows(follow->last, line->head.position)) {
		snprintf(text, sizeof text, "the stream goes on at %s", position_print(at, line->head.position));
		return damaged(follow, text, err);
	}
	line->commit = span_is(line->head.action, "commit") && !line->head.table.at;
	return line->commit ? check_crc(follow, &line->head, follow->start + len + 1, err) : 0;
}

/* sshfs answers a read of a file that is dead at the other end (its mount there went away and
 * came back) as if it were the file's end. So where poll(2) tells nothing, a second look is taken
 * now and then, by a file opened afresh. */
static int ask_again(struct follow *follow, struct err *err)
{
	char path[4096], byte;
	int64_t now = clock_ms();

	if (follow->pause_ms == 0 || now - follow->asked_ms < ASK_MS)
		return 0;
	follow->asked_ms = now;
	path_after(path, sizeof path, follow->mount, follow->has_last ? &follow->last : NULL);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, &byte, 1);
	int saved = errno;
	if (fd >= 0)
		close(fd);
	if (n < 0)
		return err_set(err, -ENOTCONN, "cannot read %s: %s", path, strerror(saved));
	/* Unless it came just now. */
	int rc = n > 0 && !follow_in_line(follow) ? fill(follow, err) : 1;
	return rc == 0 ? err_set(err, -ENOTCONN, "the open file does not show what %s does", path) : rc < 0 ? rc : 0;
}

int follow_next(struct follow *follow, struct follow_line *line, struct err *err)
{
	char *newline;

	while (!(newline = memchr(follow->buffer + follow->scanned, '\n', follow->end - follow->scanned))) {
		follow->scanned = follow->end;
		int rc = fill(follow, err);
		if (rc == 0)
			return ask_again(follow, err);
		if (rc < 0)
			return rc;
	}

	size_t next = (size_t)(newline - follow->buffer) + 1;
	int rc = check_line(follow, next - 1 - follow->start, line, err);
	if (rc < 0)
		return rc;
	follow->last = line->head.position;
	follow->has_last = true;
	follow->start = follow->scanned = next;
	return 1;
}

bool follow_in_line(const struct follow *follow)
{
	return follow->end > follow->start;
}

struct position follow_position(const struct follow *follow)
{
	return follow->last;
}

void follow_wait(struct follow *follow, int stop_fd)
{
	struct pollfd fds[2] = {{.fd = stop_fd, .events = POLLIN}, {.fd = follow->fd, .events = POLLIN}};

	if (follow->pause_ms > 0 && poll(fds, 1, follow->pause_ms) != 0)
		return;
	if (poll(fds, 2, POLL_MS) > 0)
		follow->woken = fds[1].revents != 0;
}
