#include "verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "compare.h"
#include "filter.h"
#include "lag.h"
#include "log.h"
#include "name.h"
#include "recheck.h"
#include "report.h"
#include "sql.h"
#include "stop.h"

/* A table whose definition changes, or that differs in more keys than suspects can be. */
#define LOOKS_MOST 6

struct verify {
	const struct verify_options *options;
	struct server server;
	struct reading reading;
	struct lag lag;
	struct progress *progress;
	struct report report;
	char *tables; /* the mirror's own list; NULL: all */
	bool said_standing;
	uint32_t *relids; /* the mirror's tables at the beginning */
	size_t relid_count;

	/* The table at hand. */
	struct schema schema;
	struct suspects suspects;
	struct report_table result;
};

static void warn(const char *sentence)
{
	log_warn("%s", sentence);
}

static void say_standing(struct verify *verify)
{
	if (!verify->lag.stands || verify->said_standing)
		return;
	verify->said_standing = true;
	log_warn("%s %s; what it does not have counts as different", verify->options->path,
	         verify->lag.stood_at == 0 ? "has no position in the stream"
	                                   : "does not move on (is deltamirror at work on it?)");
}

/* 1: the mirror has all that the server shows now; 0: it stands still. */
static int pass(struct verify *verify, struct err *err)
{
	int rc = lag_pass(&verify->lag, NULL, NULL, err);

	if (rc >= 0)
		say_standing(verify);
	return rc;
}

static bool is_chosen(const struct verify *verify, const char *schema, const char *table)
{
	char component[NAME_PATH_MAX];
	size_t len = name_join(component, schema, table);

	return filter_has(verify->tables, component, len) && filter_has(verify->options->tables, component, len);
}

/* The mirror's table and what is written down of it, inside a read transaction. 1: there; 0: it is gone. */
static int read_schema(struct verify *verify, uint32_t relid, struct err *err)
{
	struct report_table *result = &verify->result;

	schema_fini(&verify->schema);
	*result = (struct report_table){0};
	int rc = reading_table(&verify->reading, relid, &verify->schema, err);
	if (rc == 1) {
		name_join(result->name, verify->schema.definition.schema, verify->schema.definition.table);
		result->inexact = *verify->schema.inexact_since ? verify->schema.inexact_since : NULL;
	}
	return rc;
}

/* The rows of a table that only the mirror has. */
static int count_rows(struct verify *verify, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	char *sql = sqlite3_mprintf("SELECT count(*) FROM \"%w\"", verify->schema.name);

	if (!sql)
		return err_set(err, -ENOMEM, "out of memory for a query");
	int rc = sqlite3_prepare_v2(verify->reading.sqlite, sql, -1, &stmt, NULL);
	sqlite3_free(sql);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		verify->result.rows = (uint64_t)sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? 0 : sql_error(verify->reading.sqlite, "cannot read the mirror's table", err);
}

static int compare(struct verify *verify, const char *from, struct err *err)
{
	struct sides sides;
	int rc = sides_init(&sides, &verify->server, &verify->reading, &verify->schema, err);

	verify->result.kind = REPORT_COMPARED;
	if (rc == 0)
		rc = compare_run(&sides, from, &verify->suspects, verify->progress, &verify->result.rows, err);
	sides_fini(&sides);
	return rc;
}

/* One pass inside the mirror's read transaction and the server's. */
static int look_at_server(struct verify *verify, struct err *err)
{
	struct report_table *result = &verify->result;
	struct server_table table;
	struct err difference;
	int rc = server_table_begin(&verify->server, verify->schema.definition.relid, &table, err);

	if (rc == 0) {
		result->kind = REPORT_EXTRA;
		snprintf(result->note, sizeof result->note, "the server has no such table");
		rc = count_rows(verify, err);
	} else if (rc == 1 && server_table_differs(&table, &verify->schema, &difference)) {
		result->kind = REPORT_OTHER;
		snprintf(result->note, sizeof result->note, "%.600s", difference.text);
		rc = 0;
	} else if (rc == 1) {
		rc = compare(verify, table.from, err);
	}
	server_table_end(&verify->server, &table);
	return rc;
}

/* 1: what the result says is so; 0: it may be lag. `last`: there is no other look after this. */
static int look(struct verify *verify, uint32_t relid, bool last, struct err *err)
{
	suspects_clear(&verify->suspects);
	int rc = reading_refresh(&verify->reading, err);
	if (rc >= 0)
		rc = reading_begin(&verify->reading, err);
	if (rc == 0)
		rc = read_schema(verify, relid, err);
	bool there = rc == 1 && (verify->schema.displaced ||
	                         is_chosen(verify, verify->schema.definition.schema, verify->schema.definition.table));
	if (there && verify->schema.displaced)
		verify->result.kind = REPORT_ASIDE;
	else if (there)
		rc = look_at_server(verify, err);
	reading_end(&verify->reading);
	if (rc < 0 || !there || verify->result.kind == REPORT_ASIDE)
		return rc < 0 ? rc : 1;
	if (verify->result.kind != REPORT_COMPARED)
		return 0;
	if (verify->suspects.count == 0)
		return 1;
	if (verify->suspects.beyond[SUSPECT_OPEN] > 0 && !last)
		return 0;
	rc = recheck_run(&verify->suspects, &verify->lag, &verify->schema, err);
	say_standing(verify);
	return rc == 0 ? 1 : rc == -ESTALE && !last ? 0 : rc;
}

static void print(struct verify *verify)
{
	struct sides sides = {0};
	struct err ignored;

	if (isatty(STDERR_FILENO))
		fputs("\r\033[K", stderr); /* the progress bar */
	if (verify->result.kind != REPORT_COMPARED ||
	    sides_init(&sides, &verify->server, &verify->reading, &verify->schema, &ignored) == 0)
		report_add(&verify->report, &verify->result, &verify->suspects, &sides);
	sides_fini(&sides);
}

/* An error that is this table's only is its result. */
static int check_table(struct verify *verify, uint32_t relid, struct err *err)
{
	int rc = 0;

	for (int looks = 1; rc == 0 && looks <= LOOKS_MOST; looks++) {
		rc = look(verify, relid, looks == LOOKS_MOST || verify->lag.stands, err);
		if (rc == 0) {
			int passed = pass(verify, err);
			rc = passed < 0 ? passed : verify->lag.stands && looks > 1;
		}
	}
	if (rc == -EPROTO || rc == -EBADMSG || rc == -ESTALE) {
		verify->result.kind = REPORT_FAILED;
		snprintf(verify->result.note, sizeof verify->result.note, "%.600s", err->text);
		rc = 0;
	}
	if (rc < 0)
		return *verify->result.name ? err_prefix(err, rc, "table \"%s\"", verify->result.name) : rc;
	print(verify);
	return 0;
}

/* The mirror's tables, as OIDs in the order of their names. */
static int list_tables(struct verify *verify, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(verify->reading.sqlite,
	                            "SELECT relid FROM _daystream_tables ORDER BY schema, \"table\"", -1, &stmt, NULL);

	while (rc == SQLITE_OK && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		uint32_t *more = realloc(verify->relids, (verify->relid_count + 1) * sizeof *more);
		rc = more ? SQLITE_OK : SQLITE_NOMEM;
		if (more) {
			verify->relids = more;
			more[verify->relid_count++] = (uint32_t)sqlite3_column_int64(stmt, 0);
		}
	}
	sqlite3_finalize(stmt);
	return rc == SQLITE_DONE ? 0 : sql_error(verify->reading.sqlite, "cannot list the mirror's tables", err);
}

static int check_mirror_tables(struct verify *verify, struct err *err)
{
	int rc = list_tables(verify, err);

	for (size_t i = 0; rc == 0 && i < verify->relid_count; i++)
		rc = stop_asked() ? err_set(err, -EINTR, "stopped") : check_table(verify, verify->relids[i], err);
	return rc;
}

static bool was_checked(const struct verify *verify, uint32_t relid)
{
	for (size_t i = 0; i < verify->relid_count; i++)
		if (verify->relids[i] == relid)
			return true;
	return false;
}

/* 1: the mirror has that table; 0: it has not. */
static int mirror_has(struct verify *verify, uint32_t relid, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	int rc = reading_refresh(&verify->reading, err);

	if (rc < 0)
		return rc;
	rc = sqlite3_prepare_v2(verify->reading.sqlite, "SELECT 1 FROM _daystream_tables WHERE relid = ?1", -1, &stmt,
	                        NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_bind_int64(stmt, 1, relid);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	sqlite3_finalize(stmt);
	if (rc == SQLITE_ROW || rc == SQLITE_DONE)
		return rc == SQLITE_ROW;
	return sql_error(verify->reading.sqlite, "cannot list the mirror's tables", err);
}

/* By its OID, and under a lock: its name may be another table's by now. */
static int count_at_server(struct verify *verify, uint32_t relid, uint64_t *rows, struct err *err)
{
	struct server_table table;
	PGresult *answer = NULL;
	int rc = server_table_begin(&verify->server, relid, &table, err);

	if (rc == 1) {
		char *sql = sqlite3_mprintf("SELECT count(*) FROM %s", table.from);
		rc = sql ? server_ask(&verify->server, sql, &answer, err) : err_set(err, -ENOMEM, "out of memory");
		sqlite3_free(sql);
		if (rc == 0) {
			*rows = strtoull(PQgetvalue(answer, 0, 0), NULL, 10);
			rc = 1;
		}
		PQclear(answer);
	}
	server_table_end(&verify->server, &table);
	return rc;
}

/* A table of the server that the mirror should have, and has not. One that is gone meanwhile is none. */
static int report_missing(struct verify *verify, uint32_t relid, const char *schema, const char *table, struct err *err)
{
	struct report_table result = {.kind = REPORT_EMPTY};
	int rc = count_at_server(verify, relid, &result.rows, err);

	if (rc == 0)
		return 0;
	name_join(result.name, schema, table);
	if (result.rows > 0)
		result.kind = REPORT_MISSING;
	snprintf(result.note, sizeof result.note, "the mirror has no such table");
	if (rc == -EPROTO || rc == -ESTALE) {
		result.kind = REPORT_FAILED;
		snprintf(result.note, sizeof result.note, "%.600s", err->text);
		rc = 1;
	}
	if (rc == 1)
		report_add(&verify->report, &result, NULL, NULL);
	return rc < 0 ? rc : 0;
}

/* What the plugin sends where it is given no list. */
static const char tables_sql[] =
    "SELECT c.oid, nspname, relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
    " WHERE relkind = 'r' AND relpersistence = 'p' AND c.oid >= 16384"
    " ORDER BY nspname, relname";

static bool is_wanted(const struct verify *verify, const char *schema, const char *table)
{
	/* init's own, unless the list names them. */
	if (strcmp(schema, "daystream") == 0 && !verify->tables)
		return false;
	return is_chosen(verify, schema, table);
}

static int check_server_tables(struct verify *verify, struct err *err)
{
	PGresult *answer;
	bool passed = false;
	int rc = server_ask(&verify->server, tables_sql, &answer, err);

	for (int i = 0; rc == 0 && i < PQntuples(answer); i++) {
		const char *schema = PQgetvalue(answer, i, 1), *table = PQgetvalue(answer, i, 2);
		if (!is_wanted(verify, schema, table))
			continue;
		uint32_t relid = (uint32_t)strtoul(PQgetvalue(answer, i, 0), NULL, 10);
		int has = was_checked(verify, relid) ? 2 : mirror_has(verify, relid, err);
		if (has == 0 && !passed) {
			has = pass(verify, err);
			passed = true;
			if (has >= 0)
				has = mirror_has(verify, relid, err);
		}
		/* 1: it came meanwhile. */
		rc = has < 0    ? has
		     : has == 0 ? report_missing(verify, relid, schema, table, err)
		     : has == 1 ? check_table(verify, relid, err)
		                : 0;
	}
	PQclear(answer);
	return rc;
}

/* Another server's tables have nothing to do with these. */
static int recognize(struct verify *verify, struct err *err)
{
	struct reading_state state;
	int rc = reading_state(&verify->reading, &state, err);

	if (rc == 0 && state.system && strcmp(state.system, verify->server.system) != 0)
		rc = err_set(err, -EINVAL,
		             "%s is a mirror of another server: its system identifier is %s, this one's %s",
		             verify->options->path, state.system, verify->server.system);
	else if (rc == 0 && state.database && strcmp(state.database, PQdb(verify->server.conn)) != 0)
		rc = err_set(err, -EINVAL, "%s is a mirror of database \"%s\", the connection leads to \"%s\"",
		             verify->options->path, state.database, PQdb(verify->server.conn));
	verify->tables = state.tables;
	state.tables = NULL;
	reading_state_fini(&state);
	return rc;
}

/* The stream, and so the mirror, has a commit as soon as it is in the log. */
static void warn_of_waiting(struct verify *verify)
{
	PGresult *answer = NULL;

	if (server_ask(&verify->server, "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE wait_event = 'SyncRep'",
	               &answer, NULL) == 0 &&
	    strcmp(PQgetvalue(answer, 0, 0), "0") != 0)
		log_warn(
		    "%s commit(s) wait for a synchronous standby: the mirror has them, and no query of the server sees "
		    "them yet",
		    PQgetvalue(answer, 0, 0));
	PQclear(answer);
}

int verify_run(const struct verify_options *options, FILE *out, struct err *err)
{
	struct verify verify = {.options = options, .server = {.wakefd = -1}};

	verify.lag = (struct lag){.server = &verify.server, .reading = &verify.reading, .wait_ms = options->wait_ms};
	int rc = reading_open(&verify.reading, options->path, err);
	if (rc == 0)
		rc = server_open(&verify.server, options->conninfo, stop_fd(), warn, err);
	if (rc == 0)
		rc = recognize(&verify, err);
	if (rc == 0) {
		verify.progress = progress_open("comparing", 0);
		report_begin(&verify.report, out);
		rc = check_mirror_tables(&verify, err);
	}
	if (rc == 0)
		rc = check_server_tables(&verify, err);
	progress_close(verify.progress, rc == 0);
	if (rc == 0 && verify.report.different > 0) {
		log_warn("%" PRIu64 " of %" PRIu64 " tables differ", verify.report.different, verify.report.tables);
		warn_of_waiting(&verify);
	}
	suspects_fini(&verify.suspects);
	schema_fini(&verify.schema);
	free(verify.tables);
	free(verify.relids);
	server_close(&verify.server);
	reading_close(&verify.reading);
	return rc < 0 ? rc : verify.report.different == 0;
}
