#include "result.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pg.h"

/* With a limit on each wait but the last: a server may plan long. */
static int wait_result(PGconn *conn, int wakefd, PGresult **out, struct err *err)
{
	PGresult *more;

	*out = NULL;
	while (PQisBusy(conn)) {
		int rc = pg_wait(PQsocket(conn), false, wakefd, -1);
		if (rc < 0)
			return err_set(err, -EINTR, "stopped while waiting for the server");
		if (rc > 0 && !PQconsumeInput(conn))
			return err_set(err, -EAGAIN, "the connection to the server is gone");
	}
	*out = PQgetResult(conn);
	while ((more = PQgetResult(conn)))
		PQclear(more);
	if (PQresultStatus(*out) == PGRES_COMMAND_OK)
		return 0;
	const char *primary = PQresultErrorField(*out, PG_DIAG_MESSAGE_PRIMARY);
	int rc = err_set(err, -EPROTO, "the query: %s", primary ? primary : "the server does not take it");
	PQclear(*out);
	*out = NULL;
	return rc;
}

static char *without_semicolon(const char *query)
{
	size_t len = strlen(query);

	while (len > 0 && strchr("; \t\r\n", query[len - 1]))
		len--;
	return strndup(query, len);
}

/* The columns' base types, in one question. */
static int find_types(struct result *result, PGconn *conn, const PGresult *described, enum numeric numeric, int wakefd,
                      struct err *err)
{
	PGresult *answer = NULL;
	sqlite3_str *sql = sqlite3_str_new(NULL);

	sqlite3_str_appendall(sql, "WITH RECURSIVE below (place, type, depth) AS (VALUES ");
	for (unsigned i = 0; i < result->count; i++)
		sqlite3_str_appendf(sql, "%s(%u, %u::oid, 0)", i ? ", " : "", i, PQftype(described, (int)i));
	sqlite3_str_appendall(sql,
	                      " UNION ALL SELECT place, typbasetype, depth + 1 FROM below JOIN pg_type ON oid = type"
	                      " WHERE typtype = 'd') SELECT DISTINCT ON (place) format_type(type, NULL) FROM below"
	                      " ORDER BY place, depth DESC");
	char *text = sqlite3_str_finish(sql);
	int rc = text ? pg_exec(conn, text, wakefd, 0, &answer, NULL, err) : err_set(err, -ENOMEM, "out of memory");
	sqlite3_free(text);
	for (unsigned i = 0; rc == 0 && i < result->count; i++) {
		struct result_column *column = &result->columns[i];
		column->name = strdup(PQfname(described, (int)i));
		column->base = strdup(PQgetvalue(answer, (int)i, 0));
		if (!column->name || !column->base)
			rc = err_set(err, -ENOMEM, "out of memory for %u columns", result->count);
		else
			column->storage = value_storage(column->base, numeric);
	}
	PQclear(answer);
	return rc;
}

static int check_names(const struct result *result, struct err *err)
{
	for (unsigned i = 0; i < result->count; i++) {
		const char *name = result->columns[i].name;
		if (!*name || strcmp(name, "?column?") == 0)
			return err_set(err, -EINVAL, "column %u of the query has no name: give it one with AS", i + 1);
		for (unsigned j = 0; j < i; j++)
			if (sqlite3_stricmp(name, result->columns[j].name) == 0)
				return err_set(err, -EINVAL,
				               "the query has column \"%s\" twice (SQLite's names do not regard case): "
				               "give one of them another name with AS",
				               name);
	}
	return 0;
}

int result_describe(struct result *result, PGconn *conn, const char *query, enum numeric numeric, int wakefd,
                    struct err *err)
{
	PGresult *described = NULL, *prepared = NULL;
	int rc;

	*result = (struct result){.query = without_semicolon(query)};
	if (!result->query)
		return err_set(err, -ENOMEM, "out of memory");
	if (!PQsendPrepare(conn, "", result->query, 0, NULL))
		return err_set(err, -EAGAIN, "the connection to the server is gone");
	rc = wait_result(conn, wakefd, &prepared, err);
	PQclear(prepared);
	if (rc == 0 && !PQsendDescribePrepared(conn, ""))
		rc = err_set(err, -EAGAIN, "the connection to the server is gone");
	if (rc == 0)
		rc = wait_result(conn, wakefd, &described, err);
	if (rc == 0 && PQnparams(described) > 0)
		rc = err_set(err, -EINVAL, "the query has parameters ($1), and nothing gives them a value");
	if (rc == 0 && PQnfields(described) == 0)
		rc = err_set(err, -EINVAL, "that is no query with a result: give one SELECT");
	if (rc == 0) {
		result->count = (unsigned)PQnfields(described);
		result->columns = calloc(result->count, sizeof *result->columns);
		rc = result->columns ? find_types(result, conn, described, numeric, wakefd, err)
		                     : err_set(err, -ENOMEM, "out of memory for %u columns", result->count);
	}
	PQclear(described);
	return rc < 0 ? rc : check_names(result, err);
}

void result_fini(struct result *result)
{
	for (unsigned i = 0; result->columns && i < result->count; i++) {
		free(result->columns[i].name);
		free(result->columns[i].base);
	}
	free(result->columns);
	free(result->query);
	*result = (struct result){0};
}

char *result_sql(const struct result *result)
{
	sqlite3_str *sql = sqlite3_str_new(NULL);

	sqlite3_str_appendall(sql, "SELECT ");
	for (unsigned i = 0; i < result->count; i++)
		sqlite3_str_appendf(sql, "%sq.\"%w\"%s", i ? ", " : "", result->columns[i].name,
		                    result->columns[i].storage == STORAGE_BOOLEAN ? "::int" : "");
	/* On lines of its own: a comment at its end is to end there. */
	sqlite3_str_appendf(sql, " FROM (\n%s\n) AS q", result->query);
	return sqlite3_str_finish(sql);
}
