/* A mirror that is there comes anew. */
#include "resync.h"
#include "test_mirror_mount.h"

static void a_mirror_comes_anew_and_keeps_what_people_added(void **state)
{
	struct mount *m = *state;
	struct mirror mirror;

	built(m);
	assert_string_equal(asked(m, "DELETE FROM t; "), "");
	assert_string_equal(asked(m, "INSERT INTO t VALUES (9, 'wrong')"), "");
	assert_string_equal(asked(m, "ALTER TABLE t ADD COLUMN note"), "");
	assert_string_equal(asked(m, "INSERT INTO t VALUES (2, 'wrong', 'my own')"), "");
	assert_string_equal(asked(m, "CREATE INDEX mine ON t (v)"), "");
	assert_string_equal(asked(m, "CREATE VIEW seen AS SELECT v FROM t"), "");
	assert_string_equal(asked(m, "CREATE TABLE log (v)"), "");
	assert_string_equal(asked(m, "CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.v); END"),
	                    "");
	assert_string_equal(
	    asked(
	        m,
	        "INSERT INTO _daystream_tables SELECT 5, schema, NULL, 'gone', replace(definition, '16384', '5'), NULL"
	        " FROM _daystream_tables WHERE name = 't'"),
	    "");
	assert_string_equal(asked(m, "CREATE TABLE gone (a)"), "");
	opened(m, &mirror);
	if (resync_all(&mirror, &m->err) < 0)
		fail_msg("%s", m->err.text);
	/* All of it came at once, what came after the snapshot too. */
	assert_string_equal(asked(m, "SELECT epoch, seq FROM _daystream"), "1507507300|5");
	assert_string_equal(asked(m, "SELECT * FROM t"), "1|one|NULL\n2|TWO|my own");
	assert_int_equal(mirror_run(&mirror, &(struct mirror_goal){.end = true}, &m->err), 0);
	mirror_close(&mirror);
	assert_string_equal(asked(m, "SELECT * FROM seen ORDER BY v"), "TWO\none");
	assert_string_equal(asked(m, "SELECT count(*) FROM sqlite_master WHERE name IN ('mine', 'tr')"), "2");
	assert_string_equal(asked(m, "SELECT count(*) FROM log"), "3");
	assert_string_equal(asked(m, "SELECT count(*) FROM sqlite_master WHERE name = 'gone'"), "0");
	assert_string_equal(asked(m, "SELECT name FROM _daystream_tables ORDER BY 1"), "s.u\nt");
}

static void what_is_null_beside_a_default_stays_null(void **state)
{
	struct mount *m = *state;
	struct mirror mirror;

	built(m);
	assert_string_equal(asked(m, "ALTER TABLE t ADD COLUMN seen DEFAULT 'no'"), "");
	assert_string_equal(asked(m, "UPDATE t SET seen = NULL WHERE id = 2"), "");
	assert_string_equal(asked(m, "ALTER TABLE t ADD COLUMN \"true\""), ""); /* which is SQL's own word elsewhere */
	opened(m, &mirror);
	if (resync_all(&mirror, &m->err) < 0)
		fail_msg("%s", m->err.text);
	mirror_close(&mirror);
	assert_string_equal(asked(m, "SELECT id, seen FROM t"), "1|no\n2|NULL");
}

static int count_commit(void *count)
{
	++*(int *)count;
	return 0;
}

/* Nobody sees the rows go back to where the snapshot stands. */
static void it_comes_in_one_transaction(void **state)
{
	struct mount *m = *state;
	struct mirror mirror;
	int commits = 0;

	built(m);
	opened(m, &mirror);
	sqlite3_commit_hook(mirror.database.sqlite, count_commit, &commits);
	if (resync_all(&mirror, &m->err) < 0)
		fail_msg("%s", m->err.text);
	mirror_close(&mirror);
	assert_int_equal(commits, 1);
	assert_string_equal(asked(m, "SELECT epoch, seq FROM _daystream"), "1507507300|5");
}

static void what_fails_leaves_the_old_copy(void **state)
{
	struct mount *m = *state;
	struct mirror mirror;

	built(m);
	folder_write(m->dir, "snapshots/1507507300.3/tables/t", "x", 1);
	opened(m, &mirror);
	assert_int_equal(resync_all(&mirror, &m->err), -EBADMSG);
	assert_string_equal(asked(m, "SELECT * FROM t"), "1|one\n2|TWO");
	assert_string_equal(asked(m, "SELECT epoch, seq FROM _daystream"), "1507507300|5");
	mirror_close(&mirror);
}

/* The same tables by name, in a database that was restored from a dump: other OIDs, other numbers. */
static void another_database_with_the_same_names_takes_their_place(void **state)
{
	struct mount *m = *state;
	struct mirror mirror;

	built(m);
	assert_string_equal(asked(m, "CREATE INDEX mine ON t (v)"), "");
	assert_string_equal(asked(m, "ALTER TABLE t ADD COLUMN note"), "");
	assert_string_equal(asked(m, "UPDATE t SET note = 'my own'"), "");
	m->manifest.origin.system = 99;
	m->manifest.origin.generation = 2;
	table_file(m, 0, "s.u",
	           "_schema\ts\t_table\tu\t_relid\t16384\t_key\tid\t_"
	           "action\tschema\tid\tnumber\\t1\\ttype\\tinteger\\tpk\\t1\n");
	table_file(m, 1, "t",
	           "_table\tt\t_relid\t16999\t_key\tid\t_"
	           "action\tschema\tv\tnumber\\t1\\ttype\\ttext\tid\tnumber\\t2\\ttype\\tinteger"
	           "\\tpk\\t1\n"
	           "_table\tt\t_action\tinsert\tv\tzwei\tid\t2\n"
	           "_table\tt\t_action\tinsert\tv\tdrei\tid\t3\n");
	write_manifest(m);
	opened(m, &mirror);
	if (resync_all(&mirror, &m->err) < 0)
		fail_msg("%s", m->err.text);
	mirror_close(&mirror);
	assert_string_equal(asked(m, "SELECT id, v, note FROM t"), "2|TWO|my own");
	assert_string_equal(asked(m, "SELECT system, generation FROM _daystream"), "99|2");
	assert_string_equal(asked(m, "SELECT relid, name FROM _daystream_tables ORDER BY 1"), "16384|s.u\n16999|t");
	assert_string_equal(asked(m, "SELECT tbl_name FROM sqlite_master WHERE name = 'mine'"), "t");
}

static void one_table_comes_anew_by_itself(void **state)
{
	struct mount *m = *state;
	struct mirror mirror;

	built(m);
	assert_string_equal(asked(m, "DELETE FROM t WHERE id = 1"), "");
	assert_string_equal(asked(m, "ALTER TABLE t ADD COLUMN note"), "");
	assert_string_equal(asked(m, "UPDATE t SET v = 'wrong', note = 'my own'"), "");
	assert_string_equal(asked(m, "UPDATE _daystream_tables SET inexact_since = '1.0' WHERE name = 't'"), "");
	assert_string_equal(asked(m, "CREATE INDEX mine ON t (v)"), "");
	assert_string_equal(asked(m, "INSERT INTO \"s.u\" VALUES (100)"), "");
	folder_write(m->dir, "since/1507507300/6/live", "", 0);
	m->wish.resync_tables = "t";
	opened(m, &mirror);
	if (resync_tables(&mirror, &m->err) < 0)
		fail_msg("%s", m->err.text);
	mirror_close(&mirror);
	assert_string_equal(asked(m, "SELECT * FROM t"), "1|one|NULL\n2|TWO|my own");
	assert_string_equal(asked(m, "SELECT id FROM \"s.u\""), "7\n100");
	assert_string_equal(asked(m, "SELECT count(*) FROM sqlite_master WHERE name = 'mine'"), "1");
	assert_string_equal(asked(m, "SELECT count(inexact_since) FROM _daystream_tables"), "0");
	assert_false(there(m, ".resync"));

	m->wish.resync_tables = "nowhere,t";
	opened(m, &mirror);
	assert_int_equal(resync_tables(&mirror, &m->err), -ENOENT);
	assert_non_null(strstr(m->err.text, "nowhere"));
	assert_false(there(m, ".resync"));
	mirror_close(&mirror);
	assert_string_equal(asked(m, "SELECT * FROM t"), "1|one|NULL\n2|TWO|my own");
}

/* They are in the stream since its tables were changed, and no line of them has come. */
static void tables_come_that_were_left_out(void **state)
{
	struct mount *m = *state;
	struct mirror mirror;

	built(m);
	assert_string_equal(asked(m, "CREATE TABLE _daystream_absent (relid INTEGER PRIMARY KEY)"), "");
	assert_string_equal(asked(m, "INSERT INTO _daystream_absent SELECT relid FROM _daystream_tables"), "");
	assert_string_equal(asked(m, "DELETE FROM _daystream_tables"), "");
	assert_string_equal(asked(m, "DROP TABLE t"), "");
	assert_string_equal(asked(m, "DROP TABLE \"s.u\""), "");
	folder_write(m->dir, "since/1507507300/6/live", "", 0);
	m->wish.resync_tables = "s.u,t";
	opened(m, &mirror);
	if (resync_tables(&mirror, &m->err) < 0)
		fail_msg("%s", m->err.text);
	mirror_close(&mirror);
	assert_string_equal(asked(m, "SELECT id FROM \"s.u\""), "7");
	assert_string_equal(asked(m, "SELECT * FROM t"), "1|one\n2|TWO");
	assert_string_equal(asked(m, "SELECT name, inexact_since FROM _daystream_tables ORDER BY 1"),
	                    "s.u|NULL\nt|NULL");
	assert_string_equal(asked(m, "SELECT count(*) FROM _daystream_absent"), "0");
}

/* Whatever was done to it, what people added to it otherwise stays. */
static void a_table_that_somebody_broke_comes_anew(void **state)
{
	static const char *const breaks[] = {
	    "DROP TABLE t",
	    "ALTER TABLE t RENAME COLUMN v TO w",
	    "DROP INDEX mine; ALTER TABLE t DROP COLUMN v; CREATE INDEX mine ON t (id)",
	    "CREATE TABLE copy AS SELECT * FROM t; DROP TABLE t; ALTER TABLE copy RENAME TO t",
	    "DROP TABLE t; CREATE TABLE t (id TEXT, v TEXT, PRIMARY KEY (v, id))",
	    "DROP TABLE t; CREATE TABLE t (id INTEGER PRIMARY KEY, v INTEGER)",
	    "DROP TABLE t; CREATE TABLE t (id TEXT PRIMARY KEY, v TEXT)",
	    "DROP TABLE t; CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT COLLATE NOCASE)",
	    "ALTER TABLE t RENAME COLUMN v TO w; ALTER TABLE t ADD COLUMN v AS (upper(w))",
	};
	struct mount *m = *state;
	struct mirror mirror;

	built(m);
	folder_write(m->dir, "since/1507507300/6/live", "", 0);
	for (size_t i = 0; i < sizeof breaks / sizeof *breaks; i++)
		for (int one = 0; one < 2; one++) {
			assert_string_equal(asked(m, "CREATE INDEX IF NOT EXISTS mine ON t (v)"), "");
			if (sqlite3_exec(m->sqlite, breaks[i], NULL, NULL, NULL) != SQLITE_OK)
				fail_msg("%s: %s", breaks[i], sqlite3_errmsg(m->sqlite));
			m->wish.resync_tables = "t";
			opened(m, &mirror);
			if ((one ? resync_tables : resync_all)(&mirror, &m->err) < 0)
				fail_msg("%s: %s", breaks[i], m->err.text);
			mirror_close(&mirror);
			assert_string_equal(asked(m, "SELECT id, v FROM t WHERE v <> 'two'"), "1|one\n2|TWO");
			assert_string_equal(asked(m, "SELECT name FROM pragma_table_info('t') WHERE pk"), "id");
			assert_string_equal(
			    asked(m, "SELECT type FROM pragma_table_xinfo('t') WHERE name IN ('id', 'v')"),
			    "INTEGER\nTEXT");
			assert_string_equal(asked(m, "SELECT count(inexact_since) FROM _daystream_tables"), "0");
			/* What was renamed is a column that people added. */
			sqlite3_exec(m->sqlite, "DROP INDEX mine; ALTER TABLE t DROP COLUMN w", NULL, NULL, NULL);
		}
}

/* So it has its lines again, and is not taken for whole: what is to replace its rows cannot be had. */
static void resync_in_vain(struct mount *m)
{
	struct mirror mirror;

	folder_write(m->dir, "since/1507507300/6/live", "", 0);
	m->wish.resync_tables = "nowhere,t";
	opened(m, &mirror);
	assert_int_equal(resync_tables(&mirror, &m->err), -ENOENT);
	mirror_close(&mirror);
	assert_string_equal(asked(m, "SELECT name FROM pragma_table_info('t') WHERE pk"), "id");
	assert_string_equal(asked(m, "SELECT name FROM _daystream_tables WHERE inexact_since = '1507507300.5'"), "t");
}

static void a_dropped_table_is_marked_until_it_has_come(void **state)
{
	struct mount *m = *state;

	built(m);
	assert_string_equal(asked(m, "DROP TABLE t"), "");
	resync_in_vain(m);
	assert_string_equal(asked(m, "SELECT count(*) FROM t"), "0");
}

static void a_table_without_its_key_keeps_its_rows_until_then(void **state)
{
	struct mount *m = *state;

	built(m);
	assert_string_equal(asked(m, "ALTER TABLE t ADD COLUMN note"), "");
	assert_string_equal(asked(m, "UPDATE t SET note = 'mine ' || id"), "");
	assert_string_equal(asked(m, "CREATE TABLE copy AS SELECT * FROM t"), "");
	assert_string_equal(asked(m, "DROP TABLE t"), "");
	assert_string_equal(asked(m, "ALTER TABLE copy RENAME TO t"), "");
	resync_in_vain(m);
	assert_string_equal(asked(m, "SELECT id, v, note FROM t"), "1|one|mine 1\n2|TWO|mine 2");
}

/* The server has it no more, either. */
static void a_dropped_table_can_be_dropped_again(void **state)
{
	struct mount *m = *state;
	struct mirror mirror;

	built(m);
	assert_string_equal(asked(m,
	                          "INSERT INTO _daystream_tables SELECT relid + 100, \"schema\", 'gone', 'gone', "
	                          "replace(replace(definition, '_table\tt\t', '_table\tgone\t'), '_relid\t' || relid, "
	                          "'_relid\t' || (relid + 100)), inexact_since "
	                          "FROM _daystream_tables WHERE name = 't'"),
	                    "");
	opened(m, &mirror);
	if (resync_all(&mirror, &m->err) < 0)
		fail_msg("%s", m->err.text);
	mirror_close(&mirror);
	assert_string_equal(asked(m, "SELECT name FROM _daystream_tables ORDER BY 1"), "s.u\nt");
}

/* What --resync does not undo, its error says how to. */
static void what_stands_in_the_way_is_for_others_to_undo(void **state)
{
	static const char *const breaks[] = {
	    "DROP TABLE t; CREATE VIEW t AS SELECT 1 AS id",
	    "DROP TABLE t; CREATE INDEX t ON \"s.u\" (id)",
	    "DROP TABLE t; CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT CHECK (v <> 'one'))",
	    "CREATE TRIGGER t_keep BEFORE DELETE ON t BEGIN SELECT raise(ABORT, 'no'); END",
	    "ALTER TABLE t ADD COLUMN note; UPDATE t SET note = 'mine'; "
	    "CREATE TRIGGER t_note BEFORE UPDATE OF note ON t BEGIN SELECT raise(ABORT, 'no'); END",
	};
	struct mount *m = *state;
	struct mirror mirror;

	for (size_t i = 0; i < sizeof breaks / sizeof *breaks; i++) {
		built(m);
		folder_write(m->dir, "since/1507507300/6/live", "", 0);
		assert_string_equal(asked(m, "SELECT count(*) FROM t"), "2");
		if (sqlite3_exec(m->sqlite, breaks[i], NULL, NULL, NULL) != SQLITE_OK)
			fail_msg("%s: %s", breaks[i], sqlite3_errmsg(m->sqlite));
		for (int one = 0; one < 2; one++) {
			m->wish.resync_tables = "t";
			opened(m, &mirror);
			assert_true((one ? resync_tables : resync_all)(&mirror, &m->err) < 0);
			const char *remedy = strstr(m->err.text, "undo what somebody");
			if (!remedy || !strstr(remedy, "--resync=t") || strstr(remedy + 1, "undo what somebody"))
				fail_msg("%s: %s", breaks[i], m->err.text);
			mirror_close(&mirror);
		}
		m->wish.resync_tables = NULL;
		sqlite3_close(m->sqlite);
		m->sqlite = NULL;
		unlink(m->db);
	}
}

/* A definition that comes says it as well as a row does. */
static void a_definition_says_what_helps_where_the_table_is_not_ours(void **state)
{
	static const char *const lines[] = {
	    "_table\tt\t_xid\t780\t_relid\t16384\t_key\tid\t_action\tschema\tid\tnumber\\t1\\ttype\\tinteger\\tpk"
	    "\\t1\tv\tnumber\\t2\\ttype\\ttext\tw\tnumber\\t3\\ttype\\tinteger",
	    "_table\tother\t_xid\t780\t_relid\t16384\t_key\tid\t_action\tschema\tid\tnumber\\t1\\ttype\\tinteger"
	    "\\tpk\\t1\tv\tnumber\\t2\\ttype\\ttext",
	    "_table\tt\t_xid\t780\t_action\tdrop",
	};
	struct mount *m = *state;
	struct mirror mirror;

	built(m);
	assert_string_equal(asked(m, "DROP TABLE t"), "");
	assert_string_equal(asked(m, "CREATE VIEW t AS SELECT 1 AS id"), "");
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		struct stream stream;
		stream_init(&stream, 1507507301);
		stream.xid = 780;
		stream_line(&stream, lines[i]);
		stream_commit(&stream);
		folder_write(m->dir, "since/1507507300/6/live", stream.text, stream.len);
		stream_fini(&stream);
		opened(m, &mirror);
		assert_true(mirror_run(&mirror, &(struct mirror_goal){.end = true}, &m->err) < 0);
		if (!strstr(m->err.text, "undo what somebody") || !strstr(m->err.text, "--resync=t "))
			fail_msg("%s: %s", lines[i], m->err.text);
		mirror_close(&mirror);
	}
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, mount_setup, mount_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(a_mirror_comes_anew_and_keeps_what_people_added),
	    TEST(what_is_null_beside_a_default_stays_null),
	    TEST(it_comes_in_one_transaction),
	    TEST(what_fails_leaves_the_old_copy),
	    TEST(another_database_with_the_same_names_takes_their_place),
	    TEST(one_table_comes_anew_by_itself),
	    TEST(tables_come_that_were_left_out),
	    TEST(a_table_that_somebody_broke_comes_anew),
	    TEST(a_dropped_table_is_marked_until_it_has_come),
	    TEST(a_table_without_its_key_keeps_its_rows_until_then),
	    TEST(a_dropped_table_can_be_dropped_again),
	    TEST(what_stands_in_the_way_is_for_others_to_undo),
	    TEST(a_definition_says_what_helps_where_the_table_is_not_ours),
	};

	return cmocka_run_group_tests_name("mirror: resync", tests, NULL, NULL);
}
