/* Definitions become tables of SQLite and stay in step. */
#include "test_mirror_table.h"

static void types_become_what_sqlite_has(void **state)
{
	struct world *w = *state;

	define(w, T, 1, "id",
	       ID "\ts\tnumber\\t2\\ttype\\tsmallint\to\tnumber\\t3\\ttype\\toid\tr\tnumber\\t4\\ttype\\treal"
	          "\td\tnumber\\t5\\ttype\\tmoney_like\\tbase\\tdouble precision\tb\tnumber\\t6\\ttype\\tbytea"
	          "\tn\tnumber\\t7\\ttype\\tnumeric(10,2)"
	          "\ty\tnumber\\t8\\ttype\\tboolean\tar\tnumber\\t9\\ttype\\tinteger[]");
	commit(w);
	assert_string_equal(
	    ask(w, "SELECT sql FROM sqlite_master WHERE name = 't'"),
	    "CREATE TABLE \"t\" (\"id\" INTEGER PRIMARY KEY, \"s\" INTEGER, \"o\" INTEGER, \"r\", \"d\", "
	    "\"b\" BLOB, \"n\" TEXT, \"y\" INTEGER, \"ar\" TEXT)");
}

static void keys_follow_the_replica_identity(void **state)
{
	struct world *w = *state;
	static const char columns[] = "a\tnumber\\t1\\ttype\\ttext\\tpk\\t2\tb\tnumber\\t2\\ttype\\tinteger\\tpk\\t1\tc"
	                              "\tnumber\\t3\\ttype\\ttext";

	define(w, "_table\tkey", 1, "c,a", columns);
	define(w, "_table\tfull", 2, "*", columns);
	define(w, "_table\tnone", 3, "\\N", columns);
	define(w, "_table\tone", 4, "b", columns);
	commit(w);
	assert_string_equal(
	    ask(w, "SELECT group_concat(name) FROM (SELECT * FROM pragma_table_info('key') WHERE pk > 0 ORDER BY pk)"),
	    "c,a");
	assert_string_equal(
	    ask(w, "SELECT group_concat(name) FROM (SELECT * FROM pragma_table_info('full') WHERE pk > 0 ORDER BY pk)"),
	    "b,a");
	assert_string_equal(ask(w, "SELECT count(*) FROM pragma_table_info('none') WHERE pk > 0"), "0");
	assert_string_equal(ask(w, "SELECT name FROM pragma_table_info('one') WHERE pk > 0"), "b");
}

static void names_that_are_reserved_or_taken_become_others(void **state)
{
	struct world *w = *state;

	define(w, "_table\tsqlite_x", 1, "id", ID);
	define(w, "_table\t_Daystream", 2, "id", ID);
	define(w, "_table\tName", 3, "id", ID);
	define(w, "_table\tname", 4, "id", ID);
	define(w, "_schema\ts\t_table\tname", 5, "id", ID);
	define(w, "_table\ts.name", 6, "id", ID);
	define(w, "_table\tq\"uo\\te'", 7, "id", ID);
	define(w, "_schema\tSQLite_s\t_table\tt", 9, "id", ID);
	define(w, "_table\tname#4", 8, "id", ID);
	change(w, "_table\tq\"uo\\te'", "insert\tid\t7");
	commit(w);
	assert_string_equal(ask(w, "SELECT relid, name FROM _daystream_tables ORDER BY relid"),
	                    "1|_sqlite_x\n2|__Daystream\n3|Name\n4|name#4\n5|s.name\n6|s.name#6\n7|q\"uo\te'\n8|name#4#"
	                    "8\n9|_SQLite_s.t");
	assert_string_equal(ask(w, "SELECT count(*) FROM sqlite_master, _daystream_tables t "
	                           "WHERE sqlite_master.name = t.name AND type = 'table'"),
	                    "9");
}

static void columns_that_differ_in_case_only_get_the_number(void **state)
{
	struct world *w = *state;

	define(w, T, 1, "A",
	       "A\tnumber\\t1\\ttype\\ttext\ta\tnumber\\t2\\ttype\\ttext\ta#2\tnumber\\t3\\ttype\\ttext\t_rowid_"
	       "\tnumber\\t4\\ttype\\ttext"
	       "\tsp ace\\t\"\tnumber\\t5\\ttype\\ttext");
	change(w, T, "insert\tA\t1\ta\t2\ta#2\t3\t_rowid_\t4\tsp ace\\t\"\t5");
	commit(w);
	assert_string_equal(ask(w, "SELECT A, \"a#2\", \"a#2#3\", \"_rowid_#4\", \"sp ace\t\"\"\" FROM t"),
	                    "1|2|3|4|5");
}

static void a_table_without_columns_holds_rows(void **state)
{
	struct world *w = *state;

	define(w, T, 1, "*", "");
	change(w, T, "insert");
	change(w, T, "insert");
	change(w, T, "delete");
	commit(w);
	assert_string_equal(ask(w, "SELECT count(*) FROM t"), "1");
}

static void a_renamed_table_keeps_its_rows(void **state)
{
	struct world *w = *state;

	start(w);
	define(w, "_table\tT", 1, "id", ID "\t" A "\t" B);
	commit(w);
	assert_string_equal(ask(w, "SELECT name FROM sqlite_master WHERE tbl_name LIKE 't'"), "T");
	define(w, "_schema\ts\t_table\tu", 1, "id", ID "\t" A "\t" B);
	change(w, "_schema\ts\t_table\tu", "update\tid\t1\ta\tONE");
	commit(w);
	assert_string_equal(ask(w, "SELECT * FROM \"s.u\""), "1|ONE|eins\n2|two|NULL");
	assert_string_equal(ask(w, "SELECT schema, \"table\", name FROM _daystream_tables"), "s|u|s.u");
}

static void columns_are_renamed_added_and_dropped(void **state)
{
	struct world *w = *state;

	start(w);
	define(w, T, 1, "id",
	       ID "\ta\tnumber\\t3\\ttype\\ttext\tc\tnumber\\t4\\ttype\\tnumeric\\tmissing\\t1."
	          "50\td\tnumber\\t5\\ttype\\tbytea\\tmissing\\t\\\\\\\\x41"
	          "\te\tnumber\\t6\\ttype\\tinteger");
	commit(w);
	assert_string_equal(ask(w, "SELECT id, a, c, hex(d), e FROM t"), "1|eins|1.50|41|NULL\n2|NULL|1.50|41|NULL");
	assert_string_equal(ask(w, "SELECT group_concat(name) FROM pragma_table_info('t')"), "id,a,c,d,e");
	/* The value of old rows is no default for new ones, nor given a second time. */
	change(w, T, "insert\tid\t3\ta\tx\tc\t\\N\td\t\\N\te\t5");
	define(w, T, 1, "id",
	       ID "\ta\tnumber\\t3\\ttype\\ttext\tc\tnumber\\t4\\ttype\\tnumeric\\tmissing\\t1."
	          "50\te\tnumber\\t6\\ttype\\tinteger");
	commit(w);
	assert_string_equal(ask(w, "SELECT * FROM t"), "1|eins|1.50|NULL\n2|NULL|1.50|NULL\n3|x|NULL|5");
}

static void names_of_columns_can_be_exchanged(void **state)
{
	struct world *w = *state;

	start(w);
	run(w, "CREATE INDEX i ON t (a)");
	define(w, T, 1, "id", ID "\tb\tnumber\\t2\\ttype\\ttext\ta\tnumber\\t3\\ttype\\ttext");
	commit(w);
	assert_string_equal(ask(w, "SELECT id, b, a FROM t"), "1|one|eins\n2|two|NULL");
	assert_string_equal(ask(w, "SELECT name FROM pragma_index_info('i')"), "b");
}

static void a_column_may_have_any_name_while_others_are_renamed(void **state)
{
	struct world *w = *state;

	start(w);
	define(w, T, 1, "id", ID "\t_daystream#3\tnumber\\t2\\ttype\\ttext\tb\tnumber\\t3\\ttype\\ttext");
	commit(w);
	define(w, T, 1, "id", ID "\t_daystream#3\tnumber\\t2\\ttype\\ttext\tc\tnumber\\t3\\ttype\\ttext");
	commit(w);
	assert_string_equal(ask(w, "SELECT id, \"_daystream#3\", c FROM t"), "1|one|eins\n2|two|NULL");
}

static void a_changed_type_converts_what_is_there(void **state)
{
	struct world *w = *state;

	define(w, T, 1, "id",
	       ID "\ta\tnumber\\t2\\ttype\\tinteger\tb\tnumber\\t3\\ttype\\ttimestamp(3) without time zone");
	change(w, T, "insert\tid\t1\ta\t7\tb\t2020-01-01 00:00:00");
	change(w, T, "insert\tid\t2\ta\t8\tb\t0001-01-01 00:00:00 BC");
	change(w, T, "insert\tid\t3\ta\t\\N\tb\t-infinity");
	commit(w);
	define(w, T, 1, "id",
	       "id\tnumber\\t1\\ttype\\tbigint\ta\tnumber\\t2\\ttype\\ttext\tb\tnumber\\t3\\ttype\\ttimestamp(3) with "
	       "time zone");
	commit(w);
	assert_string_equal(
	    ask(w, "SELECT id, typeof(a), a, b FROM t"),
	    "1|text|7|2020-01-01 00:00:00+00\n2|text|8|0001-01-01 00:00:00+00 BC\n3|null|NULL|-infinity");
	define(w, T, 1, "id",
	       ID "\ta\tnumber\\t2\\ttype\\tdouble precision\tb\tnumber\\t3\\ttype\\ttimestamp without time zone");
	commit(w);
	assert_string_equal(ask(w, "SELECT id, typeof(a), a, b FROM t"),
	                    "1|real|7.0|2020-01-01 00:00:00\n2|real|8.0|0001-01-01 00:00:00 BC\n3|null|NULL|-infinity");
}

static void a_changed_key_is_a_new_table_with_the_same_rows(void **state)
{
	struct world *w = *state;

	start(w);
	run(w, "ALTER TABLE t ADD COLUMN note TEXT DEFAULT 'n1'; UPDATE t SET note = 'mine' WHERE id = 1;"
	       "CREATE INDEX ia ON t (a); CREATE INDEX ib ON t (b); CREATE VIEW v AS SELECT a, note FROM t;"
	       "CREATE TABLE seen (a); CREATE TRIGGER tr AFTER INSERT ON t BEGIN INSERT INTO seen VALUES (new.a); END");
	define(w, T, 1, "a", ID "\t" A);
	change(w, T, "replace\ta\tone");
	change(w, T, "update\tid\t1\ta\tONE");
	change(w, T, "insert\tid\t1\ta\tthree");
	commit(w);
	assert_string_equal(ask(w, "SELECT id, a, note FROM t ORDER BY a"), "1|ONE|mine\n1|three|n1\n2|two|n1");
	assert_string_equal(ask(w, "SELECT count(*) FROM v"), "3");
	assert_string_equal(ask(w, "SELECT a FROM seen"), "three");
	assert_string_equal(ask(w, "SELECT group_concat(name) FROM (SELECT name FROM sqlite_master WHERE type = "
	                           "'index' AND sql NOT NULL ORDER BY 1)"),
	                    "ia");
	define(w, T, 1, "*", "id\tnumber\\t1\\ttype\\tinteger\t" A);
	change(w, T, "insert\tid\t2\ta\ttwo");
	commit(w);
	assert_string_equal(ask(w, "SELECT count(*) FROM t WHERE a = 'two'"), "2");
	define(w, T, 1, "\\N", "id\tnumber\\t1\\ttype\\tinteger\t" A);
	commit(w);
	assert_string_equal(ask(w, "SELECT count(*) FROM t WHERE a = 'two'"), "2");
}

static void a_new_key_over_new_values_waits_for_the_rewritten_rows(void **state)
{
	struct world *w = *state;
	static const char with_key[] = ID "\t" A "\t" B "\tk\tnumber\\t4\\ttype\\tbigint\\tpk\\t1";

	start(w);
	define(w, T, 1, "k", with_key);
	change(w, T, "truncate");
	change(w, T, "insert\tid\t1\ta\tone\tb\teins\tk\t10");
	commit(w);
	assert_string_equal(ask(w, "SELECT * FROM t"), "1|one|eins|10");
	define(w, T, 1, "id", with_key);
	commit(w);
	change(w, T, "insert\tid\t2\ta\tone\tb\teins\tk\t10");
	commit(w);
	define(w, T, 1, "k", with_key);
	change(w, T, "insert\tid\t3\ta\tx\tb\ty\tk\t11");
	refused(w, -EBADMSG, "no truncate came");
	define(w, T, 1, "k", with_key);
	stream_commit(&w->stream);
	refused(w, -EBADMSG, "no truncate came");
	assert_string_equal(ask(w, "SELECT count(*) FROM t"), "2");
}

static void broken_views_of_strangers_do_not_stop_it(void **state)
{
	struct world *w = *state;

	start(w);
	run(w, "CREATE VIEW broken AS SELECT * FROM nowhere; CREATE VIEW v AS SELECT a FROM t");
	define(w, "_table\tu", 1, "id", ID "\tx\tnumber\\t2\\ttype\\ttext\t" B "\tc\tnumber\\t4\\ttype\\ttext");
	commit(w);
	assert_string_equal(ask(w, "SELECT * FROM v"), "one\ntwo");
	define(w, "_table\tu", 1, "id", ID "\tx\tnumber\\t2\\ttype\\ttext");
	commit(w);
	assert_string_equal(ask(w, "SELECT * FROM u"), "1|one\n2|two");
}

static void a_new_table_takes_the_name_and_the_old_one_keeps_its_rows(void **state)
{
	struct world *w = *state;

	start(w);
	define(w, T, 2, "id", ID);
	change(w, T, "insert\tid\t9");
	commit(w);
	assert_string_equal(ask(w, "SELECT id FROM t"), "9");
	assert_string_equal(ask(w, "SELECT count(*) FROM \"t#1\""), "2");
	assert_string_equal(ask(w, "SELECT relid, \"table\", name FROM _daystream_tables"), "1|NULL|t#1\n2|t|t");
	world_close(w);
	world_open(w);
	/* It had been renamed. */
	define(w, "_table\tt_old", 1, "id", ID "\t" A "\t" B);
	change(w, "_table\tt_old", "delete\tid\t1");
	change(w, T, "insert\tid\t10");
	commit(w);
	assert_string_equal(ask(w, "SELECT relid, \"table\", name FROM _daystream_tables"), "1|t_old|t_old\n2|t|t");
	assert_string_equal(ask(w, "SELECT (SELECT count(*) FROM t_old), (SELECT count(*) FROM t)"), "1|2");
}

static void names_of_tables_can_be_exchanged(void **state)
{
	struct world *w = *state;

	start(w);
	define(w, "_table\tu", 2, "id", ID);
	change(w, "_table\tu", "insert\tid\t9");
	commit(w);
	define(w, "_table\tu", 1, "id", ID "\t" A "\t" B);
	change(w, "_table\tu", "insert\tid\t3\ta\tthree\tb\tdrei");
	define(w, T, 2, "id", ID);
	change(w, T, "insert\tid\t10");
	commit(w);
	assert_string_equal(ask(w, "SELECT (SELECT count(*) FROM u), (SELECT group_concat(id) FROM t)"), "3|9,10");
	assert_string_equal(ask(w, "SELECT relid, \"table\", name FROM _daystream_tables"), "1|u|u\n2|t|t");
}

static void a_table_that_leaves_the_list_is_moved_aside(void **state)
{
	struct world *w = *state;

	world_close(w);
	unlink(w->path);
	w->tables = "t";
	world_open(w);
	start(w);
	define(w, "_table\tu", 1, "id", ID "\t" A "\t" B);
	change(w, "_table\tu", "delete\tid\t1");
	commit(w);
	assert_string_equal(ask(w, "SELECT count(*) FROM \"t#1\""), "2");
	define(w, T, 1, "id", ID "\t" A "\t" B);
	change(w, T, "delete\tid\t2");
	commit(w);
	assert_string_equal(ask(w, "SELECT count(*) FROM t"), "1");
	/* What was done to it meanwhile, nobody told. */
	assert_int_equal(world_warnings, 1);
	assert_string_equal(ask(w, "SELECT name, inexact_since IS NULL FROM _daystream_tables"), "t|0");
}

/* No segment has begun since, which would open with its definition. */
static void a_table_that_comes_into_the_list_lacks_its_older_rows_after_a_restart_too(void **state)
{
	struct world *w = *state;

	world_close(w);
	unlink(w->path);
	w->tables = "t,v";
	world_open(w);
	define(w, "_table\tu", 1, "id", ID "\t" A);
	change(w, "_table\tu", "insert\tid\t1\ta\tone");
	commit(w);
	world_close(w);
	world_open(w);
	define(w, "_table\tw", 2, "id", ID "\t" A);
	assert_int_equal(world_feed(w), 0);
	assert_int_equal(apply_rollback(w->apply, &w->err), 0);
	define(w, T, 1, "id", ID "\t" A);
	change(w, T, "insert\tid\t2\ta\ttwo");
	define(w, "_table\tv", 2, "id", ID "\t" A);
	commit(w);
	assert_int_equal(world_warnings, 1);
	assert_string_equal(ask(w, "SELECT name, inexact_since IS NULL FROM _daystream_tables ORDER BY name"),
	                    "t|0\nv|1");
	world_close(w);
	world_open(w);
	line(w, "_table\tt\t_xid\t9\t_action\tdrop");
	define(w, T, 1, "id", ID "\t" A);
	commit(w);
	assert_int_equal(world_warnings, 1);
	assert_string_equal(ask(w, "SELECT inexact_since FROM _daystream_tables WHERE name = 't'"), "NULL");
}

static void a_rollback_takes_definitions_back(void **state)
{
	struct world *w = *state;

	start(w);
	define(w, T, 1, "id", ID "\t" A);
	define(w, "_table\tnew", 2, "id", ID);
	change(w, T, "insert\tid\t3\ta\tx");
	assert_int_equal(world_feed(w), 0);
	assert_int_equal(apply_rollback(w->apply, &w->err), 0);
	change(w, T, "insert\tid\t3\ta\tx\tb\ty");
	commit(w);
	assert_string_equal(ask(w, "SELECT * FROM t WHERE id = 3"), "3|x|y");
	assert_string_equal(ask(w, "SELECT count(*) FROM _daystream_tables"), "1");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(types_become_what_sqlite_has),
	    TEST(keys_follow_the_replica_identity),
	    TEST(names_that_are_reserved_or_taken_become_others),
	    TEST(columns_that_differ_in_case_only_get_the_number),
	    TEST(a_table_without_columns_holds_rows),
	    TEST(a_renamed_table_keeps_its_rows),
	    TEST(columns_are_renamed_added_and_dropped),
	    TEST(names_of_columns_can_be_exchanged),
	    TEST(a_column_may_have_any_name_while_others_are_renamed),
	    TEST(a_changed_type_converts_what_is_there),
	    TEST(a_changed_key_is_a_new_table_with_the_same_rows),
	    TEST(a_new_key_over_new_values_waits_for_the_rewritten_rows),
	    TEST(broken_views_of_strangers_do_not_stop_it),
	    TEST(a_new_table_takes_the_name_and_the_old_one_keeps_its_rows),
	    TEST(names_of_tables_can_be_exchanged),
	    TEST(a_table_that_leaves_the_list_is_moved_aside),
	    TEST(a_table_that_comes_into_the_list_lacks_its_older_rows_after_a_restart_too),
	    TEST(a_rollback_takes_definitions_back),
	};

	return cmocka_run_group_tests_name("mirror: schema", tests, NULL, NULL);
}
