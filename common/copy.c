#include "copy.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "inserts.h"
#include "lock.h"
#include "pg.h"
#include "rows.h"

enum {
	RANGE_FIRST = 1024, /* blocks of a table that are copied under one lock: 8 MiB */
	RANGE_LEAST = 16,
	RANGE_MOST = 65536,
	LOCKED_MS = 500,       /* about that long; whoever waits for the lock has all writers behind him */
	BATCH_LEN = 256 << 10, /* what the sink gets at once */
	CLOCK_MARGIN = 60,     /* seconds: a clock that is set a little back does no harm */
	TID_RANGES_VERSION = 140000,
};

struct copy {
	char *conninfo;
	void (*warn)(const char *sentence);
	int wakefd;
	PGconn *leader;  /* its transaction holds the snapshot */
	PGconn *present; /* sees what is there now; under the lock */
	pthread_mutex_t lock;
	struct visible visible;
	char *snapshot; /* its exported name */
	struct origin origin;
	uint64_t since;
	struct published published;
	struct lacking lacking;
};

struct copy_worker {
	struct copy *copy;
	PGconn *conn;
	struct inserts inserts;
	uint64_t range; /* blocks of the next range */
};

/* ---- statements --------------------------------------------------------- */

static int query(const struct copy *copy, PGconn *conn, const char *sql, PGresult **res, struct err *err)
{
	return pg_exec(conn, sql, copy->wakefd, 0, res, NULL, err);
}

static int command(const struct copy *copy, PGconn *conn, const char *sql, struct err *err)
{
	PGresult *res;
	int r = query(copy, conn, sql, &res, err);

	PQclear(res);
	return r;
}

/* A row-level policy is to be an error, never a filter; a role's own limits and plans do not count here. Some
 * limits are of later servers. */
static int connect_server(const struct copy *copy, PGconn **conn, struct err *err)
{
	int r = pg_connect(conn, copy->conninfo, false, copy->wakefd, err);

	if (r < 0)
		return r;
	r = command(copy, *conn,
	            "SET row_security = off; SET jit = off; SET max_parallel_workers_per_gather = 0; "
	            "SELECT pg_catalog.set_config(name, '0', false) FROM pg_catalog.pg_settings WHERE name IN "
	            "('lock_timeout', 'transaction_timeout', 'idle_session_timeout')",
	            err);
	if (r < 0) {
		PQfinish(*conn);
		*conn = NULL;
	}
	return r;
}

/* ---- the snapshot ------------------------------------------------------- */

/* Whoever is in the stream and not visible yet has its backend still, and committed after its transaction
 * began. Asked before the snapshot is taken: who begins later commits later. Not known where a backend's times
 * are hidden or not kept; and what a subscription applies has its origin's time on its commit, however old. */
static const char since_sql[] =
    "SELECT coalesce(bool_or(query = '<insufficient privilege>' OR state = 'disabled'), false) OR EXISTS (SELECT FROM "
    "pg_catalog.pg_replication_origin), "
    "floor(extract(epoch FROM least(min(xact_start), clock_timestamp())))::bigint, pg_is_in_recovery() FROM "
    "pg_catalog.pg_stat_activity WHERE datid = (SELECT oid FROM "
    "pg_catalog.pg_database WHERE datname = current_database())";

static int ask_since(struct copy *copy, struct err *err)
{
	PGresult *res;
	int r = query(copy, copy->present, since_sql, &res, err);

	if (r < 0)
		return r;
	bool hidden = *pg_text(res, 0, 0) == 't';
	uint64_t second = strtoull(pg_text(res, 0, 1), NULL, 10);
	copy->since = hidden || second < CLOCK_MARGIN ? 0 : second - CLOCK_MARGIN;
	if (*pg_text(res, 0, 2) == 't')
		r = err_set(err, -EINVAL,
		            "the server is a standby, which cannot mark a place in the stream: name the "
		            "primary");
	PQclear(res);
	return r;
}

static const char snapshot_sql[] =
    "SELECT pg_catalog.pg_current_snapshot(), pg_catalog.pg_export_snapshot(), s.system_identifier, "
    "pg_catalog.current_database(), pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_insert_lsn()) "
    "FROM pg_catalog.pg_control_system() s";

static int take_snapshot(struct copy *copy, struct err *err)
{
	PGresult *res;
	int r = command(copy, copy->leader, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY", err);

	if (r < 0 || (r = query(copy, copy->leader, snapshot_sql, &res, err)) < 0)
		return r;
	r = visible_parse(&copy->visible, pg_text(res, 0, 0), err);
	copy->origin.system = strtoull(pg_text(res, 0, 2), NULL, 10);
	snprintf(copy->origin.database, sizeof copy->origin.database, "%s", pg_text(res, 0, 3));
	/* A file of the WAL begins with its timeline, in eight hexadecimal digits. */
	char timeline[9] = "";
	snprintf(timeline, sizeof timeline, "%s", pg_text(res, 0, 4));
	copy->origin.timeline = (uint32_t)strtoul(timeline, NULL, 16);
	if (!(copy->snapshot = strdup(pg_text(res, 0, 1))) && r == 0)
		r = err_set(err, -ENOMEM, "out of memory");
	PQclear(res);
	return r;
}

int copy_open(struct copy **out, const char *conninfo, const char *tables, bool must_exist,
              void (*warn)(const char *sentence), int wakefd, struct err *err)
{
	struct copy *copy = calloc(1, sizeof *copy);
	int r;

	*out = NULL;
	if (!copy || !(copy->conninfo = strdup(conninfo))) {
		free(copy);
		return err_set(err, -ENOMEM, "out of memory");
	}
	copy->warn = warn;
	copy->wakefd = wakefd;
	pthread_mutex_init(&copy->lock, NULL);
	if ((r = connect_server(copy, &copy->present, err)) == 0 && (r = ask_since(copy, err)) == 0 &&
	    (r = connect_server(copy, &copy->leader, err)) == 0 && (r = take_snapshot(copy, err)) == 0)
		r = published_read(&copy->published, &copy->lacking, copy->leader, tables, must_exist, wakefd, err);
	if (r < 0) {
		copy_close(copy);
		return r;
	}
	*out = copy;
	return 0;
}

void copy_close(struct copy *copy)
{
	if (!copy)
		return;
	PQfinish(copy->leader);
	PQfinish(copy->present);
	pthread_mutex_destroy(&copy->lock);
	published_fini(&copy->published);
	lacking_fini(&copy->lacking);
	visible_fini(&copy->visible);
	free(copy->snapshot);
	free(copy->conninfo);
	free(copy);
}

const struct visible *copy_visible(const struct copy *copy)
{
	return &copy->visible;
}

struct lacking *copy_lacking(struct copy *copy)
{
	return &copy->lacking;
}

const struct origin *copy_origin(const struct copy *copy)
{
	return &copy->origin;
}

const struct published_table *copy_tables(const struct copy *copy, size_t *count)
{
	*count = copy->published.count;
	return copy->published.tables;
}

int copy_existing(struct copy *copy, char **relids, struct err *err)
{
	return published_existing(copy->leader, copy->wakefd, 0, relids, err);
}

uint64_t copy_since(const struct copy *copy)
{
	return copy->since;
}

/* ---- rows --------------------------------------------------------------- */

int copy_worker_open(struct copy_worker **out, struct copy *copy, struct err *err)
{
	struct copy_worker *worker = calloc(1, sizeof *worker);
	int r;

	*out = NULL;
	if (!worker)
		return err_set(err, -ENOMEM, "out of memory");
	worker->copy = copy;
	r = connect_server(copy, &worker->conn, err);
	if (r < 0) {
		copy_worker_close(worker);
		return r;
	}
	*out = worker;
	return 0;
}

void copy_worker_close(struct copy_worker *worker)
{
	if (!worker)
		return;
	PQfinish(worker->conn);
	inserts_fini(&worker->inserts);
	free(worker);
}

struct sink {
	int (*take)(void *ctx, const char *lines, size_t len, uint64_t rows, struct err *err);
	void *ctx;
};

static int empty(struct copy_worker *worker, const struct sink *sink, struct err *err)
{
	struct inserts *inserts = &worker->inserts;
	int r = inserts->len ? sink->take(sink->ctx, inserts->buf, inserts->len, inserts->count, err) : 0;

	inserts_empty(inserts);
	return r;
}

static int read_rows(struct copy_worker *worker, size_t i, const char *sql, const struct sink *sink, struct err *err)
{
	const struct inserts_format *format = &worker->copy->published.tables[i].format;
	struct rows rows;
	struct span row;
	int r = rows_open(&rows, worker->conn, sql, worker->copy->wakefd, err);

	while (r == 0 && (r = rows_next(&rows, &row, err)) == 1) {
		r = inserts_add(&worker->inserts, format, row.at, row.len, err);
		if (r == 0 && worker->inserts.len >= BATCH_LEN)
			r = empty(worker, sink, err);
	}
	rows_close(&rows);
	return r < 0 ? r : empty(worker, sink, err);
}

/* By the name that the snapshot knows. */
static int lock_range(struct copy_worker *worker, const struct published_table *table, char sqlstate[6],
                      struct err *err)
{
	struct copy *copy = worker->copy;
	char *begin = NULL, *from = NULL;
	int r = err_set(err, -ENOMEM, "out of memory");

	if (asprintf(&begin, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET TRANSACTION SNAPSHOT '%s'",
	             copy->snapshot) >= 0 &&
	    asprintf(&from, "ONLY %s", table->from) >= 0) {
		struct lock lock = {.begin = begin, .from = from, .name = table->name, .warn = copy->warn};
		r = lock_table(worker->conn, &lock, copy->wakefd, sqlstate, err);
	}
	free(begin);
	free(from);
	return r;
}

static int check_shape(struct copy *copy, const struct published_table *table, struct err *err)
{
	pthread_mutex_lock(&copy->lock);
	int r = published_check(table, copy->present, copy->wakefd, err);
	pthread_mutex_unlock(&copy->lock);
	return r;
}

/* Before the table is read: that the snapshot sees rightly what is in its file, and that this stays so. */
static int begin_range(struct copy_worker *worker, size_t i, struct err *err)
{
	struct copy *copy = worker->copy;
	const struct published_table *table = &copy->published.tables[i];
	char sqlstate[6] = "";
	int r = lock_range(worker, table, sqlstate, err);

	/* No such table, no such schema, or no table any more. */
	if (r < 0 &&
	    (strcmp(sqlstate, "42P01") == 0 || strcmp(sqlstate, "3F000") == 0 || strcmp(sqlstate, "42809") == 0))
		return err_set(err, -ESTALE, "table \"%s\" was dropped or renamed while it was copied",
		               copy->published.tables[i].name);
	if (r < 0)
		return r;
	return check_shape(copy, table, err);
}

/* Blocks that the table has now; what the snapshot sees is in them. */
static int count_blocks(struct copy_worker *worker, size_t i, uint64_t *blocks, struct err *err)
{
	char sql[200];
	PGresult *res;

	snprintf(sql, sizeof sql,
	         "SELECT pg_catalog.pg_relation_size(%" PRIu32 ") / current_setting('block_size')::bigint",
	         worker->copy->published.tables[i].relid);
	int r = query(worker->copy, worker->conn, sql, &res, err);
	if (r == 0)
		*blocks = strtoull(pg_text(res, 0, 0), NULL, 10);
	PQclear(res);
	return r;
}

/* Nothing locks a schema's name: it may have led to another table, or nowhere, which the server refuses. The last range
 * tells it of those before. `r` is what came of reading. */
static int check_read(struct copy *copy, const struct published_table *table, int r, bool last, struct err *err)
{
	struct err changed;

	if (r == 0)
		return last ? check_shape(copy, table, err) : 0;
	if (r != -EPROTO || check_shape(copy, table, &changed) != -ESTALE)
		return r;
	*err = changed;
	return -ESTALE;
}

/* The blocks from `from` on; *next is where the next range begins, 0 behind the last. */
static int copy_range(struct copy_worker *worker, size_t i, uint64_t from, uint64_t *next, const struct sink *sink,
                      struct err *err)
{
	const struct published_table *table = &worker->copy->published.tables[i];
	char range[120] = "", *sql = NULL;
	uint64_t blocks = 0;

	*next = 0;
	int r = begin_range(worker, i, err);
	if (r == 0)
		r = count_blocks(worker, i, &blocks, err);
	if (r < 0)
		return r;
	if (PQserverVersion(worker->conn) >= TID_RANGES_VERSION && from + worker->range < blocks)
		*next = from + worker->range;
	if (*next)
		snprintf(range, sizeof range, " WHERE ctid >= '(%" PRIu64 ",0)' AND ctid < '(%" PRIu64 ",0)'", from,
		         *next);
	else if (from)
		snprintf(range, sizeof range, " WHERE ctid >= '(%" PRIu64 ",0)'", from);
	if (asprintf(&sql, "SELECT %s FROM ONLY %s%s", table->values, table->from, range) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	r = read_rows(worker, i, sql, sink, err);
	free(sql);
	return check_read(worker->copy, table, r, !*next, err);
}

/* Wide rows behind few blocks, or a slow sink, make the next range a smaller one. */
static void fit_range(struct copy_worker *worker, int64_t took_ms)
{
	if (took_ms > LOCKED_MS && worker->range > RANGE_LEAST)
		worker->range /= 2;
	else if (took_ms < LOCKED_MS / 2 && worker->range < RANGE_MOST)
		worker->range *= 2;
}

static int check_parts(struct copy *copy, size_t i, struct err *err)
{
	pthread_mutex_lock(&copy->lock);
	int r = published_check_parts(&copy->published.tables[i], copy->leader, copy->present, copy->wakefd, err);
	pthread_mutex_unlock(&copy->lock);
	return r;
}

int copy_rows(struct copy_worker *worker, size_t i,
              int (*take)(void *ctx, const char *lines, size_t len, uint64_t rows, struct err *err), void *ctx,
              struct err *err)
{
	const struct sink sink = {take, ctx};
	uint64_t from = 0;
	int r;

	worker->range = RANGE_FIRST;
	do {
		int64_t began_ms = clock_ms();
		r = copy_range(worker, i, from, &from, &sink, err);
		if (PQtransactionStatus(worker->conn) != PQTRANS_IDLE) {
			struct err ended;
			int end = command(worker->copy, worker->conn, "ROLLBACK", &ended);
			if (end < 0 && r == 0) {
				*err = ended;
				r = end;
			}
		}
		fit_range(worker, clock_ms() - began_ms);
	} while (r == 0 && from > 0);
	if (r == 0)
		r = check_parts(worker->copy, i, err);
	if (r < 0)
		inserts_empty(&worker->inserts);
	return r == -ESTALE || r == -EINTR ? r
	       : r < 0 ? err_prefix(err, r, "copying table \"%s\"", worker->copy->published.tables[i].name)
	               : 0;
}

/* ---- the marker --------------------------------------------------------- */

/* `local`: flushed here, which sends it to whoever follows; a standby that is away does not matter to that. */
int copy_mark(struct copy *copy, const char *content, uint64_t *xid, uint64_t *lsn, struct err *err)
{
	char *literal = PQescapeLiteral(copy->present, content, strlen(content)), *sql = NULL;
	PGresult *res = NULL, *end = NULL;
	int r = err_set(err, -ENOMEM, "out of memory");

	/* Until the stream has come to the marker may take long: VACUUM is not to wait for that. */
	PQfinish(copy->leader);
	copy->leader = NULL;
	pthread_mutex_lock(&copy->lock);
	if (literal &&
	    asprintf(&sql,
	             "SELECT pg_catalog.pg_current_xact_id(), pg_catalog.pg_logical_emit_message(true, "
	             "'daystream', %s)",
	             literal) >= 0 &&
	    (r = command(copy, copy->present, "BEGIN; SET LOCAL synchronous_commit = local", err)) == 0 &&
	    (r = query(copy, copy->present, sql, &res, err)) == 0 &&
	    (r = command(copy, copy->present, "COMMIT", err)) == 0 &&
	    (r = query(copy, copy->present, "SELECT pg_catalog.pg_current_wal_insert_lsn()", &end, err)) == 0) {
		const char *text = pg_text(end, 0, 0);
		*xid = strtoull(pg_text(res, 0, 0), NULL, 10);
		if (!lsn_parse(text, strlen(text), lsn))
			r = err_set(err, -EPROTO, "the server's LSN cannot be read: \"%.40s\"", text);
	}
	pthread_mutex_unlock(&copy->lock);
	PQclear(res);
	PQclear(end);
	PQfreemem(literal);
	free(sql);
	return r < 0 ? err_prefix(err, r, "marking the snapshot's place in the stream") : 0;
}
