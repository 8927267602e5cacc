#include "server.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lock.h"
#include "pg.h"
#include "position.h"

/* A table that is renamed again and again meanwhile. */
#define LOCK_TRIES 10

enum { LOCK_MS = 60000 };

enum { COLUMN_NUMBER, COLUMN_NAME, COLUMN_TYPE, COLUMN_IDENTITY };

int server_ask(struct server *server, const char *sql, PGresult **result, struct err *err)
{
	return pg_exec(server->conn, sql, server->wakefd, 0, result, NULL, err);
}

static int run(struct server *server, const char *sql, struct err *err)
{
	PGresult *result;
	int rc = server_ask(server, sql, &result, err);

	PQclear(result);
	return rc;
}

int server_open(struct server *server, const char *conninfo, int wakefd, void (*warn)(const char *sentence),
                struct err *err)
{
	PGresult *result = NULL;

	*server = (struct server){.wakefd = wakefd, .warn = warn};
	int rc = pg_connect(&server->conn, conninfo, false, wakefd, err);
	/* Rows that a policy hides are an error: what the mirror lacks could be among them. */
	if (rc == 0)
		rc = run(server,
		         "SET synchronous_commit = local; SET lock_timeout = '60s'; SET quote_all_identifiers = off; "
		         "SET row_security = off",
		         err);
	/* It is idle while the mirror is waited for. Before PostgreSQL 14 there is no such limit. */
	if (rc == 0 && PQserverVersion(server->conn) >= 140000)
		rc = run(server, "SET idle_session_timeout = 0", err);
	if (rc == 0)
		rc = server_ask(server,
		                "SELECT (SELECT system_identifier FROM pg_control_system()),"
		                " current_setting('server_encoding') NOT IN ('UTF8', 'LATIN1', 'SQL_ASCII')",
		                &result, err);
	if (rc == 0) {
		server->system = strdup(PQgetvalue(result, 0, 0));
		server->other_bytes = *PQgetvalue(result, 0, 1) == 't';
		if (!server->system)
			rc = err_set(err, -ENOMEM, "out of memory");
	}
	PQclear(result);
	return rc < 0 ? err_prefix(err, rc, "the server") : 0;
}

void server_close(struct server *server)
{
	PQfinish(server->conn);
	free(server->system);
	*server = (struct server){.wakefd = -1};
}

int server_mark(struct server *server, uint64_t *lsn, struct err *err)
{
	PGresult *result;
	int rc = server_ask(server, "SELECT pg_logical_emit_message(true, 'daystream', 'verify')", &result, err);

	if (rc == 0 && !lsn_parse(PQgetvalue(result, 0, 0), strlen(PQgetvalue(result, 0, 0)), lsn))
		rc = err_set(err, -EPROTO, "the server's position is none");
	PQclear(result);
	return rc < 0 ? err_prefix(err, rc, "cannot mark a place in the stream") : 0;
}

/* Of an ordinary table, without its transaction. 1: *from is "ONLY ..."; 0: there is none. */
static int find_name(struct server *server, uint32_t relid, char **from, struct err *err)
{
	PGresult *result;
	char sql[300];

	*from = NULL;
	snprintf(sql, sizeof sql,
	         "SELECT format('ONLY %%I.%%I', nspname, relname) FROM pg_class c JOIN pg_namespace n"
	         " ON n.oid = relnamespace WHERE c.oid = %u AND relkind = 'r' AND relpersistence = 'p'",
	         relid);
	int rc = server_ask(server, sql, &result, err);
	if (rc == 0 && PQntuples(result) > 0) {
		*from = strdup(PQgetvalue(result, 0, 0));
		rc = *from ? 1 : err_set(err, -ENOMEM, "out of memory");
	}
	PQclear(result);
	return rc;
}

/* The columns in their order, and the replica identity's (under FULL the primary key's). An outer join, so
 * that a table without columns has a row, too. */
static const char definition_sql[] =
    "SELECT attnum, attname, format_type(atttypid, atttypmod),"
    " (relreplident = 'f')::int || ':' || coalesce((SELECT string_agg(indkey[i]::text, ',' ORDER BY i) FROM pg_index,"
    "  generate_series(0, indnkeyatts - 1) i WHERE indrelid = c.oid AND indisvalid AND indimmediate AND"
    "  CASE relreplident WHEN 'i' THEN indisreplident WHEN 'n' THEN false ELSE indisprimary END), '') "
    "FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace LEFT JOIN pg_attribute a"
    " ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated <> 'v' "
    "WHERE c.oid = %1$u AND format('ONLY %%I.%%I', nspname, relname) = %2$s ORDER BY attnum";

/* 1: it is that table still; 0: another one has the name, or none. */
static int read_definition(struct server *server, uint32_t relid, struct server_table *table, struct err *err)
{
	char *sql, *name = PQescapeLiteral(server->conn, table->from, strlen(table->from));

	if (!name)
		return err_set(err, -EPROTO, "the server's name of a table cannot be read");
	int len = asprintf(&sql, definition_sql, relid, name);
	PQfreemem(name);
	if (len < 0)
		return err_set(err, -ENOMEM, "out of memory");
	int rc = server_ask(server, sql, &table->answer, err);
	free(sql);
	return rc < 0 ? rc : PQntuples(table->answer) > 0;
}

static int try_begin(struct server *server, uint32_t relid, struct server_table *table, struct err *err)
{
	char sqlstate[6];
	int rc = find_name(server, relid, &table->from, err);

	if (rc <= 0)
		return rc;
	/* The lock before the snapshot: what a TRUNCATE or a rewrite left is seen then. */
	const struct lock lock = {.begin = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
	                          .from = table->from,
	                          .name = table->from + strlen("ONLY "),
	                          .most_ms = LOCK_MS,
	                          .warn = server->warn};
	rc = lock_table(server->conn, &lock, server->wakefd, sqlstate, err);
	if (rc < 0)
		return strcmp(sqlstate, "42P01") == 0 || strcmp(sqlstate, "3F000") == 0 ? -ESTALE : rc;
	rc = read_definition(server, relid, table, err);
	return rc == 0 ? err_set(err, -ESTALE, "the table gets other names all the time") : rc;
}

int server_table_begin(struct server *server, uint32_t relid, struct server_table *table, struct err *err)
{
	int rc = -ESTALE;

	*table = (struct server_table){0};
	for (int tries = 0; rc == -ESTALE && tries < LOCK_TRIES; tries++) {
		server_table_end(server, table);
		rc = try_begin(server, relid, table, err);
	}
	return rc;
}

void server_table_end(struct server *server, struct server_table *table)
{
	free(table->from);
	PQclear(table->answer);
	*table = (struct server_table){0};
	if (server->conn && PQtransactionStatus(server->conn) != PQTRANS_IDLE) {
		struct server unstoppable = {.conn = server->conn, .wakefd = -1};
		run(&unstoppable, "ROLLBACK", NULL);
	}
}

/* As the server's answer spells it; to be freed with sqlite3_free. */
static char *identity_of(const struct schema *schema)
{
	sqlite3_str *text = sqlite3_str_new(NULL);

	sqlite3_str_appendf(text, "%d:", schema->definition.identity == IDENTITY_FULL);
	for (unsigned i = 0; schema->match == SCHEMA_KEY && i < schema->key_count; i++)
		sqlite3_str_appendf(text, "%s%u", i ? "," : "", schema->columns[schema->key[i]].number);
	return sqlite3_str_finish(text);
}

bool server_table_differs(const struct server_table *table, const struct schema *schema, struct err *difference)
{
	PGresult *answer = table->answer;
	unsigned count = PQgetisnull(answer, 0, COLUMN_NUMBER) ? 0 : (unsigned)PQntuples(answer);

	for (unsigned i = 0; i < count && i < schema->column_count; i++) {
		const struct column *here = &schema->definition.columns[i];
		const char *name = PQgetvalue(answer, (int)i, COLUMN_NAME),
		           *type = PQgetvalue(answer, (int)i, COLUMN_TYPE);
		if (here->number != (unsigned)atoi(PQgetvalue(answer, (int)i, COLUMN_NUMBER)) ||
		    strcmp(here->name, name) != 0 || strcmp(here->type, type) != 0) {
			err_set(difference, 0, "column %u is \"%s\" %s at the server, in the mirror \"%s\" %s", i + 1,
			        name, type, here->name, here->type);
			return true;
		}
	}
	if (count != schema->column_count) {
		const char *more = count > schema->column_count
		                       ? PQgetvalue(answer, (int)schema->column_count, COLUMN_NAME)
		                       : schema->definition.columns[count].name;
		err_set(difference, 0, "column \"%s\" is %s", more,
		        count > schema->column_count ? "not in the mirror" : "in the mirror only");
		return true;
	}
	char *identity = identity_of(schema);
	bool same = identity && strcmp(identity, PQgetvalue(answer, 0, COLUMN_IDENTITY)) == 0;
	sqlite3_free(identity);
	if (!same)
		err_set(difference, 0, "its replica identity is another one at the server");
	return !same;
}
