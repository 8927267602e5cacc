#include "rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pg.h"

/* A server that does not answer a cancelled COPY for that long is given up. */
#define CANCEL_MS 10000

/* libpq's sentence, in one line and without its level. */
static int refused(PGconn *conn, const PGresult *result, struct err *err)
{
	const char *primary = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	const char *detail = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL) : NULL;
	const char *hint = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_HINT) : NULL;

	if (PQstatus(conn) == CONNECTION_BAD)
		return err_set(err, -EAGAIN, "the connection to the server is gone%s%s", primary ? ": " : "",
		               primary ? primary : "");
	return err_set(err, -EPROTO, "%s%s%s%s%s", primary ? primary : PQerrorMessage(conn), detail ? ". " : "",
	               detail ? detail : "", hint ? ". " : "", hint ? hint : "");
}

static int wait_for_data(struct rows *rows, int timeout_ms, struct err *err)
{
	int rc = pg_wait(PQsocket(rows->conn), false, rows->wakefd, timeout_ms);

	if (rc < 0)
		return err_set(err, -EINTR, "stopped while reading from the server");
	if (rc > 0 && !PQconsumeInput(rows->conn))
		return refused(rows->conn, NULL, err);
	return rc;
}

/* The next result of the connection, or NULL after the last. */
static int next_result(struct rows *rows, PGresult **result, struct err *err)
{
	*result = NULL;
	while (PQisBusy(rows->conn)) {
		int rc = wait_for_data(rows, -1, err);
		if (rc < 0)
			return rc;
	}
	*result = PQgetResult(rows->conn);
	return 0;
}

int rows_open(struct rows *rows, PGconn *conn, const char *query, int wakefd, struct err *err)
{
	PGresult *result;
	char *sql = NULL;

	*rows = (struct rows){.conn = conn, .wakefd = wakefd};
	/* On lines of their own: a comment at the query's end is to end there. */
	if (asprintf(&sql, "COPY (\n%s\n) TO STDOUT", query) < 0)
		return err_set(err, -ENOMEM, "out of memory for a query of %zu bytes", strlen(query));
	int sent = PQsendQueryParams(conn, sql, 0, NULL, NULL, NULL, NULL, 0);
	free(sql);
	if (!sent)
		return refused(conn, NULL, err);
	rows->open = true;
	int rc = next_result(rows, &result, err);
	if (rc == 0 && PQresultStatus(result) != PGRES_COPY_OUT)
		rc = refused(conn, result, err);
	PQclear(result);
	return rc;
}

/* The server has ended the COPY: in peace, or with an error. */
static int finish(struct rows *rows, struct err *err)
{
	PGresult *result;
	int rc = next_result(rows, &result, err);

	rows->over = rc == 0;
	if (rc == 0 && PQresultStatus(result) != PGRES_COMMAND_OK)
		rc = refused(rows->conn, result, err);
	PQclear(result);
	return rc;
}

int rows_next(struct rows *rows, struct span *row, struct err *err)
{
	PQfreemem(rows->row);
	rows->row = NULL;
	for (;;) {
		int len = PQgetCopyData(rows->conn, &rows->row, true);
		if (len > 0) {
			*row = (struct span){rows->row, (size_t)len - 1};
			return 1;
		}
		if (len == -1)
			return finish(rows, err);
		if (len == -2)
			return refused(rows->conn, NULL, err);
		int rc = wait_for_data(rows, -1, err);
		if (rc < 0)
			return rc;
	}
}

bool rows_split(struct span row, struct span *values, unsigned count)
{
	const char *at = row.at, *end = row.at + row.len;

	for (unsigned i = 0; i < count; i++) {
		const char *tab = memchr(at, '\t', (size_t)(end - at));
		if (!tab != (i + 1 == count))
			return false;
		values[i] = (struct span){at, (size_t)((tab ? tab : end) - at)};
		at = tab ? tab + 1 : end;
	}
	return count > 0 || row.len == 0;
}

/* Reads what is under way, so that the connection can be used again. */
static void drain(struct rows *rows)
{
	struct rows rest = {.conn = rows->conn, .wakefd = -1};
	PGresult *result;

	for (;;) {
		while (PQisBusy(rest.conn))
			if (wait_for_data(&rest, CANCEL_MS, NULL) <= 0)
				return;
		result = PQgetResult(rest.conn);
		if (!result)
			return;
		bool copying = PQresultStatus(result) == PGRES_COPY_OUT;
		PQclear(result);
		for (int len = 0; copying && len >= 0;) {
			char *row = NULL;
			len = PQgetCopyData(rest.conn, &row, true);
			PQfreemem(row);
			if (len == 0 && wait_for_data(&rest, CANCEL_MS, NULL) <= 0)
				return;
		}
	}
}

void rows_close(struct rows *rows)
{
	PQfreemem(rows->row);
	/* libpq calls it active until the end's end has come. */
	if (rows->open && (rows->over || PQtransactionStatus(rows->conn) != PQTRANS_ACTIVE || pg_cancel(rows->conn)))
		drain(rows);
	*rows = (struct rows){.wakefd = -1};
}
