#include "slot.h"

#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "message.h"
#include "pg.h"

struct slot {
	struct source source;
	const char *conninfo, *name, *tables;
	PGconn *conn;
	char *message; /* libpq's, of the last event */
	uint64_t end_lsn;
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

/* A column as text, "" for NULL. */
static const char *text(const PGresult *res, int column)
{
	return pg_text(res, 0, column);
}

static bool lsn_of(const PGresult *res, int column, uint64_t *lsn)
{
	return lsn_parse(text(res, column), strlen(text(res, column)), lsn);
}

/* ---- the checks --------------------------------------------------------- */

/* Where the server's history left `ours` for a later timeline: that LSN, or
 * UINT64_MAX where `ours` is not in it. Lines: "<timeline>\t<LSN>\t<reason>". */
static uint64_t switch_point(const char *history, size_t len, uint32_t ours)
{
	const char *at = history, *end = history + len;

	while (at < end) {
		const char *newline = memchr(at, '\n', (size_t)(end - at));
		const char *stop = newline ? newline : end;
		char line[256], lsn_text[64];
		unsigned timeline;
		uint64_t lsn;
		snprintf(line, sizeof line, "%.*s", (int)(stop - at), at);
		if (sscanf(line, "%u %63s", &timeline, lsn_text) == 2 && timeline == ours &&
		    lsn_parse(lsn_text, strlen(lsn_text), &lsn))
			return lsn;
		at = stop + 1;
	}
	return UINT64_MAX;
}

static const char new_generation[] = "to start anew from this server, as a new generation, run `daystream init` on the "
                                     "store again";

static int check_timeline(struct slot *slot, struct origin *origin, uint32_t timeline, uint64_t resume_lsn, int wakefd,
                          struct err *err)
{
	char sql[64], have[LSN_TEXT_MAX], left[LSN_TEXT_MAX];
	PGresult *res;
	int r;

	if (timeline == origin->timeline)
		return 0;
	if (timeline < origin->timeline)
		return err_set(err, -EPROTO,
		               "the server is on timeline %u, this store on %u: it was restored from a backup; %s",
		               timeline, origin->timeline, new_generation);
	snprintf(sql, sizeof sql, "TIMELINE_HISTORY %u", timeline);
	if ((r = pg_exec(slot->conn, sql, wakefd, query_ms, &res, NULL, err)) < 0)
		return r;
	uint64_t switched = PQntuples(res) == 1 && PQnfields(res) == 2
	                        ? switch_point(pg_text(res, 0, 1), (size_t)PQgetlength(res, 0, 1), origin->timeline)
	                        : UINT64_MAX;
	PQclear(res);
	if (switched == UINT64_MAX)
		return err_set(err, -EPROTO, "the server's timeline %u does not come from this store's %u; %s",
		               timeline, origin->timeline, new_generation);
	if (switched < resume_lsn)
		return err_set(
		    err, -EPROTO,
		    "the server failed over at %s, behind what this store holds (%s), so they differ from there on; %s",
		    lsn_print(left, switched), lsn_print(have, resume_lsn), new_generation);
	origin->timeline = timeline;
	return 0;
}

static int check_system(struct slot *slot, struct origin *origin, uint64_t resume_lsn, int wakefd, struct err *err)
{
	char have[LSN_TEXT_MAX], there[LSN_TEXT_MAX];
	PGresult *res;
	uint64_t server_lsn = 0;
	int r = pg_exec(slot->conn, "IDENTIFY_SYSTEM", wakefd, query_ms, &res, NULL, err);

	if (r < 0)
		return r;
	if (PQntuples(res) != 1 || PQnfields(res) < 4 || !lsn_of(res, 2, &server_lsn)) {
		r = err_set(err, -EPROTO, "the server's answer to IDENTIFY_SYSTEM cannot be read");
	} else if (strtoull(text(res, 0), NULL, 10) != origin->system) {
		r = err_set(
		    err, -EPROTO,
		    "another server is at this address: its system identifier is %s, this store holds %llu; correct "
		    "conninfo in daystream.conf, or, %s",
		    text(res, 0), (unsigned long long)origin->system, new_generation);
	} else if (strcmp(text(res, 3), origin->database) != 0) {
		r = err_set(
		    err, -EPROTO,
		    "conninfo leads to the database \"%s\", this store holds \"%s\"; correct it in daystream.conf",
		    text(res, 3), origin->database);
	} else {
		r = check_timeline(slot, origin, (uint32_t)strtoul(text(res, 1), NULL, 10), resume_lsn, wakefd, err);
	}
	PQclear(res);
	if (r == 0 && server_lsn < resume_lsn)
		r = err_set(
		    err, -EPROTO,
		    "the server stands at %s, behind what this store holds (%s): it was restored from a backup; %s",
		    lsn_print(there, server_lsn), lsn_print(have, resume_lsn), new_generation);
	slot->end_lsn = server_lsn;
	return r;
}

static char *slot_query(const struct slot *slot)
{
	static const char format[] = "SELECT plugin, active_pid, wal_status, confirmed_flush_lsn FROM "
	                             "pg_catalog.pg_replication_slots WHERE slot_name = %s";
	char *quoted = PQescapeLiteral(slot->conn, slot->name, strlen(slot->name));
	char *sql = quoted ? malloc(sizeof format + strlen(quoted)) : NULL;

	if (sql)
		sprintf(sql, format, quoted);
	PQfreemem(quoted);
	return sql;
}

static int check_slot(struct slot *slot, uint64_t resume_lsn, int wakefd, struct err *err)
{
	char have[LSN_TEXT_MAX];
	uint64_t confirmed;
	PGresult *res;
	char *sql = slot_query(slot);
	int r =
	    sql ? pg_exec(slot->conn, sql, wakefd, query_ms, &res, NULL, err) : err_set(err, -ENOMEM, "out of memory");

	free(sql);
	if (r < 0)
		return r;
	if (PQntuples(res) == 0)
		r = err_set(err, -EPROTO,
		            "the replication slot \"%s\" does not exist any more, so changes may be lost; %s",
		            slot->name, new_generation);
	else if (strcmp(text(res, 0), "deltaflood") != 0)
		r = err_set(err, -EPROTO, "the replication slot \"%s\" belongs to the plugin \"%s\", not to deltaflood",
		            slot->name, text(res, 0));
	else if (strcmp(text(res, 2), "lost") == 0)
		r = err_set(err, -EPROTO,
		            "the replication slot \"%s\" was invalidated: the server removed WAL that was still needed "
		            "(max_slot_wal_keep_size); %s",
		            slot->name, new_generation);
	else if (!lsn_of(res, 3, &confirmed))
		r = err_set(err, -EPROTO, "the replication slot \"%s\" has no confirmed position", slot->name);
	else if (confirmed > resume_lsn)
		r = err_set(
		    err, -EPROTO,
		    "the replication slot \"%s\" is confirmed up to %s, this store holds up to %s: the slot was "
		    "recreated or read by another program, and what is between may be lost; %s",
		    slot->name, text(res, 3), lsn_print(have, resume_lsn), new_generation);
	PQclear(res);
	return r;
}

/* ---- starting ----------------------------------------------------------- */

static char *start_command(const struct slot *slot, uint64_t lsn)
{
	char lsn_text[LSN_TEXT_MAX];
	char *name = PQescapeIdentifier(slot->conn, slot->name, strlen(slot->name));
	char *tables = PQescapeLiteral(slot->conn, slot->tables, strlen(slot->tables));
	char *sql = name && tables ? malloc(strlen(name) + strlen(tables) + 128) : NULL;

	if (sql && *slot->tables)
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
	/* In use: most likely by our own connection that the server has not yet
	 * given up. Shutting down or starting: it passes. */
	if (strcmp(sqlstate, "55006") == 0 || strncmp(sqlstate, "57P", 3) == 0 || strncmp(sqlstate, "53", 2) == 0)
		return -EAGAIN;
	return err_prefix(err, r, "starting replication from the slot \"%s\"", slot->name);
}

static void slot_stop(struct source *source)
{
	struct slot *slot = of(source);

	PQfreemem(slot->message);
	slot->message = NULL;
	PQfinish(slot->conn);
	slot->conn = NULL;
}

static int slot_start(struct source *source, struct origin *origin, uint64_t resume_lsn, int wakefd, struct err *err)
{
	struct slot *slot = of(source);
	int r;

	slot_stop(source);
	if ((r = pg_connect(&slot->conn, slot->conninfo, true, wakefd, err)) == 0 &&
	    (r = check_system(slot, origin, resume_lsn, wakefd, err)) == 0 &&
	    (r = check_slot(slot, resume_lsn, wakefd, err)) == 0)
		r = start_streaming(slot, resume_lsn, wakefd, err);
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
	bool passes = !code || strncmp(code, "57", 2) == 0 || strncmp(code, "53", 2) == 0 ||
	              strncmp(code, "08", 2) == 0 || strncmp(code, "58", 2) == 0 ||
	              (strncmp(code, "XX", 2) == 0 && !placed) ||
	              strncmp(code, "55", 2) == 0 || strcmp(code, "00000") == 0;

	int r = err_set(err, passes ? -EAGAIN : -EPROTO, "%s%s%s",
	                primary ? primary : "the server ended the connection", hint ? ". " : "", hint ? hint : "");
	if (placed)
		r = err_set(
		    err, passes ? -EAGAIN : -EPROTO,
		    "%.*s: %s%s; to go on without the table, name the others as `tables` in daystream.conf",
		    (int)strcspn(context, "\n"), context, primary ? primary : "",
		    primary && strncmp(primary, "invalid memory alloc", 20) == 0 ? " (as text it takes more than 1 GB)" : "");
	PQclear(res);
	return r;
}

static int slot_receive(struct source *source, struct source_event *event, struct err *err)
{
	struct slot *slot = of(source);

	*event = (struct source_event){.kind = SOURCE_NOTHING};
	PQfreemem(slot->message);
	slot->message = NULL;
	int len = PQgetCopyData(slot->conn, &slot->message, 1);
	if (len == 0) {
		if (!PQconsumeInput(slot->conn))
			return err_set(err, -EAGAIN, "the connection to the server broke");
		len = PQgetCopyData(slot->conn, &slot->message, 1);
		if (len == 0)
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
	const struct slot *slot = (const struct slot *)source;

	return slot->conn ? PQsocket(slot->conn) : -1;
}

static uint64_t slot_end_lsn(const struct source *source)
{
	return ((const struct slot *)source)->end_lsn;
}

static void slot_free(struct source *source)
{
	slot_stop(source);
	free(source);
}

struct source *slot_source(const char *conninfo, const char *name, const char *tables)
{
	static const struct source_ops ops = {slot_start,   slot_receive, slot_confirm, slot_fd,
	                                      slot_end_lsn, slot_stop,    slot_free};
	struct slot *slot = calloc(1, sizeof *slot);

	if (!slot)
		return NULL;
	*slot = (struct slot){.source = {&ops}, .conninfo = conninfo, .name = name, .tables = tables};
	return &slot->source;
}
