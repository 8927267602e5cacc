/*
 * latency CONNINFO COUNT RATE pipe|file PATH|sqlite PATH: one client commits COUNT rows into `ticks`, RATE of them in a
 * second; prints how long after a COMMIT was sent its row could be read: as a line of standard input (`pipe`), as a line
 * of a growing file, or in a database that is looked at all the time. (Not after the server's answer: a walsender may be
 * faster than that.) Of a line, when it was there to be read, by poll(2), and when it had been read. The numbers go on
 * from those in the table.
 */
#include <fcntl.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <unistd.h>

#include "ticks.h"

enum { PATIENCE = 60 };

static double *sent, *readable, *seen; /* by number, from `before` + 1 */
static size_t count, before;
static atomic_size_t seen_count;
static sqlite3_stmt *newest;
static int stream = -1;

static void see(size_t n, double told, double now)
{
	if (n > before && n <= before + count && seen[n - before] == 0) {
		readable[n - before] = told;
		seen[n - before] = now;
		seen_count++;
	}
}

/* Whole lines; returns how many bytes they have. */
static size_t see_lines(const char *text, size_t len, double told, double now)
{
	static const char mark[] = "\t_action\tinsert\tn\t";
	const char *at = text, *end = text + len, *line_end;

	while ((line_end = memchr(at, '\n', (size_t)(end - at)))) {
		const char *found = memmem(at, (size_t)(line_end - at), mark, sizeof mark - 1);
		if (found)
			see(strtoul(found + sizeof mark - 1, NULL, 10), told, now);
		at = line_end + 1;
	}
	return (size_t)(at - text);
}

static void *read_stream(void *unused)
{
	static char buf[1 << 20];
	size_t len = 0;

	(void)unused;
	for (;;) {
		poll(&(struct pollfd){.fd = stream, .events = POLLIN}, 1, 1000);
		double told = ticks_now();
		for (ssize_t n; (n = read(stream, buf + len, sizeof buf - len)) > 0; told = ticks_now()) {
			len += (size_t)n;
			size_t done = see_lines(buf, len, told, ticks_now());
			memmove(buf, buf + done, len - done);
			len -= done;
			if (stream == 0) /* a pipe would wait for more */
				break;
		}
	}
	return NULL;
}

static void *read_database(void *unused)
{
	size_t last = before;

	(void)unused;
	for (;; usleep(100)) {
		size_t now_last = sqlite3_step(newest) == SQLITE_ROW ? (size_t)sqlite3_column_int64(newest, 0) : last;
		double now = ticks_now();
		sqlite3_reset(newest);
		while (last < now_last)
			see(++last, now, now);
	}
	return NULL;
}

static pthread_t start_reader(const char *kind, const char *path)
{
	pthread_t thread;
	sqlite3 *db;

	if (strcmp(kind, "sqlite") == 0) {
		if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK ||
		    sqlite3_busy_timeout(db, 1000) != SQLITE_OK ||
		    sqlite3_prepare_v2(db, "SELECT max(n) FROM ticks", -1, &newest, NULL) != SQLITE_OK)
			ticks_die(path);
	} else {
		stream = strcmp(kind, "pipe") == 0 ? 0 : open(path, O_RDONLY);
		if (stream < 0 || (stream > 0 && lseek(stream, 0, SEEK_END) < 0))
			ticks_die(path);
	}
	if (pthread_create(&thread, NULL, newest ? read_database : read_stream, NULL) != 0)
		ticks_die("a thread");
	return thread;
}

static void must(PGconn *conn, PGresult *result)
{
	if (PQresultStatus(result) != PGRES_COMMAND_OK) {
		fprintf(stderr, "latency: %s", PQerrorMessage(conn));
		exit(1);
	}
	PQclear(result);
}

static PGconn *connect_to(const char *conninfo)
{
	PGconn *conn = PQconnectdb(conninfo);
	PGresult *result = PQexec(conn, "SELECT coalesce(max(n), 0) FROM ticks");

	if (PQresultStatus(result) != PGRES_TUPLES_OK) {
		fprintf(stderr, "latency: %s", PQerrorMessage(conn));
		exit(1);
	}
	before = strtoul(PQgetvalue(result, 0, 0), NULL, 10);
	PQclear(result);
	return conn;
}

static void commit_all(PGconn *conn, double rate)
{
	char number[24];
	const char *values[] = {number};

	must(conn, PQprepare(conn, "tick", "INSERT INTO ticks VALUES ($1::bigint)", 1, NULL));
	double next = ticks_now();
	for (size_t n = 1; n <= count; n++, next += 1 / rate) {
		double wait = next - ticks_now();
		if (wait > 0)
			usleep((useconds_t)(wait * 1e6));
		snprintf(number, sizeof number, "%zu", before + n);
		must(conn, PQexec(conn, "BEGIN"));
		must(conn, PQexecPrepared(conn, "tick", 1, values, NULL, NULL, 0));
		sent[n] = ticks_now();
		must(conn, PQexec(conn, "COMMIT"));
	}
	PQfinish(conn);
}

int main(int argc, char **argv)
{
	if (argc < 5 || (argc < 6 && strcmp(argv[4], "pipe") != 0)) {
		fprintf(stderr, "usage: latency CONNINFO COUNT RATE pipe|file PATH|sqlite PATH\n");
		return 2;
	}
	count = strtoul(argv[2], NULL, 10);
	sent = calloc(count + 1, sizeof *sent);
	readable = calloc(count + 1, sizeof *readable);
	seen = calloc(count + 1, sizeof *seen);
	if (!sent || !readable || !seen)
		ticks_die("memory");
	PGconn *conn = connect_to(argv[1]);
	start_reader(argv[4], argv[5]);
	double start = ticks_now();
	commit_all(conn, strtod(argv[3], NULL));
	double spent = ticks_now() - start;
	for (double end = ticks_now() + PATIENCE; seen_count < count; usleep(1000))
		if (ticks_now() > end)
			ticks_die("not all rows were seen");
	for (size_t n = 0; n < count; n++) {
		readable[n] = readable[n + 1] - sent[n + 1];
		seen[n] = seen[n + 1] - sent[n + 1];
	}
	ticks_print("", readable, count);
	ticks_print("read_", seen, count);
	printf("commits_per_s\t%.1f\n", (double)count / spent);
	fflush(stdout);
	_exit(0); /* the reader still waits */
}
