#include "slot.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "crc32c.h"
#include "fit.h"
#include "message.h"
#include "published.h"
#include "sentinel.h"

struct slot {
	struct source source;
	const char *conninfo, *name;
	PGconn *conn;
	struct sentinel sentinel;
	int epfd, timerfd;           /* -1: stopped */
	int64_t looked_ms, leave_ms; /* when the sentinel was looked at; when to leave, 0: not yet */
	char *message;               /* libpq's, of the last event */
	uint64_t end_lsn;
};

enum {
	GRACE_MS = 400, /* what a server that wants to stop may wait for us */
	LOOK_MS = 50,
	RECORDS_MOST = 16, /* before others have a turn */
};
static const int query_ms = 30000;

static struct slot *of(struct source *source)
{
	return (struct slot *)source;
}

static void put64(char *at, uint64_t value)
{
	value = htobe64(value);
	memcpy(at, &value, sizeof value);
}

/* ---- starting ----------------------------------------------------------- */

static char *start_command(const struct slot *slot, uint64_t lsn)
{
	char lsn_text[LSN_TEXT_MAX];
	char *name = PQescapeIdentifier(slot->conn, slot->name, strlen(slot->name));
	char *tables = PQescapeLiteral(slot->conn, slot->source.tables, strlen(slot->source.tables));
	char *sql = name && tables ? malloc(strlen(name) + strlen(tables) + 128) : NULL;

	if (sql && *slot->source.tables)
		sprintf(sql, "START_REPLICATION SLOT %s LOGICAL %s (\"tables\" %s)", name, lsn_print(lsn_text, lsn),
		        tables);
	else if (sql)
		sprintf(sql, "START_REPLICATION SLOT %s LOGICAL %s", name, lsn_print(lsn_text, lsn));
	PQfreemem(name);
	PQfreemem(tables);
	return sql;
}

static int start_streaming(struct slot *slot, uint64_t lsn, int wakefd, struct err *err)
{
	char *sql = start_command(slot, lsn), sqlstate[6];
	PGresult *res;
	int r = sql ? pg_exec(slot->conn, sql, wakefd, query_ms, &res, sqlstate, err)
	            : err_set(err, -ENOMEM, "out of memory");

	free(sql);
	if (r == 0) {
		PQclear(res);
		/* From here on nothing waits for a server that does not read. */
		return PQsetnonblocking(slot->conn, 1) == 0
		           ? 0
		           : err_set(err, -EAGAIN, "the connection to the server broke");
	}
	if (r != -EPROTO)
		return r;
	return err_prefix(err, fit_refusal(r, sqlstate, err), "starting replication from the slot \"%s\"", slot->name);
}

/* ---- the end ------------------------------------------------------------ */

/* One descriptor for all that a wait has to answer. */
static int open_fds(struct slot *slot, struct err *err)
{
	slot->epfd = epoll_create1(EPOLL_CLOEXEC);
	slot->timerfd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	int fds[] = {PQsocket(slot->conn), sentinel_fd(&slot->sentinel), slot->timerfd};

	for (int i = 0; i < 3; i++) {
		struct epoll_event event = {.events = EPOLLIN};
		if ((i != 1 || fds[i] >= 0) && epoll_ctl(slot->epfd, EPOLL_CTL_ADD, fds[i], &event) < 0)
			return err_errno(err, "waiting for the server");
	}
	return 0;
}

/* The server wants to stop: for a moment it gets what it asks for, so that it is told the last of what it sent. Then it
 * is not kept waiting: -EAGAIN. */
static int check_leaving(struct slot *slot, struct err *err)
{
	int64_t now = clock_ms();

	if (!slot->leave_ms && now - slot->looked_ms >= LOOK_MS) {
		slot->looked_ms = now;
		if (sentinel_ended(&slot->sentinel)) {
			struct itimerspec grace = {.it_value = {0, GRACE_MS * 1000000L}};
			epoll_ctl(slot->epfd, EPOLL_CTL_DEL, sentinel_fd(&slot->sentinel), NULL);
			timerfd_settime(slot->timerfd, 0, &grace, NULL);
			slot->leave_ms = now + GRACE_MS;
		}
	}
	if (!slot->leave_ms || now < slot->leave_ms)
		return 0;
	return err_set(err, -EAGAIN, "the server is shutting down");
}

static void slot_stop(struct source *source)
{
	struct slot *slot = of(source);

	if (slot->epfd >= 0)
		close(slot->epfd);
	if (slot->timerfd >= 0)
		close(slot->timerfd);
	slot->epfd = slot->timerfd = -1;
	slot->leave_ms = slot->looked_ms = 0;
	PQfreemem(slot->message);
	slot->message = NULL;
	sentinel_close(&slot->sentinel);
	PQfinish(slot->conn);
	slot->conn = NULL;
}

static int connect_server(struct slot *slot, int wakefd, struct err *err)
{
	int r = pg_connect(&slot->conn, slot->conninfo, true, wakefd, err);

	if (r < 0 && r != -EAGAIN && r != -EINTR) {
		struct err reason = *err;
		err_set(err, r, "%s; mend that at the server, or correct conninfo in daystream.conf", reason.text);
	}
	return r;
}

static int slot_start(struct source *source, struct origin *origin, uint64_t resume_lsn, int wakefd, struct err *err)
{
	struct slot *slot = of(source);
	struct fit fit;
	int r;

	slot_stop(source);
	if ((r = connect_server(slot, wakefd, err)) == 0 &&
	    (r = fit_check(slot->conn, origin, slot->name, resume_lsn, wakefd, &fit, err)) == 0) {
		slot->end_lsn = fit.server_lsn;
		source->from_lsn = source->skips ? resume_lsn : fit.confirmed_lsn;
		r = start_streaming(slot, source->from_lsn, wakefd, err);
	}
	if (r == 0) {
		sentinel_open(&slot->sentinel, slot->conninfo, wakefd);
		r = open_fds(slot, err);
	}
	if (r < 0)
		slot_stop(source);
	return r;
}

/* ---- streaming ---------------------------------------------------------- */

/* Why the stream ended. */
static int ended(struct slot *slot, struct err *err)
{
	/* It is all here, or never comes. */
	PGresult *res = PQisBusy(slot->conn) ? NULL : PQgetResult(slot->conn);
	const char *code = res ? PQresultErrorField(res, PG_DIAG_SQLSTATE) : NULL;
	const char *primary = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	const char *hint = res ? PQresultErrorField(res, PG_DIAG_MESSAGE_HINT) : NULL;
	const char *context = res ? PQresultErrorField(res, PG_DIAG_CONTEXT) : NULL;
	/* Its first line is the plugin's own: which column of which table. */
	bool placed = context && strncmp(context, "column ", 7) == 0;
	/* Server stopping or restarting, out of something, a connection cut; the rest
	 * (a broken plugin option, a value that cannot be written) would come again. */
	bool gone = code && strcmp(code, "58P01") == 0; /* a file that is not there: WAL */
	bool passes = !code || strncmp(code, "57", 2) == 0 || strncmp(code, "53", 2) == 0 ||
	              strncmp(code, "08", 2) == 0 || (strncmp(code, "58", 2) == 0 && !gone) ||
	              (strncmp(code, "XX", 2) == 0 && !placed) || strncmp(code, "55", 2) == 0 ||
	              strcmp(code, "00000") == 0;

	int r = err_set(err, passes ? -EAGAIN : -EPROTO, "%s%s%s",
	                primary ? primary : "the server ended the connection", hint ? ". " : "", hint ? hint : "");
	if (placed && !passes)
		err_set(err, r, "%.*s: %s%s; to go on without the table, name the others as `tables` in daystream.conf",
		        (int)strcspn(context, "\n"), context, primary ? primary : "",
		        primary && strncmp(primary, "invalid memory alloc", 20) == 0
		            ? " (as text it takes more than 1 GB)"
		            : "");
	if (gone)
		err_set(err, r, "the server lacks WAL that the slot \"%s\" needs: %s; %s", slot->name,
		        primary ? primary : "", fit_drop_first);
	PQclear(res);
	return r;
}

/* Of an encrypted connection libpq takes one record at a time, and a message has some. */
static bool has_record(const struct slot *slot)
{
	struct pollfd fd = {PQsocket(slot->conn), POLLIN, 0};

	return (PQsslInUse(slot->conn) || PQgssEncInUse(slot->conn)) && poll(&fd, 1, 0) > 0;
}

static int slot_receive(struct source *source, struct source_event *event, struct err *err)
{
	struct slot *slot = of(source);
	int records = 0;

	*event = (struct source_event){.kind = SOURCE_NOTHING};
	PQfreemem(slot->message);
	slot->message = NULL;
	int len = PQgetCopyData(slot->conn, &slot->message, 1);
	while (len == 0) { /* what it read at once is taken */
		int r = check_leaving(slot, err);
		if (r < 0)
			return r;
		if (!PQconsumeInput(slot->conn))
			return err_set(err, -EAGAIN, "the connection to the server broke");
		len = PQgetCopyData(slot->conn, &slot->message, 1);
		if (len == 0 && (++records == RECORDS_MOST || !has_record(slot)))
			return 0;
	}
	if (len < 0)
		return ended(slot, err);
	return message_parse(slot->message, (size_t)len, event, &slot->end_lsn, err);
}

/* 'r': written, flushed and applied LSN, time (microseconds since 2000), 0. */
static int slot_confirm(struct source *source, uint64_t lsn, struct err *err)
{
	static const uint64_t epoch_2000 = 946684800;
	struct slot *slot = of(source);
	struct timespec now;
	char reply[1 + 8 + 8 + 8 + 8 + 1] = {'r'};

	int r = check_leaving(slot, err); /* who waits for the disk comes by here only */
	if (r < 0)
		return r;
	/* It has not read the last one yet: a later one says more. */
	int unread = PQflush(slot->conn);
	if (unread > 0)
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	put64(reply + 1, lsn);
	put64(reply + 9, lsn);
	put64(reply + 17, lsn);
	put64(reply + 25, ((uint64_t)now.tv_sec - epoch_2000) * 1000000 + (uint64_t)now.tv_nsec / 1000);
	if (unread < 0 || PQputCopyData(slot->conn, reply, sizeof reply) < 0 || PQflush(slot->conn) < 0)
		return err_set(err, -EAGAIN, "the connection to the server broke");
	return 0;
}

static int slot_fd(const struct source *source)
{
	return ((const struct slot *)source)->epfd;
}

static uint64_t slot_end_lsn(const struct source *source)
{
	return ((const struct slot *)source)->end_lsn;
}

static int slot_existing(struct source *source, char **relids, int wakefd, struct err *err)
{
	PGconn *conn = NULL;
	int r = pg_connect(&conn, of(source)->conninfo, false, wakefd, err);

	if (r == 0)
		r = published_existing(conn, wakefd, query_ms, relids, err);
	PQfinish(conn);
	return r < 0 ? err_prefix(err, r, "asking which tables there are") : 0;
}

static void slot_free(struct source *source)
{
	slot_stop(source);
	free(source);
}

struct source *slot_source(const char *conninfo, const char *name, const char *tables)
{
	static const struct source_ops ops = {slot_start,   slot_receive, slot_confirm, slot_fd,
	                                      slot_end_lsn, slot_stop,    slot_free,    slot_existing};
	struct slot *slot = calloc(1, sizeof *slot);

	if (!slot)
		return NULL;
	*slot = (struct slot){.source = {.ops = &ops, .tables = tables, .choice = crc32c(0, tables, strlen(tables))},
	                      .conninfo = conninfo,
	                      .name = name,
	                      .epfd = -1,
	                      .timerfd = -1};
	return &slot->source;
}
