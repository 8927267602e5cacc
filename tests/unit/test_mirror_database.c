/* The mirror's file: whose it is, who writes it, and where it stands; and --tables lists. */
#include "test_mirror_stream.h"

#include <sys/stat.h>

#include "dbfile.h"
#include "filter.h"

static int open_again(struct world *w, const char *tables)
{
	struct database database;
	struct database_want want = {.tables = tables, .stop_fd = -1};
	int rc = database_open(&database, w->path, &want, &w->err);

	database_close(&database);
	return rc;
}

static void two_at_once_are_refused(void **state)
{
	struct world *w = *state;

	assert_int_equal(open_again(w, NULL), -EBUSY);
	world_close(w);
	assert_int_equal(open_again(w, NULL), 0);
}

static void readers_and_writers_of_other_tables_are_let_in(void **state)
{
	struct world *w = *state;
	sqlite3 *reader;

	assert_int_equal(sqlite3_open(w->path, &reader), SQLITE_OK);
	assert_int_equal(sqlite3_exec(reader, "BEGIN; SELECT * FROM _daystream", NULL, NULL, NULL), SQLITE_OK);
	line(w, "_table\tt\t_xid\t700\t_relid\t1\t_key\ta\t_action\tschema\ta\tnumber\\t1\\ttype\\ttext");
	commit(w);
	assert_int_equal(sqlite3_exec(reader,
	                              "COMMIT; CREATE TABLE mine (a); INSERT INTO mine SELECT epoch FROM _daystream",
	                              NULL, NULL, NULL),
	                 SQLITE_OK);
	sqlite3_close(reader);
	line(w, "_table\tt\t_xid\t701\t_action\tinsert\ta\tx");
	commit(w);
	assert_string_equal(ask(w, "SELECT * FROM mine, t"), "1507507200|x");
}

/* The file is refused and has the same bytes as before. */
static void stays(struct world *w, const char *bytes, size_t len)
{
	char after[16384];

	assert_int_equal(open_again(w, NULL), -EEXIST);
	FILE *file = fopen(w->path, "r");
	assert_non_null(file);
	assert_int_equal(fread(after, 1, sizeof after, file), len);
	fclose(file);
	assert_memory_equal(after, bytes, len);
}

static void a_file_that_is_no_mirror_stays_as_it_is(void **state)
{
	struct world *w = *state;
	char bytes[16384];
	sqlite3 *other;

	world_close(w);
	folder_write(w->dir, "m.sqlite", "my diary\n", 9);
	stays(w, "my diary\n", 9);
	unlink(w->path);
	sqlite3_open(w->path, &other);
	assert_int_equal(sqlite3_exec(other, "CREATE TABLE mine (a)", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	FILE *file = fopen(w->path, "r");
	size_t len = fread(bytes, 1, sizeof bytes, file);
	fclose(file);
	stays(w, bytes, len);
}

/* A device is not replaced by a database, and nobody waits for a FIFO's other end. */
static void what_is_no_regular_file_is_refused(void **state)
{
	struct world *w = *state;

	world_close(w);
	unlink(w->path);
	assert_int_equal(mkfifo(w->path, 0600), 0);
	assert_int_equal(dbfile_look(w->path, &w->err), -EINVAL);
	unlink(w->path);
	assert_int_equal(mkdir(w->path, 0700), 0);
	assert_int_equal(dbfile_look(w->path, &w->err), -EISDIR);
	assert_int_equal(rmdir(w->path), 0);
	assert_int_equal(dbfile_look("/dev/null", &w->err), -EINVAL);
	assert_string_equal(w->err.text, "/dev/null is no regular file; name another one");
}

static void an_empty_database_is_filled(void **state)
{
	struct world *w = *state;

	world_close(w);
	folder_write(w->dir, "m.sqlite", "", 0);
	assert_int_equal(open_again(w, NULL), 0);
	unlink(w->path);
	sqlite3 *other;
	sqlite3_open(w->path, &other);
	assert_int_equal(sqlite3_exec(other, "PRAGMA journal_mode = WAL", NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(other);
	assert_int_equal(open_again(w, NULL), 0);
}

static void another_list_of_tables_is_refused(void **state)
{
	struct world *w = *state;

	world_close(w);
	assert_int_equal(open_again(w, "a"), -EINVAL);
	assert_int_equal(open_again(w, NULL), 0);
	unlink(w->path);
	assert_int_equal(open_again(w, "a,b"), 0);
	assert_int_equal(open_again(w, "a,b"), 0);
	assert_int_equal(open_again(w, "a"), -EINVAL);
	assert_non_null(strstr(w->err.text, "--tables a,b"));
	assert_int_equal(open_again(w, NULL), -EINVAL);
}

static void it_says_where_it_stands(void **state)
{
	struct world *w = *state;

	assert_false(w->database.has_position);
	assert_string_equal(ask(w, "SELECT epoch, seq, lsn, generation FROM _daystream"), "NULL|NULL|NULL|NULL");
	line(w, "_xid\t700\t_action\tmessage\tprefix\tp\tcontent\tc");
	commit(w);
	world_close(w);
	world_open(w);
	assert_true(w->database.has_position);
	assert_int_equal(w->database.position.seq, 2);
	assert_string_equal(w->database.lsn, "0/2BC0");
	assert_string_equal(w->database.origin.slot, "daystream");
	assert_string_equal(
	    ask(w, "SELECT generation, system, timeline, database, slot, tables, format FROM _daystream"),
	    "1|7123|1|bank|daystream|NULL|2");
}

static void what_an_older_program_made_is_taken_over(void **state)
{
	struct world *w = *state;

	line(w, "_table\tt\t_xid\t700\t_relid\t1\t_key\ta\t_action\tschema\ta\tnumber\\t1\\ttype\\ttext");
	line(w, "_table\tt\t_xid\t700\t_action\tinsert\ta\tx");
	commit(w);
	assert_int_equal(sqlite3_exec(w->database.sqlite,
	                              "ALTER TABLE _daystream DROP COLUMN exact;"
	                              "ALTER TABLE _daystream DROP COLUMN table_file;"
	                              "ALTER TABLE _daystream DROP COLUMN \"numeric\";"
	                              "ALTER TABLE _daystream DROP COLUMN stream_tables;"
	                              "ALTER TABLE _daystream_tables DROP COLUMN inexact_since;"
	                              "UPDATE _daystream SET format = 1",
	                              NULL, NULL, NULL),
	                 SQLITE_OK);
	world_close(w);
	world_open(w);
	assert_false(w->database.exact);
	line(w, "_table\tt\t_xid\t701\t_action\tdelete\ta\ty");
	line(w, "_table\tt\t_xid\t701\t_action\tinsert\ta\tz");
	commit(w);
	assert_string_equal(ask(w, "SELECT format, exact, table_file FROM _daystream"), "2|0|NULL");
	assert_string_equal(ask(w, "SELECT group_concat(a) FROM t"), "x,z");
}

static void lists_are_sorted_and_checked(void **state)
{
	struct err err;
	static const struct {
		const char *list, *want;
	} lists[] = {{"b,a", "a,b"}, {"a", "a"},   {"s.t,a,s.t", "a,s.t"}, {"%2Dx", "%2Dx"}, {"", NULL},
	             {"a,", NULL},   {",a", NULL}, {"a.b.c", NULL},        {"a/b", NULL},    {"public.a", NULL}};

	(void)state;
	for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
		char *got = filter_normalize(lists[i].list, &err);
		if (lists[i].want)
			assert_string_equal(got, lists[i].want);
		else
			assert_null(got);
		free(got);
	}
	assert_true(filter_has(NULL, "a", 1));
	assert_true(filter_has("a,s.t", "s.t", 3));
	assert_false(filter_has("a,s.t", "s", 1));
	assert_false(filter_has("ab", "a", 1));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(two_at_once_are_refused),
	    TEST(readers_and_writers_of_other_tables_are_let_in),
	    TEST(a_file_that_is_no_mirror_stays_as_it_is),
	    TEST(what_is_no_regular_file_is_refused),
	    TEST(an_empty_database_is_filled),
	    TEST(another_list_of_tables_is_refused),
	    TEST(it_says_where_it_stands),
	    TEST(what_an_older_program_made_is_taken_over),
	    cmocka_unit_test(lists_are_sorted_and_checked),
	};

	return cmocka_run_group_tests_name("mirror: database", tests, NULL, NULL);
}
