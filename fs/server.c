#include "server.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fit.h"
#include "name.h"

enum { QUERY_MS = 30000 };

static int query(PGconn *conn, const char *sql, PGresult **res, struct err *err)
{
	return pg_exec(conn, sql, -1, QUERY_MS, res, NULL, err);
}

static int command(PGconn *conn, const char *sql, struct err *err)
{
	PGresult *res;
	int r = query(conn, sql, &res, err);

	if (r == 0)
		PQclear(res);
	return r;
}

/* `format` has one %s, for the literal of `value`. */
static int query_literal(PGconn *conn, const char *format, const char *value, int wakefd, PGresult **res,
                         struct err *err)
{
	char *quoted = PQescapeLiteral(conn, value, strlen(value)), *sql = NULL;
	int r = -ENOMEM;

	*res = NULL;
	if (quoted && asprintf(&sql, format, quoted) >= 0)
		r = pg_exec(conn, sql, wakefd, QUERY_MS, res, NULL, err);
	else
		err_set(err, r, "out of memory");
	free(sql);
	PQfreemem(quoted);
	return r;
}

/* ---- what is wrong ------------------------------------------------------ */

static void sayf(void (*say)(const char *), const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void sayf(void (*say)(const char *), const char *fmt, ...)
{
	char text[2048];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof text, fmt, args);
	va_end(args);
	say(text);
}

/* True where the list setting ("a, b") has deltaflood in it. */
static bool listed(const char *setting)
{
	for (const char *at = setting; *at;) {
		at += strspn(at, ", \"");
		size_t len = strcspn(at, ", \"");
		if (len == strlen("deltaflood") && strncmp(at, "deltaflood", len) == 0)
			return true;
		at += len;
	}
	return false;
}

static const char settings_sql[] =
    "SELECT current_setting('wal_level') AS wal_level,"
    " current_setting('max_replication_slots')::int AS slots,"
    " (SELECT count(*) FROM pg_catalog.pg_replication_slots) AS slots_used,"
    " current_setting('max_wal_senders')::int AS senders,"
    " (SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE backend_type = 'walsender') AS senders_used,"
    " (SELECT rolreplication OR rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) AS may_replicate,"
    " pg_catalog.has_database_privilege(current_database(), 'CREATE') AS may_create,"
    /* NULL where the server has none, and for roles that may not see it. */
    " (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'output_plugin_libraries') AS libraries,"
    /* Another role's, where it is there already. */
    " EXISTS (SELECT FROM pg_catalog.pg_namespace n LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND"
    " c.relname IN ('tables', 'columns') WHERE n.nspname = 'daystream' AND NOT (pg_catalog.has_schema_privilege(n.oid,"
    " 'CREATE') AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND (c.oid IS NULL OR"
    " (pg_catalog.has_table_privilege(c.oid, 'SELECT') AND pg_catalog.has_table_privilege(c.oid, 'INSERT') AND"
    " pg_catalog.has_table_privilege(c.oid, 'DELETE'))))) AS schema_is_foreign,"
    " pg_catalog.quote_ident(current_user) AS who,"
    " pg_catalog.quote_ident(current_database()) AS database,"
    " pg_catalog.pg_is_in_recovery() AS standby";

/* Only some roles may see the list of plugins; that the server has one, the refusal tells: then 1. */
static int libraries_hidden(PGconn *conn, struct err *err)
{
	char sqlstate[6] = "";
	PGresult *res;
	int r =
	    pg_exec(conn, "SELECT current_setting('output_plugin_libraries', true)", -1, QUERY_MS, &res, sqlstate, err);

	PQclear(res);
	return strcmp(sqlstate, "42501") == 0 ? 1 : r;
}

static const char *value(const PGresult *res, const char *name)
{
	return pg_text(res, 0, PQfnumber(res, name));
}

int server_problems(PGconn *conn, bool need_slot, void (*say)(const char *sentence), struct err *err)
{
	PGresult *res;
	int count = 0, r = query(conn, settings_sql, &res, err);

	if (r < 0)
		return r;
	if (*value(res, "standby") == 't')
		count++, say("the server is a standby; give the primary's address in --conninfo");
	if (strcmp(value(res, "wal_level"), "logical") != 0)
		count++,
		    sayf(say, "wal_level is \"%s\"; run: ALTER SYSTEM SET wal_level = logical; and restart the server",
		         value(res, "wal_level"));
	int slots = atoi(value(res, "slots")), slots_used = atoi(value(res, "slots_used"));
	if (need_slot && slots_used >= slots)
		count++, sayf(say,
		              "all of max_replication_slots (%d) are taken; run: ALTER SYSTEM SET "
		              "max_replication_slots = %d; "
		              "and restart the server",
		              slots, slots_used + 4);
	int senders = atoi(value(res, "senders")), senders_used = atoi(value(res, "senders_used"));
	if (senders_used >= senders)
		count++, sayf(say,
		              "all of max_wal_senders (%d) are taken; run: ALTER SYSTEM SET max_wal_senders = %d; and "
		              "restart "
		              "the server",
		              senders, senders_used + 4);
	if (*value(res, "may_replicate") != 't')
		count++, sayf(say, "the role %s may not replicate; run as a superuser: ALTER ROLE %s REPLICATION;",
		              value(res, "who"), value(res, "who"));
	if (*value(res, "may_create") != 't')
		count++,
		    sayf(say,
		         "the role %s may not create the schema \"daystream\"; run: GRANT CREATE ON DATABASE %s TO %s;",
		         value(res, "who"), value(res, "database"), value(res, "who"));
	if (*value(res, "schema_is_foreign") == 't')
		count++, sayf(say,
		              "the role %s may not write to the schema \"daystream\", which is another role's; run: "
		              "GRANT ALL ON "
		              "SCHEMA daystream TO %s; GRANT ALL ON ALL TABLES IN SCHEMA daystream TO %s;",
		              value(res, "who"), value(res, "who"), value(res, "who"));
	if (!PQgetisnull(res, 0, PQfnumber(res, "libraries")) && !listed(value(res, "libraries"))) {
		const char *now = value(res, "libraries");
		count++, sayf(say,
		              "the server does not allow the plugin: output_plugin_libraries is \"%s\"; run: ALTER "
		              "SYSTEM SET "
		              "output_plugin_libraries = %s%sdeltaflood; and then: SELECT pg_reload_conf();",
		              now, now, *now ? ", " : "");
	}
	/* Without another problem, the attempt to create the slot tells. */
	int hidden = count > 0 ? libraries_hidden(conn, err) : 0;
	if (hidden > 0)
		count++,
		    sayf(say,
		         "whether the server allows the plugin, the role %s may not see; where SHOW "
		         "output_plugin_libraries lacks deltaflood, run as a superuser, keeping what it lists: ALTER "
		         "SYSTEM SET output_plugin_libraries = pgoutput, test_decoding, deltaflood; and then: SELECT "
		         "pg_reload_conf();",
		         value(res, "who"));
	PQclear(res);
	return hidden < 0 ? hidden : count;
}

/* ---- tables ------------------------------------------------------------- */

/* Whether no index is the replica identity (a deferrable one cannot be, and the one that was may have been dropped), and
 * whether the primary key would be, if only it were asked to. */
static const char weak_sql[] =
    "SELECT n.nspname, c.relname, format('%I.%I', n.nspname, c.relname), c.relreplident <> 'f' AND NOT EXISTS (SELECT "
    "FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate AND CASE c.relreplident "
    "WHEN 'd' THEN i.indisprimary WHEN 'i' THEN i.indisreplident ELSE false END), EXISTS (SELECT FROM "
    "pg_catalog.pg_index i WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate AND i.indisprimary) "
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.oid >= 16384 AND n.nspname <> 'daystream' ORDER BY 1, 2";

/* Says which names of the list are no table of the result. */
static void say_missing(const PGresult *res, const char *tables, void (*say)(const char *))
{
	for (const char *at = tables; *at;) {
		size_t n = strcspn(at, ",");
		bool found = false;
		for (int i = 0; i < PQntuples(res) && !found; i++) {
			char name[NAME_PATH_MAX];
			size_t len = name_join(name, pg_text(res, i, 0), pg_text(res, i, 1));
			found = len == n && memcmp(name, at, n) == 0;
		}
		if (!found)
			sayf(say, "table %.*s of --tables does not exist (yet)", (int)n, at);
		at += n + (at[n] == ',');
	}
}

int server_weak_tables(PGconn *conn, const char *tables, void (*say)(const char *sentence), struct err *err)
{
	PGresult *res;
	int r = query(conn, weak_sql, &res, err);

	if (r < 0)
		return r;
	say_missing(res, tables, say);
	for (int i = 0; i < PQntuples(res); i++) {
		char name[NAME_PATH_MAX];
		name_join(name, pg_text(res, i, 0), pg_text(res, i, 1));
		if (*pg_text(res, i, 3) == 't' && (!*tables || name_listed(tables, name, strlen(name))))
			sayf(say,
			     "table %s has no replica identity, so its updates and deletes cannot be placed%s; run: "
			     "ALTER TABLE %s REPLICA IDENTITY %s;",
			     name,
			     *pg_text(res, i, 4) == 't' ? "" : ": give it a primary key (which is not DEFERRABLE)",
			     pg_text(res, i, 2), *pg_text(res, i, 4) == 't' ? "DEFAULT" : "FULL");
	}
	PQclear(res);
	return 0;
}

static const char closed_sql[] =
    "SELECT n.nspname, c.relname, format('%I.%I', n.nspname, c.relname), quote_ident(current_user) "
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.oid >= 16384 AND n.nspname <> 'daystream' AND NOT "
    "(has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT')) "
    "ORDER BY 1, 2";

int server_closed_tables(PGconn *conn, const char *tables, void (*say)(const char *sentence), struct err *err)
{
	enum { NAMED = 5 };
	bool all = PQserverVersion(conn) >= 140000; /* knows a role that may read all */
	char list[1024] = "";
	PGresult *res;
	int closed = 0, r = query(conn, closed_sql, &res, err);

	if (r < 0)
		return r;
	for (int i = 0; i < PQntuples(res); i++) {
		char name[NAME_PATH_MAX];
		size_t len = strlen(list);
		name_join(name, pg_text(res, i, 0), pg_text(res, i, 1));
		if (*tables && !name_listed(tables, name, strlen(name)))
			continue;
		if (closed++ < NAMED)
			snprintf(list + len, sizeof list - len, "%s%s", len ? ", " : "", pg_text(res, i, 2));
	}
	if (closed)
		sayf(say,
		     "the role %s may not read %d table%s (%s%s), so no snapshot can be taken, with which new mirrors "
		     "begin; run: %s%s%sGRANT SELECT on them, and USAGE on their schemas",
		     pg_text(res, 0, 3), closed, closed == 1 ? "" : "s", list, closed > NAMED ? ", ..." : "",
		     all ? "GRANT pg_read_all_data TO " : "", all ? pg_text(res, 0, 3) : "", all ? "; or " : "");
	PQclear(res);
	return 0;
}

static const char create_sql[] =
    "CREATE SCHEMA IF NOT EXISTS daystream;"
    "CREATE TABLE IF NOT EXISTS daystream.tables (slot text, relid oid, schema_name text NOT NULL, table_name text NOT "
    "NULL, replica_identity text NOT NULL, saved timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (slot, relid));"
    "CREATE TABLE IF NOT EXISTS daystream.columns (slot text, relid oid, number int, column_name text NOT NULL, type "
    "text "
    "NOT NULL, not_null boolean NOT NULL, key_position int, PRIMARY KEY (slot, relid, number))";

static const char save_sql[] =
    "INSERT INTO daystream.tables SELECT %s, c.oid, n.nspname, c.relname, CASE c.relreplident WHEN 'd' THEN 'default' "
    "WHEN 'i' THEN 'index' WHEN 'f' THEN 'full' ELSE 'nothing' END FROM pg_catalog.pg_class c JOIN "
    "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND c.relpersistence = 'p' AND "
    "c.oid >= 16384 AND n.nspname <> 'daystream'";

static const char save_columns_sql[] =
    "INSERT INTO daystream.columns SELECT t.slot, t.relid, a.attnum, a.attname, pg_catalog.format_type(a.atttypid, "
    "a.atttypmod), a.attnotnull, (SELECT k.n FROM pg_catalog.pg_index i, unnest(i.indkey) WITH ORDINALITY k(attnum, n) "
    "WHERE i.indrelid = t.relid AND i.indisprimary AND k.attnum = a.attnum) FROM daystream.tables t JOIN "
    "pg_catalog.pg_attribute a ON a.attrelid = t.relid AND a.attnum > 0 AND NOT a.attisdropped WHERE t.slot = %s";

static int read_saved(PGconn *conn, struct server_origin *saved, struct err *err)
{
	PGresult *res;
	int r = query(conn,
	              "SELECT pg_catalog.pg_current_xact_id(), extract(epoch FROM clock_timestamp())::bigint, "
	              "clock_timestamp()",
	              &res, err);

	if (r < 0)
		return r;
	saved->xid = strtoull(pg_text(res, 0, 0), NULL, 10);
	saved->second = strtoull(pg_text(res, 0, 1), NULL, 10);
	snprintf(saved->time, sizeof saved->time, "%s", pg_text(res, 0, 2));
	PQclear(res);
	return 0;
}

/* The statement, with the slot's literal for its %s. */
static int save_step(PGconn *conn, const char *format, const char *slot, struct err *err)
{
	PGresult *res;
	int r = query_literal(conn, format, slot, -1, &res, err);

	PQclear(res);
	return r;
}

int server_save_schema(PGconn *conn, const char *slot, struct server_origin *saved, struct err *err)
{
	int r;

	if ((r = command(conn,
	                 "BEGIN READ WRITE; SET LOCAL client_min_messages = warning; SET LOCAL search_path = public",
	                 err)) < 0)
		return r;
	if ((r = command(conn, create_sql, err)) == 0 &&
	    (r = save_step(conn, "DELETE FROM daystream.columns WHERE slot = %s", slot, err)) == 0 &&
	    (r = save_step(conn, "DELETE FROM daystream.tables WHERE slot = %s", slot, err)) == 0 &&
	    (r = save_step(conn, save_sql, slot, err)) == 0 &&
	    (r = save_step(conn, save_columns_sql, slot, err)) == 0 && (r = read_saved(conn, saved, err)) == 0)
		return command(conn, "COMMIT", err);
	command(conn, "ROLLBACK", NULL);
	return err_prefix(err, r, "saving the schema in the server's schema \"daystream\"");
}

/* ---- the server and its slot -------------------------------------------- */

int server_identify(PGconn *replication, struct origin *origin, uint64_t *end_lsn, struct err *err)
{
	PGresult *res;
	int r = query(replication, "IDENTIFY_SYSTEM", &res, err);

	if (r < 0)
		return r;
	bool whole = PQntuples(res) == 1 && PQnfields(res) == 4;
	const char *lsn = whole ? pg_text(res, 0, 2) : "";
	if (!lsn_parse(lsn, strlen(lsn), end_lsn)) {
		r = err_set(err, -EPROTO, "the server's answer to IDENTIFY_SYSTEM cannot be read");
	} else {
		origin->system = strtoull(pg_text(res, 0, 0), NULL, 10);
		origin->timeline = (uint32_t)strtoul(pg_text(res, 0, 1), NULL, 10);
		snprintf(origin->database, sizeof origin->database, "%s", pg_text(res, 0, 3));
	}
	PQclear(res);
	return r;
}

static const char slot_sql[] =
    "SELECT s.plugin, s.active, s.wal_status, s.safe_wal_size, s.confirmed_flush_lsn, l.lsn, s.restart_lsn FROM "
    "(SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END AS lsn) l "
    "LEFT JOIN pg_catalog.pg_replication_slots s ON s.slot_name = %s";

static uint64_t lsn_of(const PGresult *res, int column)
{
	const char *text = pg_text(res, 0, column);
	uint64_t lsn = 0;

	lsn_parse(text, strlen(text), &lsn);
	return lsn;
}

int server_slot(PGconn *conn, const char *name, int wakefd, struct server_slot *slot, struct err *err)
{
	PGresult *res;
	int r = query_literal(conn, slot_sql, name, wakefd, &res, err);

	*slot = (struct server_slot){0};
	if (r < 0)
		return r;
	slot->exists = !PQgetisnull(res, 0, 1);
	slot->active = *pg_text(res, 0, 1) == 't';
	snprintf(slot->plugin, sizeof slot->plugin, "%s", pg_text(res, 0, 0));
	snprintf(slot->wal_status, sizeof slot->wal_status, "%s", pg_text(res, 0, 2));
	snprintf(slot->safe_wal_size, sizeof slot->safe_wal_size, "%s", pg_text(res, 0, 3));
	slot->confirmed_lsn = lsn_of(res, 4);
	slot->server_lsn = lsn_of(res, 5);
	slot->restart_lsn = lsn_of(res, 6);
	PQclear(res);
	return 0;
}

uint64_t server_retained(const struct server_slot *slot)
{
	return slot->restart_lsn && slot->server_lsn > slot->restart_lsn ? slot->server_lsn - slot->restart_lsn : 0;
}

uint64_t server_lag(const struct server_slot *slot, uint64_t lsn)
{
	uint64_t have = slot->confirmed_lsn > lsn ? slot->confirmed_lsn : lsn;

	return slot->server_lsn > have ? slot->server_lsn - have : 0;
}

int server_slot_exists(const char *name, struct err *err)
{
	return err_set(
	    err, -EEXIST,
	    "the replication slot \"%s\" exists already; choose another name with --slot, or, if nobody needs it, "
	    "run: SELECT pg_drop_replication_slot('%s');",
	    name, name);
}

int server_create_slot(PGconn *replication, const char *name, int wakefd, uint64_t *consistent_lsn, struct err *err)
{
	char *quoted = PQescapeIdentifier(replication, name, strlen(name)), *sql = NULL, sqlstate[6] = "";
	PGresult *res = NULL;
	int r = err_set(err, -ENOMEM, "out of memory");

	if (quoted && asprintf(&sql, "CREATE_REPLICATION_SLOT %s LOGICAL deltaflood NOEXPORT_SNAPSHOT", quoted) >= 0)
		r = pg_exec(replication, sql, wakefd, 0, &res, sqlstate, err);
	if (r == -EINTR)
		pg_cancel(replication); /* while it waits for a lock, the server does not see that we are gone */
	if (r == 0) {
		const char *lsn = pg_text(res, 0, 1);
		if (!lsn_parse(lsn, strlen(lsn), consistent_lsn))
			r = err_set(err, -EPROTO, "the server's answer to CREATE_REPLICATION_SLOT cannot be read");
	} else if (strcmp(sqlstate, "42710") == 0) {
		r = server_slot_exists(name, err);
	} else if (r == -EPROTO) {
		r = fit_refusal(r, sqlstate, err);
	}
	PQclear(res);
	free(sql);
	PQfreemem(quoted);
	return r;
}

int server_drop_slot(PGconn *conn, const char *name, struct err *err)
{
	return save_step(conn, "SELECT pg_catalog.pg_drop_replication_slot(%s)", name, err);
}

void server_forget_schema(PGconn *conn, const char *slot)
{
	command(conn, "BEGIN READ WRITE", NULL);
	save_step(conn, "DELETE FROM daystream.columns WHERE slot = %s", slot, NULL);
	save_step(conn, "DELETE FROM daystream.tables WHERE slot = %s", slot, NULL);
	command(conn, "COMMIT", NULL);
}
