/*
 * bare apply DB LINES | bare copy DB: SQLite's own speed, as the limit of a mirror. DB is a mirror's file in which the
 * table `bench` (workload.sh) stands. The statements are those that mirror/statement.c makes for it, the pragmas
 * mirror/database.c's, and a commit comes as often as the mirror's.
 *
 * apply: the lines of LINES (insert and update) are parsed before the clock starts, and bound from memory.
 * copy: rows of COPY's text format from standard input, as they come, into a file that is thrown away if this fails.
 *
 * Prints the seconds between the first statement and the closed file, and of the processor's time (apply).
 */
#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include "line.h"
#include "ticks.h"

enum { COLUMNS = 7, BATCH_LINES = 100000 };

static const bool is_integer[COLUMNS] = {true, true, true, false, false, false, true};
static const char insert_sql[] =
    "INSERT INTO \"bench\" (\"id\", \"a\", \"b\", \"c\", \"d\", \"e\", \"f\") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"
    " ON CONFLICT (\"id\") DO UPDATE SET \"a\" = ?2, \"b\" = ?3, \"c\" = ?4, \"d\" = ?5, \"e\" = ?6, \"f\" = ?7";
static const char update_sql[] = "UPDATE \"bench\" SET \"a\" = ?2, \"b\" = ?3, \"c\" = ?4, \"d\" = ?5, \"e\" = ?6,"
                                 " \"f\" = ?7 WHERE \"id\" = ?1";

struct row {
	bool update, begins; /* begins: another transaction than the row before */
	struct span text[COLUMNS];
	sqlite3_int64 integer[COLUMNS];
};

static sqlite3 *db;
static sqlite3_stmt *insert, *update;

static void run(const char *sql)
{
	if (sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK)
		return;
	fprintf(stderr, "bare: %s: %s\n", sql, sqlite3_errmsg(db));
	exit(1);
}

static void open_database(const char *path, const char *pragmas)
{
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
		ticks_die(path);
	run(pragmas);
	if (sqlite3_prepare_v3(db, insert_sql, -1, SQLITE_PREPARE_PERSISTENT, &insert, NULL) != SQLITE_OK ||
	    sqlite3_prepare_v3(db, update_sql, -1, SQLITE_PREPARE_PERSISTENT, &update, NULL) != SQLITE_OK)
		ticks_die(sqlite3_errmsg(db));
}

static void close_database(void)
{
	sqlite3_finalize(insert);
	sqlite3_finalize(update);
	if (sqlite3_close(db) != SQLITE_OK)
		ticks_die("closing");
}

static void bind_and_step(const struct row *row)
{
	sqlite3_stmt *stmt = row->update ? update : insert;

	for (int i = 0; i < COLUMNS; i++)
		if (line_is_null(row->text[i]))
			sqlite3_bind_null(stmt, i + 1);
		else if (is_integer[i])
			sqlite3_bind_int64(stmt, i + 1, row->integer[i]);
		else
			sqlite3_bind_text(stmt, i + 1, row->text[i].at, (int)row->text[i].len, SQLITE_STATIC);
	if (sqlite3_step(stmt) != SQLITE_DONE)
		ticks_die(sqlite3_errmsg(db));
	sqlite3_reset(stmt);
}

static void set(struct row *row, int column, struct span value)
{
	row->text[column] = value;
	if (is_integer[column])
		row->integer[column] = strtoll(value.at, NULL, 10);
	else if (!line_is_null(value))
		row->text[column].len = (size_t)line_unescape((char *)value.at, value);
}

/* ---- apply */

static char *read_whole(const char *path, size_t *len)
{
	int fd = open(path, O_RDONLY);
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
	char *text = size < 0 ? NULL : malloc((size_t)size + 1);

	for (*len = 0; text && *len < (size_t)size;) {
		ssize_t n = pread(fd, text + *len, (size_t)size - *len, (off_t)*len);
		if (n <= 0)
			ticks_die(path);
		*len += (size_t)n;
	}
	if (!text)
		ticks_die(path);
	text[*len] = '\n'; /* so that numbers end */
	close(fd);
	return text;
}

/* False: the line is no row's. */
static bool parse_row(struct row *row, const char *line, size_t len, struct span *xid)
{
	struct line_head head;
	struct span name, value;

	if (!line_parse(line, len, &head))
		ticks_die("a line");
	row->update = span_is(head.action, "update");
	if (!row->update && !span_is(head.action, "insert"))
		return false;
	row->begins = head.xid.len != xid->len || memcmp(head.xid.at, xid->at, xid->len) != 0;
	*xid = head.xid;
	for (int i = 0; i < COLUMNS; i++) {
		if (line_next(&head.pairs, &name, &value) != 1 || name.len != 1 + (i == 0))
			ticks_die("a line of another table than the bench's");
		set(row, i, value);
	}
	return true;
}

static void apply(const char *path)
{
	size_t len, count = 0, cap = 1 << 16, batch = 0;
	char *text = read_whole(path, &len);
	struct row *rows = malloc(cap * sizeof *rows);
	struct span xid = {"", 0};

	for (char *at = text, *end; rows && at < text + len; at = end + 1) {
		end = memchr(at, '\n', (size_t)(text + len + 1 - at));
		count += parse_row(&rows[count], at, (size_t)(end - at), &xid);
		if (count == cap)
			rows = realloc(rows, (cap *= 2) * sizeof *rows);
	}
	if (!rows)
		ticks_die("memory");
	double start = ticks_now();
	clock_t cpu = clock();
	run("BEGIN");
	for (size_t i = 0; i < count; i++, batch++) {
		if (rows[i].begins && batch >= BATCH_LINES) {
			run("COMMIT; BEGIN");
			batch = 0;
		}
		bind_and_step(&rows[i]);
	}
	run("COMMIT");
	close_database();
	printf("seconds\t%.4f\ncpu\t%.4f\n", ticks_now() - start, (double)(clock() - cpu) / CLOCKS_PER_SEC);
	free(rows);
	free(text);
}

/* ---- copy */

static void copy(const char *path)
{
	struct row row = {0};
	char *line = NULL;
	size_t cap = 0;
	double start = ticks_now();

	run("BEGIN");
	for (ssize_t len; (len = getline(&line, &cap, stdin)) > 0;) {
		char *at = line;
		for (int i = 0; i < COLUMNS; i++) {
			size_t field = strcspn(at, "\t\n");
			char *end = at + field;
			if (i == COLUMNS - 1 && field == 1) /* booleans as the mirror has them */
				*at = *at == 't' ? '1' : '0';
			set(&row, i, (struct span){at, field});
			at = end + 1;
		}
		bind_and_step(&row);
	}
	run("COMMIT");
	close_database();
	int fd = open(path, O_RDWR);
	if (fd < 0 || fsync(fd) < 0)
		ticks_die(path);
	close(fd);
	free(line);
	printf("seconds\t%.4f\n", ticks_now() - start);
}

int main(int argc, char **argv)
{
	if (argc == 4 && strcmp(argv[1], "apply") == 0) {
		open_database(argv[2],
		              "PRAGMA cache_size = -65536; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;"
		              "PRAGMA journal_size_limit = 67108864");
		apply(argv[3]);
	} else if (argc == 3 && strcmp(argv[1], "copy") == 0) {
		open_database(argv[2],
		              "PRAGMA cache_size = -65536; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF");
		copy(argv[2]);
	} else {
		fprintf(stderr, "usage: bare apply DB LINES | bare copy DB\n");
		return 2;
	}
	return 0;
}
