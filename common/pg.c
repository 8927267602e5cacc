#include "pg.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "await.h"
#include "clock.h"

enum { CANCEL_MS = 1500 };

/* So that a change reads the same whatever a role or database is set to; the
 * plugin pins those that shape values itself. */
static const char pinned[] = " -c datestyle=ISO -c timezone=UTC -c intervalstyle=postgres -c extra_float_digits=3"
                             " -c bytea_output=hex -c lc_monetary=C -c search_path=public -c statement_timeout=0"
                             " -c idle_in_transaction_session_timeout=0 -c quote_all_identifiers=off";
/* Half the time for large transactions; the user's own setting wins. */
static const char preferred[] = "-c logical_decoding_work_mem=256MB ";

void pg_init(void)
{
	/* libpq sends them beside the options, and the server has them win. */
	unsetenv("PGDATESTYLE");
	unsetenv("PGTZ");
	unsetenv("PGGEQO");
}

static int left_ms(long long until)
{
	long long left = until - clock_ms();

	return left < 0 ? 0 : left > 1 << 30 ? 1 << 30 : (int)left;
}

int pg_wait(int fd, bool write, int wakefd, int timeout_ms)
{
	struct pollfd fds[2] = {{fd, write ? POLLOUT : POLLIN, 0}, {wakefd, POLLIN, 0}};
	long long until = clock_ms() + timeout_ms;
	int n;

	/* Signals that come all the time do not prolong it. */
	do
		n = await(fds, wakefd < 0 ? 1 : 2, timeout_ms < 0 ? -1 : left_ms(until));
	while (n < 0 && wakefd < 0);
	if (n < 0)
		return 0;
	if (n > 0 && wakefd >= 0 && fds[1].revents)
		return -EINTR;
	return n > 0;
}

/* libpq's sentences end with '\n' and may have several lines. Of a verbose one, the line of the
 * server's source is left out. */
static void one_line(const char *message, char *out, size_t size)
{
	size_t n = 0;

	for (; *message && n + 2 < size; message++) {
		if (*message == '\n' && strncmp(message + 1, "LOCATION:", 9) == 0)
			message += 1 + strcspn(message + 1, "\n");
		if (!*message)
			break;
		if (*message != '\t')
			out[n++] = *message == '\n' ? ' ' : *message;
	}
	while (n > 0 && out[n - 1] == ' ')
		n--;
	out[n] = 0;
}

static int fail(const PGconn *conn, int code, const char *what, struct err *err)
{
	char text[768];

	one_line(PQerrorMessage(conn), text, sizeof text);
	return err_set(err, code, "%s%s", what, text);
}

/* Takes the code of the last error the server sent out of a verbose text, "FATAL:  28P01: ...". The
 * words around it may be in any language. */
static void take_sqlstate(char *text, char sqlstate[6])
{
	static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	*sqlstate = 0;
	for (char *at = text; (at = strstr(at, ":  ")); at++)
		if (strspn(at + 3, letters) == 5 && strncmp(at + 8, ": ", 2) == 0) {
			memcpy(sqlstate, at + 3, 5);
			sqlstate[5] = 0;
			memmove(at + 3, at + 10, strlen(at + 10) + 1);
		}
}

/* The options of `conninfo`, and ours behind them, which win. */
static char *join_options(const PQconninfoOption *parsed)
{
	const char *own = "";

	for (; parsed->keyword; parsed++)
		if (strcmp(parsed->keyword, "options") == 0 && parsed->val)
			own = parsed->val;
	if (!*own && getenv("PGOPTIONS"))
		own = getenv("PGOPTIONS");
	char *options = malloc(sizeof preferred + strlen(own) + sizeof pinned);
	if (options) {
		strcpy(options, preferred);
		strcat(options, own);
		strcat(options, pinned);
	}
	return options;
}

/* Under whatever misspelling. */
static bool may_hold_password(const char *conninfo)
{
	return strcasestr(conninfo, "pass") || strstr(conninfo, "://");
}

/* In a URI, a password with @ or / in it ends there, and one without @host behind it is the port: what
 * would be named as host, port or database is of the password. */
static bool splits_password(const char *conninfo, const PQconninfoOption *parsed)
{
	for (; strstr(conninfo, "://") && parsed->keyword; parsed++) {
		const char *name = parsed->keyword, *value = parsed->val ? parsed->val : "";
		if ((strcmp(name, "host") == 0 || strcmp(name, "dbname") == 0) && strchr(value, '@'))
			return true;
		if (strcmp(name, "port") == 0 && value[strspn(value, "0123456789,")])
			return true;
	}
	return false;
}

/* What looks the server's name up: so long as the network is silent, libpq does that deaf to signals. */
struct start {
	char *conninfo, *options;
	bool replication;
	int fd; /* takes the PGconn */
};

static PGconn *start(const struct start *start)
{
	/* What stands before dbname, the user's own conninfo overrides. A peer that is
	 * gone without a word is noticed within a minute, since we send at least every
	 * ten seconds. */
	const char *names[] = {"connect_timeout",
	                       "fallback_application_name",
	                       "keepalives_idle",
	                       "tcp_user_timeout",
	                       "dbname",
	                       "client_encoding",
	                       "options",
	                       start->replication ? "replication" : NULL,
	                       NULL};
	const char *values[] = {"10",   "daystream",    "30",       "60000", start->conninfo,
	                        "UTF8", start->options, "database", NULL};

	return PQconnectStartParams(names, values, 1);
}

static void free_start(struct start *start)
{
	free(start->conninfo);
	free(start->options);
	free(start);
}

static void *start_aside(void *arg)
{
	struct start *given = arg;
	PGconn *conn = start(given);

	/* Nobody waits for it any more: SIGPIPE is blocked here. */
	if (write(given->fd, &conn, sizeof conn) != (ssize_t)sizeof conn)
		PQfinish(conn);
	close(given->fd);
	free_start(given);
	return NULL;
}

/* False where none could be made. It takes `given` over. */
static bool make_thread(struct start *given)
{
	sigset_t all, before;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	bool made = pthread_create(&thread, NULL, start_aside, given) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (made)
		pthread_detach(thread);
	return made;
}

/* By a thread, which is left to itself where `wakefd` is readable before it has done: -EINTR. Takes `given` over. */
static int run_start(PGconn **conn, struct start *given, int wakefd)
{
	int fds[2] = {-1, -1}, r;

	if (wakefd >= 0 && pipe2(fds, O_CLOEXEC) == 0) {
		given->fd = fds[1];
		if (make_thread(given)) {
			while ((r = pg_wait(fds[0], false, wakefd, -1)) == 0)
				;
			/* It may have done just now. */
			struct pollfd done = {fds[0], POLLIN, 0};
			*conn = NULL;
			if (poll(&done, 1, 0) > 0 && read(fds[0], conn, sizeof *conn) != (ssize_t)sizeof *conn)
				*conn = NULL;
			close(fds[0]);
			if (r < 0)
				PQfinish(*conn);
			return r < 0 ? r : 0;
		}
		close(fds[0]);
		close(fds[1]);
	}
	*conn = start(given);
	free_start(given);
	return 0;
}

static int begin(PGconn **out, const char *conninfo, bool replication, int wakefd, struct err *err)
{
	char *reason = NULL;
	PQconninfoOption *parsed = PQconninfoParse(conninfo, &reason);

	if (!parsed) {
		char text[512];
		one_line(reason ? reason : "out of memory", text, sizeof text);
		PQfreemem(reason);
		/* libpq may quote the string, and with it a password. */
		bool secret = may_hold_password(conninfo);
		return err_set(err, -EINVAL, "the connection string does not follow libpq's syntax%s%s",
		               secret ? "" : ": ", secret ? "" : text);
	}
	if (splits_password(conninfo, parsed)) {
		PQconninfoFree(parsed);
		return err_set(err, -EINVAL,
		               "the connection string is no URI postgresql://user:password@host/dbname; in a "
		               "password, write @ as %%40 and / as %%2F");
	}
	struct start *given = malloc(sizeof *given);
	if (given)
		*given = (struct start){strdup(conninfo), join_options(parsed), replication, -1};
	PQconninfoFree(parsed);
	if (!given || !given->conninfo || !given->options) {
		if (given)
			free_start(given);
		return err_set(err, -ENOMEM, "out of memory");
	}
	int r = run_start(out, given, wakefd);
	if (r == -EINTR)
		return err_set(err, r, "stopped while connecting");
	return r < 0 || !*out ? err_set(err, -ENOMEM, "out of memory") : 0;
}

/* Why the connection failed: -EAGAIN where that may pass. Of what the server says only the code counts,
 * since its language may be any. */
static int refused(const PGconn *conn, struct err *err)
{
	char text[1024], sqlstate[6];

	one_line(PQerrorMessage(conn), text, sizeof text);
	take_sqlstate(text, sqlstate);
	int r = -EAGAIN;
	if (strncmp(text, "invalid ", 8) == 0) /* so begins what libpq itself refuses: a port, a mode */
		r = -EINVAL;
	else if (PQconnectionNeedsPassword(conn) || strncmp(sqlstate, "28", 2) == 0 || strcmp(sqlstate, "42501") == 0)
		r = -EACCES;
	else if (strncmp(sqlstate, "3D", 2) == 0 || strncmp(sqlstate, "42", 2) == 0 ||
	         strncmp(sqlstate, "22", 2) == 0 || strncmp(sqlstate, "0A", 2) == 0)
		r = -EINVAL; /* no such database; a setting in `options`, or a protocol, that the server does not take */
	return err_set(err, r, "%s", text);
}

int pg_connect(PGconn **out, const char *conninfo, bool replication, int wakefd, struct err *err)
{
	PostgresPollingStatusType state = PGRES_POLLING_WRITING;
	PGconn *conn = NULL;
	int r = begin(&conn, conninfo, replication, wakefd, err);

	*out = NULL;
	if (r < 0)
		return r;
	/* libpq's own limit only holds for its blocking connect. */
	const char *limit = NULL;
	PQconninfoOption *info = PQconninfo(conn);
	for (PQconninfoOption *option = info; option && option->keyword; option++)
		if (strcmp(option->keyword, "connect_timeout") == 0)
			limit = option->val;
	long long seconds = limit ? atoll(limit) : 0;
	long long until = clock_ms() + (seconds > 0 ? seconds : 10) * 1000;
	PQconninfoFree(info);
	PQsetErrorVerbosity(conn, PQERRORS_VERBOSE);

	while (PQstatus(conn) != CONNECTION_BAD && state != PGRES_POLLING_OK && state != PGRES_POLLING_FAILED) {
		r = pg_wait(PQsocket(conn), state == PGRES_POLLING_WRITING, wakefd, left_ms(until));
		if (r < 0 || left_ms(until) == 0) /* also where the server sends byte by byte */
			break;
		if (r > 0)
			state = PQconnectPoll(conn);
		r = 0;
	}
	if (PQstatus(conn) == CONNECTION_OK) {
		PQsetErrorVerbosity(conn, PQERRORS_DEFAULT);
		*out = conn;
		return 0;
	}
	if (r < 0)
		r = err_set(err, -EINTR, "stopped while connecting");
	else if (PQstatus(conn) != CONNECTION_BAD)
		r = err_set(err, -EAGAIN, "no answer from the server within %lld s", seconds > 0 ? seconds : 10);
	else
		r = refused(conn, err);
	PQfinish(conn);
	return r;
}

static int wait_result(PGconn *conn, int wakefd, long long until, int timeout_ms, struct err *err)
{
	while (PQisBusy(conn)) {
		int r = pg_wait(PQsocket(conn), false, wakefd, timeout_ms ? left_ms(until) : -1);
		if (r < 0)
			return err_set(err, -EINTR, "stopped while waiting for the server");
		if (timeout_ms && left_ms(until) == 0)
			return err_set(err, -EAGAIN, "no answer from the server within %d s", timeout_ms / 1000);
		if (r > 0 && !PQconsumeInput(conn))
			return fail(conn, -EAGAIN, "", err);
	}
	return 0;
}

/* PQcancel waits for the server, deaf to signals and without an end. A signal handler may call it, and so may a child of a
 * program with threads. */
bool pg_cancel(PGconn *conn)
{
	PGcancel *cancel = PQgetCancel(conn);
	pid_t child = cancel ? fork() : -1;
	char reason[256];
	int status = -1;

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(PQcancel(cancel, reason, sizeof reason) ? EXIT_SUCCESS : EXIT_FAILURE);
	}
	if (child > 0) {
		int fd = pidfd_open(child, 0);
		pg_wait(fd, false, -1, CANCEL_MS);
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
		if (fd >= 0)
			close(fd);
	} else if (cancel && PQcancel(cancel, reason, sizeof reason)) { /* there may be no more processes */
		status = 0;
	}
	PQfreeCancel(cancel);
	return status == 0;
}

int pg_exec(PGconn *conn, const char *sql, int wakefd, int timeout_ms, PGresult **out, char *sqlstate, struct err *err)
{
	PGresult *last = NULL, *res;
	long long until = clock_ms() + timeout_ms;
	int r;

	*out = NULL;
	if (sqlstate)
		*sqlstate = 0;
	if (!PQsendQuery(conn, sql))
		return fail(conn, -EAGAIN, "", err);
	for (;;) {
		if ((r = wait_result(conn, wakefd, until, timeout_ms, err)) < 0) {
			PQclear(last);
			return r;
		}
		if (!(res = PQgetResult(conn)))
			break;
		PQclear(last);
		last = res;
		ExecStatusType status = PQresultStatus(res);
		if (status == PGRES_COPY_BOTH || status == PGRES_COPY_OUT)
			break;
	}
	ExecStatusType status = last ? PQresultStatus(last) : PGRES_FATAL_ERROR;
	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_COPY_BOTH) {
		*out = last;
		return 0;
	}
	const char *code = last ? PQresultErrorField(last, PG_DIAG_SQLSTATE) : NULL;
	if (sqlstate && code)
		snprintf(sqlstate, 6, "%s", code);
	const char *primary = last ? PQresultErrorField(last, PG_DIAG_MESSAGE_PRIMARY) : NULL;
	if (primary) {
		const char *hint = PQresultErrorField(last, PG_DIAG_MESSAGE_HINT);
		if (code && strcmp(code, "22021") == 0)
			hint =
			    "The database has the encoding SQL_ASCII, and a name (of a table, a column, a schema) that "
			    "is no UTF-8: rename it";
		r = err_set(err, -EPROTO, "%s%s%s", primary, hint ? ". " : "", hint ? hint : "");
	} else {
		r = fail(conn, -EAGAIN, "", err);
	}
	PQclear(last);
	return r;
}

const char *pg_text(const PGresult *res, int row, int column)
{
	if (row < 0 || row >= PQntuples(res) || column < 0 || column >= PQnfields(res))
		return "";
	return PQgetvalue(res, row, column);
}

static bool says_role(const char *conninfo)
{
	PQconninfoOption *parsed = PQconninfoParse(conninfo, NULL);
	bool says = !parsed || strstr(conninfo, "://") || getenv("PGUSER") || getenv("PGSERVICE");

	for (PQconninfoOption *option = parsed; option && option->keyword; option++)
		if (strcmp(option->keyword, "user") == 0 || strcmp(option->keyword, "service") == 0)
			says = says || option->val;
	PQconninfoFree(parsed);
	return says;
}

char *pg_with_role(const char *conninfo, const PGconn *conn)
{
	const char *role = PQuser(conn);
	size_t len = strlen(conninfo);

	if (!role || says_role(conninfo))
		return strdup(conninfo);
	char *text = malloc(len + 2 * strlen(role) + sizeof " user=''"), *to = text;
	if (!text)
		return NULL;
	to += sprintf(to, "%s%suser='", conninfo, len ? " " : "");
	for (; *role; role++) {
		if (*role == '\'' || *role == '\\')
			*to++ = '\\';
		*to++ = *role;
	}
	strcpy(to, "'");
	return text;
}

void pg_where(const PGconn *conn, char *text, size_t size)
{
	const char *host = PQhost(conn), *port = PQport(conn), *db = PQdb(conn);

	snprintf(text, size, "%s:%s/%s", host ? host : "", port ? port : "", db ? db : "");
}
