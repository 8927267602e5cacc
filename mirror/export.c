#include "export.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dbfile.h"
#include "line.h"
#include "pg.h"
#include "progress.h"
#include "sql.h"
#include "stop.h"
#include "value.h"

#define BUSY_MS 60000
/* Sent at a time. */
#define CHUNK_BYTES (64u << 10)

struct export
{
	const struct export_options *options;
	PGconn *conn;
	sqlite3 *sqlite;
	sqlite3_stmt *query;
	char *table; /* as the server quotes it */
	char *buffer;
	size_t size, used;
	struct progress *progress;
};

/* ---- the query */

static int check_query(struct export *export, const char *tail, struct err *err)
{
	sqlite3_stmt *more = NULL;

	if (export->query && tail && sqlite3_prepare_v2(export->sqlite, tail, -1, &more, NULL) == SQLITE_OK && !more)
		tail = NULL;
	sqlite3_finalize(more);
	if (!export->query || tail || sqlite3_column_count(export->query) == 0 || !sqlite3_stmt_readonly(export->query))
		return err_set(err, -EINVAL, "give one SELECT, and nothing else");
	if (sqlite3_bind_parameter_count(export->query) > 0)
		return err_set(err, -EINVAL, "the query has parameters, and nothing gives them a value");
	for (int i = 0; i < sqlite3_column_count(export->query); i++)
		for (int j = 0; j < i; j++)
			if (strcmp(sqlite3_column_name(export->query, i), sqlite3_column_name(export->query, j)) == 0)
				return err_set(
				    err, -EINVAL,
				    "the query has column \"%s\" twice: give one of them another name with AS",
				    sqlite3_column_name(export->query, i));
	return 0;
}

static int open_query(struct export *export, struct err *err)
{
	const char *tail = NULL, *path = export->options->path;
	struct stat st;
	int rc = dbfile_stat(path, &st, err);

	if (rc < 0)
		return rc;
	if (sqlite3_open_v2(path, &export->sqlite, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
		return err_set(err, -EIO, "cannot open %s: %s", path, sqlite3_errmsg(export->sqlite));
	sqlite3_busy_timeout(export->sqlite, BUSY_MS);
	sqlite3_db_config(export->sqlite, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	if (sqlite3_prepare_v2(export->sqlite, export->options->query, -1, &export->query, &tail) != SQLITE_OK)
		return sql_error(export->sqlite, "the query", err);
	return check_query(export, tail, err);
}

/* ---- the server */

static int ask(struct export *export, const char *sql, PGresult **answer, struct err *err)
{
	return pg_exec(export->conn, sql, stop_fd(), 0, answer, NULL, err);
}

static int find_table(struct export *export, struct err *err)
{
	const char *table = export->options->table;
	PGresult *answer = NULL;
	char *quoted = PQescapeLiteral(export->conn, table, strlen(table));
	char *sql =
	    quoted ? sqlite3_mprintf("SELECT format('%%I.%%I', nspname, relname) FROM pg_class c JOIN pg_namespace n"
	                             " ON n.oid = relnamespace WHERE c.oid = to_regclass(%s)",
	                             quoted)
	           : NULL;
	int rc = sql ? ask(export, sql, &answer, err) : err_set(err, -EINVAL, "the table's name is no text");

	PQfreemem(quoted);
	sqlite3_free(sql);
	if (rc == 0 && PQntuples(answer) == 0)
		rc = err_set(err, -ENOENT, "the server has no table %s (public is searched where no schema is given)",
		             table);
	if (rc == 0 && !(export->table = strdup(PQgetvalue(answer, 0, 0))))
		rc = err_set(err, -ENOMEM, "out of memory");
	PQclear(answer);
	return rc;
}

/* The server's answer to COPY: 0 where it is `wanted`. */
static int copy_answer(struct export *export, ExecStatusType wanted, struct err *err)
{
	PGresult *answer, *more;

	while (PQisBusy(export->conn)) {
		int rc = pg_wait(PQsocket(export->conn), false, stop_fd(), -1);
		if (rc < 0)
			return err_set(err, -EINTR, "stopped");
		if (rc > 0 && !PQconsumeInput(export->conn))
			return err_set(err, -EAGAIN, "the connection to the server is gone");
	}
	answer = PQgetResult(export->conn);
	if (PQresultStatus(answer) == wanted) {
		PQclear(answer);
		return 0;
	}
	const char *primary = PQresultErrorField(answer, PG_DIAG_MESSAGE_PRIMARY);
	const char *context = PQresultErrorField(answer, PG_DIAG_CONTEXT);
	err_set(err, -EPROTO, "the server refuses: %.500s%s%.400s", primary ? primary : PQerrorMessage(export->conn),
	        context ? ". " : "", context ? context : "");
	PQclear(answer);
	while ((more = PQgetResult(export->conn)))
		PQclear(more);
	return -EPROTO;
}

static int begin_copy(struct export *export, struct err *err)
{
	sqlite3_str *sql = sqlite3_str_new(NULL);

	sqlite3_str_appendf(sql, "COPY %s", export->table);
	for (int i = 0; i < sqlite3_column_count(export->query); i++)
		sqlite3_str_appendf(sql, "%s\"%w\"", i ? ", " : " (", sqlite3_column_name(export->query, i));
	sqlite3_str_appendall(sql, ") FROM STDIN");
	char *text = sqlite3_str_finish(sql);
	if (!text)
		return err_set(err, -ENOMEM, "out of memory");
	int sent = PQsendQuery(export->conn, text);
	sqlite3_free(text);
	if (!sent)
		return err_set(err, -EAGAIN, "the connection to the server is gone");
	return copy_answer(export, PGRES_COPY_IN, err);
}

/* Waits until the connection takes more. */
static int wait_for_room(struct export *export, struct err *err)
{
	if (pg_wait(PQsocket(export->conn), true, stop_fd(), -1) < 0)
		return err_set(err, -EINTR, "stopped");
	/* What the server says meanwhile is not to hold it up. */
	if (!PQconsumeInput(export->conn))
		return err_set(err, -EAGAIN, "the connection to the server is gone");
	return 0;
}

static int flush(struct export *export, struct err *err)
{
	int rc, left;

	while ((rc = export->used ? PQputCopyData(export->conn, export->buffer, (int)export->used) : 1) == 0)
		if ((rc = wait_for_room(export, err)) < 0)
			return rc;
	export->used = 0;
	while (rc > 0 && (left = PQflush(export->conn)) != 0) {
		if (left < 0)
			rc = -1;
		else if ((left = wait_for_room(export, err)) < 0)
			return left;
	}
	return rc < 0 ? err_set(err, -EAGAIN, "the connection to the server is gone: %s", PQerrorMessage(export->conn))
	              : 0;
}

/* ---- the rows */

static int make_room(struct export *export, size_t more, struct err *err)
{
	if (export->size - export->used >= more)
		return 0;
	size_t size = export->used + more + CHUNK_BYTES;
	char *buffer = realloc(export->buffer, size);
	if (!buffer)
		return err_set(err, -ENOMEM, "out of memory for a value of %zu bytes", more);
	export->buffer = buffer;
	export->size = size;
	return 0;
}

/* The shortest text that reads back as the number. */
static size_t print_real(char out[40], double real)
{
	if (isinf(real))
		return (size_t)snprintf(out, 40, "%sInfinity", real < 0 ? "-" : "");
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(out, 40, "%.*g", digits, real);
		if (strtod(out, NULL) == real)
			break;
	}
	return strlen(out);
}

static size_t print_bytes(char *out, const struct value *value)
{
	static const char digits[] = "0123456789abcdef";
	char *at = stpcpy(out, "\\\\x");

	for (size_t i = 0; i < value->len; i++) {
		*at++ = digits[(unsigned char)value->at[i] >> 4];
		*at++ = digits[(unsigned char)value->at[i] & 15];
	}
	return (size_t)(at - out);
}

static int add_value(struct export *export, int column, struct err *err)
{
	struct value value;

	value_of_column(&value, export->query, column);
	/* Longer than the server can take, and than libpq can send at once. */
	if (value.len >= 1u << 29)
		return err_set(err, -EFBIG, "a value of %zu bytes is too long for the server", value.len);
	int rc = make_room(export, 2 * value.len + 64, err);
	if (rc < 0)
		return rc;
	char *out = export->buffer + export->used;
	if (column > 0)
		*out++ = '\t';
	switch (value.kind) {
	case VALUE_INTEGER: out += snprintf(out, 32, "%lld", (long long)value.integer); break;
	case VALUE_REAL: out += print_real(out, value.real); break;
	case VALUE_TEXT: out += line_escape(out, value.at, value.len); break;
	case VALUE_BLOB: out += print_bytes(out, &value); break;
	default: out = stpcpy(out, "\\N");
	}
	export->used = (size_t)(out - export->buffer);
	return 0;
}

static int send_rows(struct export *export, struct err *err)
{
	int rc = 0, step, count = sqlite3_column_count(export->query);

	while (rc == 0 && (step = sqlite3_step(export->query)) == SQLITE_ROW) {
		size_t before = export->used;
		for (int i = 0; rc == 0 && i < count; i++) {
			rc = add_value(export, i, err);
			/* A row of many long values does not pile up. */
			if (rc == 0 && export->used >= CHUNK_BYTES) {
				progress_add(export->progress, 0, export->used - before);
				rc = flush(export, err);
				before = 0;
			}
		}
		if (rc == 0)
			rc = make_room(export, 1, err);
		if (rc == 0) {
			export->buffer[export->used++] = '\n';
			progress_add(export->progress, 1, export->used - before);
		}
		if (rc == 0 && stop_asked())
			rc = err_set(err, -EINTR, "stopped");
	}
	if (rc == 0 && step != SQLITE_DONE)
		rc = sql_error(export->sqlite, "the query", err);
	return rc == 0 ? flush(export, err) : rc;
}

static int copy(struct export *export, struct err *err)
{
	int rc = begin_copy(export, err);

	if (rc < 0)
		return rc;
	PQsetnonblocking(export->conn, 1);
	rc = send_rows(export, err);
	/* Not ended, the COPY is undone: by this, and by the end of the connection. */
	if (rc < 0) {
		PQputCopyEnd(export->conn, "stopped");
		return rc;
	}
	while ((rc = PQputCopyEnd(export->conn, NULL)) == 0)
		if ((rc = wait_for_room(export, err)) < 0)
			return rc;
	rc = rc < 0 ? err_set(err, -EAGAIN, "the connection to the server is gone") : flush(export, err);
	return rc < 0 ? rc : copy_answer(export, PGRES_COMMAND_OK, err);
}

int export_run(const struct export_options *options, struct err *err)
{
	struct export export = {.options = options};
	int rc = open_query(&export, err);

	if (rc == 0) {
		rc = pg_connect(&export.conn, options->conninfo, false, stop_fd(), err);
		if (rc < 0)
			err_prefix(err, rc, "the server");
	}
	if (rc == 0)
		rc = find_table(&export, err);
	if (rc == 0) {
		export.progress = progress_open("exporting", 0);
		rc = copy(&export, err);
		progress_close(export.progress, rc == 0);
	}
	sqlite3_finalize(export.query);
	sqlite3_close(export.sqlite);
	PQfinish(export.conn);
	free(export.table);
	free(export.buffer);
	return rc;
}
