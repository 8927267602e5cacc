#include "fit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int query_ms = 30000;

const char fit_new_generation[] = "to start anew from this server, as a new generation, run `daystream init` on the "
                                  "store again";
const char fit_drop_first[] = "to start anew from this server, as a new generation, run `daystream drop` and then "
                              "`daystream init` on the store";

/* A column as text, "" for NULL. */
static const char *text(const PGresult *res, int column)
{
	return pg_text(res, 0, column);
}

static bool lsn_of(const PGresult *res, int column, uint64_t *lsn)
{
	return lsn_parse(text(res, column), strlen(text(res, column)), lsn);
}

/* ---- the server --------------------------------------------------------- */

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

static int check_timeline(PGconn *conn, struct origin *origin, uint32_t timeline, uint64_t durable_lsn, int wakefd,
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
		               timeline, origin->timeline, fit_new_generation);
	snprintf(sql, sizeof sql, "TIMELINE_HISTORY %u", timeline);
	if ((r = pg_exec(conn, sql, wakefd, query_ms, &res, NULL, err)) < 0)
		return r;
	uint64_t switched = PQntuples(res) == 1 && PQnfields(res) == 2
	                        ? switch_point(pg_text(res, 0, 1), (size_t)PQgetlength(res, 0, 1), origin->timeline)
	                        : UINT64_MAX;
	PQclear(res);
	if (switched == UINT64_MAX)
		return err_set(err, -EPROTO, "the server's timeline %u does not come from this store's %u; %s",
		               timeline, origin->timeline, fit_new_generation);
	if (switched < durable_lsn)
		return err_set(
		    err, -EPROTO,
		    "the server failed over at %s, behind what this store holds (%s), so they differ from there on; %s",
		    lsn_print(left, switched), lsn_print(have, durable_lsn), fit_new_generation);
	origin->timeline = timeline;
	return 0;
}

static int check_identity(const PGresult *res, const struct origin *origin, struct err *err)
{
	if (strtoull(text(res, 0), NULL, 10) != origin->system)
		return err_set(
		    err, -EPROTO,
		    "another server is at this address: its system identifier is %s, this store holds %llu; correct "
		    "conninfo in daystream.conf, or, %s",
		    text(res, 0), (unsigned long long)origin->system, fit_new_generation);
	if (strcmp(text(res, 3), origin->database) != 0)
		return err_set(err, -EPROTO,
		               "conninfo leads to the database \"%s\", this store holds \"%s\"; correct it in "
		               "daystream.conf, or, where the database was renamed, and %s",
		               text(res, 3), origin->database, fit_new_generation);
	return 0;
}

static int check_system(PGconn *conn, struct origin *origin, uint64_t durable_lsn, int wakefd, struct fit *fit,
                        struct err *err)
{
	char have[LSN_TEXT_MAX], there[LSN_TEXT_MAX];
	PGresult *res;
	int r = pg_exec(conn, "IDENTIFY_SYSTEM", wakefd, query_ms, &res, NULL, err);

	if (r < 0)
		return r;
	if (PQntuples(res) != 1 || PQnfields(res) < 4 || !lsn_of(res, 2, &fit->server_lsn))
		r = err_set(err, -EPROTO, "the server's answer to IDENTIFY_SYSTEM cannot be read");
	else if ((r = check_identity(res, origin, err)) == 0)
		r = check_timeline(conn, origin, (uint32_t)strtoul(text(res, 1), NULL, 10), durable_lsn, wakefd, err);
	PQclear(res);
	if (r == 0 && fit->server_lsn < durable_lsn)
		r = err_set(
		    err, -EPROTO,
		    "the server stands at %s, behind what this store holds (%s): it was restored from a backup; %s",
		    lsn_print(there, fit->server_lsn), lsn_print(have, durable_lsn), fit_new_generation);
	return r;
}

/* A standby has no slot for us before it is promoted, nor anything new. */
static int check_primary(PGconn *conn, int wakefd, struct err *err)
{
	PGresult *res;
	int r = pg_exec(conn, "SELECT pg_catalog.pg_is_in_recovery()", wakefd, query_ms, &res, NULL, err);

	if (r < 0)
		return r;
	bool standby = PQntuples(res) == 1 && *text(res, 0) == 't';
	PQclear(res);
	return standby
	           ? err_set(err, -EAGAIN, "the server is a standby: promote it, or correct conninfo in daystream.conf")
	           : 0;
}

/* ---- the slot ----------------------------------------------------------- */

static char *slot_query(PGconn *conn, const char *name)
{
	static const char format[] =
	    "SELECT plugin, wal_status, confirmed_flush_lsn, database = pg_catalog.current_database(), database FROM "
	    "pg_catalog.pg_replication_slots WHERE slot_name = %s";
	char *quoted = PQescapeLiteral(conn, name, strlen(name));
	char *sql = quoted ? malloc(sizeof format + strlen(quoted)) : NULL;

	if (sql)
		sprintf(sql, format, quoted);
	PQfreemem(quoted);
	return sql;
}

/* One row, or none. */
static int judge_slot(const PGresult *res, const char *name, uint64_t durable_lsn, struct fit *fit, struct err *err)
{
	char have[LSN_TEXT_MAX];

	if (PQntuples(res) == 0)
		return err_set(err, -EPROTO,
		               "the replication slot \"%s\" does not exist any more, so changes may be lost; %s", name,
		               fit_new_generation);
	if (strcmp(text(res, 0), "deltaflood") != 0)
		return err_set(err, -EPROTO,
		               "the replication slot \"%s\" belongs to the plugin \"%s\", not to deltaflood; %s with "
		               "another --slot",
		               name, text(res, 0), fit_new_generation);
	if (strcmp(text(res, 1), "lost") == 0)
		return err_set(
		    err, -EPROTO,
		    "the replication slot \"%s\" was invalidated: the server removed WAL that was still needed "
		    "(max_slot_wal_keep_size); %s",
		    name, fit_new_generation);
	if (*text(res, 3) != 't')
		return err_set(err, -EPROTO,
		               "the replication slot \"%s\" belongs to the database \"%s\" now; %s with another --slot",
		               name, text(res, 4), fit_new_generation);
	if (!lsn_of(res, 2, &fit->confirmed_lsn))
		return err_set(err, -EPROTO, "the replication slot \"%s\" has no confirmed position; %s", name,
		               fit_new_generation);
	if (fit->confirmed_lsn > durable_lsn)
		return err_set(
		    err, -EPROTO,
		    "the replication slot \"%s\" is confirmed up to %s, this store holds up to %s: the slot was "
		    "recreated or read by another program, and what is between may be lost; %s",
		    name, text(res, 2), lsn_print(have, durable_lsn), fit_new_generation);
	return 0;
}

static int check_slot(PGconn *conn, const char *name, uint64_t durable_lsn, int wakefd, struct fit *fit,
                      struct err *err)
{
	PGresult *res;
	char *sql = slot_query(conn, name);
	int r = sql ? pg_exec(conn, sql, wakefd, query_ms, &res, NULL, err) : err_set(err, -ENOMEM, "out of memory");

	free(sql);
	if (r < 0)
		return r;
	r = judge_slot(res, name, durable_lsn, fit, err);
	PQclear(res);
	return r;
}

int fit_check(PGconn *conn, struct origin *origin, const char *slot, uint64_t durable_lsn, int wakefd, struct fit *fit,
              struct err *err)
{
	int r;

	*fit = (struct fit){0};
	if ((r = check_primary(conn, wakefd, err)) == 0 &&
	    (r = check_system(conn, origin, durable_lsn, wakefd, fit, err)) == 0)
		r = check_slot(conn, slot, durable_lsn, wakefd, fit, err);
	return r;
}

int fit_named(const char *named, const struct origin *origin, struct err *err)
{
	if (strcmp(named, origin->slot) == 0)
		return 0;
	return err_set(
	    err, -EINVAL,
	    "daystream.conf names the slot \"%s\", but what feeds this store is \"%s\": write slot = '%s' there "
	    "again (for another slot run `daystream drop` then, and `daystream init --slot`)",
	    named, origin->slot, origin->slot);
}

/* ---- refusals ----------------------------------------------------------- */

int fit_refusal(int r, const char *sqlstate, struct err *err)
{
	/* In use: most likely by our own connection that the server has not yet
	 * given up. Shutting down or starting: it passes. */
	if (strcmp(sqlstate, "55006") == 0 || strncmp(sqlstate, "57P", 3) == 0 || strncmp(sqlstate, "53", 2) == 0)
		return -EAGAIN;
	/* The setting's name is the same in every language. */
	if (strstr(err->text, "output_plugin_libraries"))
		return err_set(err, r,
		               "deltaflood is not in the server's output_plugin_libraries; run as a superuser, keeping "
		               "what SHOW output_plugin_libraries lists: ALTER SYSTEM SET output_plugin_libraries = "
		               "pgoutput, test_decoding, deltaflood; and then: SELECT pg_reload_conf();");
	if (strcmp(sqlstate, "58P01") == 0 && strstr(err->text, "deltaflood"))
		return err_set(err, r,
		               "the server cannot load the plugin deltaflood: run `make install` (or put deltaflood.so "
		               "into the folder that `pg_config --pkglibdir` prints) on its host, or name the plugin's "
		               "folder in dynamic_library_path");
	return r;
}
