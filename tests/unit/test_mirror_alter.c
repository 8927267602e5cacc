/* Tables that go, what people added to them, and values that print otherwise. */
#include "test_mirror_table.h"

static char warned[4000];

static void keep_warning(const char *text)
{
	snprintf(warned + strlen(warned), sizeof warned - strlen(warned), "%s\n", text);
}

/* SQLite's allocations count down to one that fails: 0: none does. */
static sqlite3_mem_methods memory;
static unsigned fails_at;

static bool fails(void)
{
	return fails_at > 0 && --fails_at == 0;
}

static void *take(int size)
{
	return fails() ? NULL : memory.xMalloc(size);
}

static void *take_more(void *at, int size)
{
	return fails() ? NULL : memory.xRealloc(at, size);
}

static void count_allocations(void)
{
	sqlite3_config(SQLITE_CONFIG_GETMALLOC, &memory);
	sqlite3_mem_methods counted = memory;
	counted.xMalloc = take;
	counted.xRealloc = take_more;
	sqlite3_config(SQLITE_CONFIG_MALLOC, &counted);
	sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
}

static int setup(void **state)
{
	int rc = world_setup(state);
	struct world *w = *state;

	apply_close(w->apply);
	warned[0] = 0;
	return rc ? rc : apply_open(&w->apply, &w->database, NULL, 0, keep_warning, &w->err);
}

static void warns(const char *part)
{
	if (!strstr(warned, part))
		fail_msg("no \"%s\" in: %s", part, warned);
}

/* ---- tables that go */

static void a_dropped_table_goes_and_its_name_is_free(void **state)
{
	struct world *w = *state;

	start(w);
	run(w, "CREATE INDEX i ON t (a); CREATE VIEW v AS SELECT a FROM t");
	change(w, T, "drop");
	change(w, "_table\tnever_seen", "drop");
	commit(w);
	assert_string_equal(ask(w, "SELECT group_concat(name) FROM sqlite_master WHERE name IN ('t', 'i', 'v')"), "v");
	assert_string_equal(ask(w, "SELECT count(*) FROM _daystream_tables"), "0");
	/* The view is broken now, and stops nothing. */
	define(w, "_table\tu", 2, "id", ID "\t" A);
	commit(w);
	define(w, T, 2, "id", ID "\ta2\tnumber\\t2\\ttype\\ttext");
	change(w, T, "insert\tid\t1\ta2\tx");
	commit(w);
	define(w, T, 2, "id", ID "\ta\tnumber\\t2\\ttype\\ttext");
	commit(w);
	assert_string_equal(ask(w, "SELECT name FROM _daystream_tables"), "t");
	assert_string_equal(ask(w, "SELECT a FROM v"), "x");
	assert_string_equal(warned, "");
}

static void a_drop_does_not_touch_the_table_that_lost_the_name_before(void **state)
{
	struct world *w = *state;

	start(w);
	define(w, T, 2, "id", ID);
	change(w, T, "drop");
	commit(w);
	assert_string_equal(ask(w, "SELECT name FROM _daystream_tables"), "t#1");
	change(w, T, "drop");
	define(w, "_table\tv", 1, "id", ID "\t" A "\t" B);
	commit(w);
	assert_string_equal(ask(w, "SELECT name, count(*) FROM _daystream_tables, v"), "v|2");
}

static void a_table_changed_while_it_had_no_name_is_altered_though_its_own_stays_taken(void **state)
{
	struct world *w = *state;

	start(w);
	define(w, "_table\tT", 3, "id", ID "\t" A);
	change(w, "_table\tT", "insert\tid\t3\ta\tthree");
	define(w, "_table\tT", 4, "id", ID);
	change(w, "_table\tT", "drop");
	define(w, "_table\tT", 3, "b", ID "\tb\tnumber\\t3\\ttype\\ttext\\tnotnull\\t1");
	change(w, "_table\tT", "truncate");
	change(w, "_table\tT", "insert\tid\t3\tb\tdrei");
	change(w, "_table\tT", "update\tid\t4\tb\tdrei");
	commit(w);
	assert_string_equal(ask(w, "SELECT name FROM _daystream_tables WHERE relid = 3"), "T#3");
	assert_string_equal(ask(w, "SELECT group_concat(name) FROM pragma_table_info('T#3')"), "id,b");
	assert_string_equal(ask(w, "SELECT id, b FROM \"T#3\""), "4|drei");
}

static void a_rollback_brings_a_dropped_table_back(void **state)
{
	struct world *w = *state;

	start(w);
	change(w, T, "drop");
	assert_int_equal(world_feed(w), 0);
	assert_int_equal(apply_rollback(w->apply, &w->err), 0);
	stream_commit(&w->stream);
	assert_int_equal(world_feed(w), 0);
	change(w, T, "delete\tid\t1");
	commit(w);
	assert_string_equal(ask(w, "SELECT id FROM t"), "2");
}

static const char *mark_of(struct world *w)
{
	return ask(w, "SELECT count(inexact_since) FROM _daystream_tables");
}

static void a_table_that_came_with_rows_is_marked_until_it_is_emptied(void **state)
{
	struct world *w = *state;

	start(w);
	change(w, T, "drop");
	commit(w);
	define(w, T, 1, "id", ID "\t" A "\t" B);
	change(w, T, "partial");
	change(w, T, "insert\tid\t3\ta\tthree\tb\t\\N");
	commit(w);
	assert_string_equal(mark_of(w), "1");
	warns("table \"t\" was there, or was changed, under a name that the stream leaves out: what it had and did "
	      "then is missing here");
	/* Rows that it does not have are changed. */
	change(w, T, "update\tid\t1\ta\tanother");
	change(w, T, "delete\tid\t2");
	warned[0] = 0;
	change(w, T, "partial");
	commit(w);
	assert_string_equal(ask(w, "SELECT group_concat(id) FROM t"), "3");
	assert_string_equal(warned, "");
	change(w, T, "truncate");
	change(w, T, "insert\tid\t4\ta\tfour\tb\t\\N");
	commit(w);
	assert_string_equal(mark_of(w), "0");
	change(w, T, "partial");
	commit(w);
	assert_string_equal(mark_of(w), "1");
	warns("table \"t\"");
}

static void of_a_table_that_comes_back_with_another_key_what_does_not_fit_it_is_given_up(void **state)
{
	struct world *w = *state;

	start(w);
	define(w, T, 1, "c", ID "\t" A "\tc\tnumber\\t4\\ttype\\ttext\\tnotnull\\t1");
	change(w, T, "partial");
	change(w, T, "insert\tid\t3\ta\tthree\tc\tdrei");
	commit(w);
	assert_string_equal(mark_of(w), "1");
	assert_string_equal(ask(w, "SELECT group_concat(id || ' ' || c) FROM t"), "3 drei");
}

static void triggers_that_need_a_dropped_table_go_with_a_warning(void **state)
{
	struct world *w = *state;

	start(w);
	define(w, "_table\tlog", 2, "\\N", "a\tnumber\\t1\\ttype\\ttext");
	commit(w);
	run(w, "CREATE TABLE mine (a);"
	       "CREATE TRIGGER one AFTER INSERT ON t BEGIN INSERT INTO log VALUES (new.a); END;"
	       "CREATE TRIGGER two AFTER INSERT ON t BEGIN INSERT INTO mine VALUES (new.a); END");
	change(w, "_table\tlog", "drop");
	change(w, T, "insert\tid\t3\ta\tthree\tb\t\\N");
	commit(w);
	assert_string_equal(ask(w, "SELECT a FROM mine"), "three");
	warns("trigger \"one\" of table \"t\" is gone: no such table: main.log");
	assert_null(strstr(warned, "two"));
}

/* ---- what people added */

static void what_needs_a_dropped_column_goes_with_a_warning_and_the_rest_stays(void **state)
{
	struct world *w = *state;

	start(w);
	run(w, "CREATE TABLE seen (a); CREATE TABLE other (a);"
	       "ALTER TABLE t ADD COLUMN note TEXT; ALTER TABLE t ADD COLUMN up AS (upper(a));"
	       "UPDATE t SET note = 'mine' WHERE id = 1;"
	       "CREATE INDEX ia ON t (a, note); CREATE INDEX ib ON t (lower(b)); CREATE VIEW v AS SELECT id, b FROM t;"
	       "CREATE TRIGGER ta AFTER INSERT ON t BEGIN INSERT INTO seen VALUES (new.a); END;"
	       "CREATE TRIGGER tb AFTER UPDATE ON t BEGIN INSERT INTO seen VALUES (new.b); END;"
	       "CREATE TRIGGER tc AFTER INSERT ON other BEGIN UPDATE t SET b = new.a; END;");
	define(w, T, 1, "id", ID "\t" A);
	change(w, T, "insert\tid\t3\ta\tthree");
	change(w, T, "update\tid\t3\ta\tTHREE");
	commit(w);
	assert_string_equal(ask(w, "SELECT * FROM t"), "1|one|mine\n2|two|NULL\n3|THREE|NULL");
	assert_string_equal(ask(w, "SELECT a FROM seen"), "three");
	assert_string_equal(ask(w, "SELECT group_concat(name) FROM (SELECT name FROM sqlite_master WHERE type IN "
	                           "('index', 'trigger') AND sql NOT NULL ORDER BY 1)"),
	                    "ia,ta");
	warns("index \"ib\" of table \"t\" is gone: ");
	warns("trigger \"tb\" of table \"t\" is gone: ");
	warns("trigger \"tc\" of table \"other\" is gone: ");
	warns("column \"up\" of table \"t\" is gone: it was generated");
	/* A view is as it was, and works again with a column of that name. */
	define(w, T, 1, "id", ID "\t" A "\tb\tnumber\\t4\\ttype\\ttext");
	commit(w);
	assert_string_equal(ask(w, "SELECT count(*) FROM v WHERE b IS NULL"), "3");
}

static void a_dropped_columns_name_may_be_another_columns_at_once(void **state)
{
	struct world *w = *state;

	start(w);
	run(w, "CREATE INDEX ia ON t (a)");
	define(w, T, 1, "id", ID "\ta\tnumber\\t3\\ttype\\ttext\tA\tnumber\\t4\\ttype\\tbytea");
	commit(w);
	assert_string_equal(ask(w, "SELECT group_concat(name) FROM pragma_table_info('t')"), "id,a,A#4");
	assert_string_equal(ask(w, "SELECT a FROM t"), "eins\nNULL");
	warns("index \"ia\" of table \"t\" is gone: ");
}

static void a_trigger_on_a_column_that_is_gone_does_not_spoil_the_file_when_the_table_is_renamed(void **state)
{
	struct world *w = *state;

	start(w);
	run(w, "CREATE TABLE seen (x); CREATE VIEW v AS SELECT a FROM t;"
	       "CREATE TRIGGER lost AFTER UPDATE OF b ON t WHEN new.b IS NOT old.b BEGIN INSERT INTO seen VALUES "
	       "(old.b); END;"
	       "CREATE TRIGGER good AFTER UPDATE OF a ON t BEGIN INSERT INTO seen VALUES (old.a); END");
	define(w, T, 1, "id", ID "\t" A);
	commit(w);
	define(w, "_table\tu", 1, "id", ID "\t" A);
	change(w, "_table\tu", "update\tid\t1\ta\tuno");
	commit(w);
	assert_string_equal(
	    ask(w, "SELECT group_concat(name || ' ' || tbl_name) FROM sqlite_master WHERE type = 'trigger'"), "good u");
	assert_string_equal(ask(w, "SELECT group_concat(x) FROM seen"), "one");
	assert_string_equal(ask(w, "SELECT group_concat(a) FROM v"), "uno,two");
	assert_string_equal(ask(w, "PRAGMA integrity_check"), "ok");
	warns("trigger \"lost\" of table \"t\" is gone: it needs a column or a table that is gone");
}

static void a_persons_column_makes_room_for_the_servers(void **state)
{
	struct world *w = *state;

	start(w);
	run(w, "ALTER TABLE t ADD COLUMN Note TEXT DEFAULT 'mine'");
	define(w, T, 1, "id", ID "\t" A "\t" B "\tnote\tnumber\\t4\\ttype\\ttext\\tmissing\\ttheirs");
	change(w, T, "insert\tid\t3\ta\tx\tb\ty\tnote\tz");
	commit(w);
	assert_string_equal(ask(w, "SELECT id, note, \"Note#own\" FROM t"), "1|theirs|mine\n2|theirs|mine\n3|z|mine");
	warns("\"Note#own\" from now on");
	/* And again. */
	define(w, T, 1, "id", ID "\t" A "\t" B);
	commit(w);
	run(w, "ALTER TABLE t ADD COLUMN note DEFAULT 'again'");
	define(w, T, 1, "id", ID "\t" A "\t" B "\tnote\tnumber\\t5\\ttype\\ttext");
	commit(w);
	assert_string_equal(ask(w, "SELECT note, \"Note#own\", \"note#own#own\" FROM t WHERE id = 1"),
	                    "NULL|mine|again");
}

static void a_persons_columns_stay_as_they_were_made_where_the_table_is_made_anew(void **state)
{
	struct world *w = *state;
	sqlite3 *shell;

	start(w);
	/* As people write it: to this program, text stands in single quotes alone. */
	assert_int_equal(sqlite3_open(w->path, &shell), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(
	        shell,
	        "ALTER TABLE t ADD COLUMN q DEFAULT \"own\"; ALTER TABLE t ADD COLUMN u DEFAULT gr\303\266\303\237$1;"
	        "ALTER TABLE t ADD COLUMN n DEFAULT -1.5; ALTER TABLE t ADD COLUMN y DEFAULT true;"
	        "ALTER TABLE t ADD COLUMN c VARCHAR(9) NOT NULL DEFAULT 'It''s' COLLATE NOCASE",
	        NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(shell);
	define(w, T, 1, "id", ID "\t" A);
	change(w, T, "insert\tid\t3\ta\tthree");
	commit(w);
	assert_string_equal(ask(w, "SELECT id, q, u, n, y, c FROM t WHERE c = 'iT''S'"),
	                    "1|own|gr\303\266\303\237$1|-1.5|1|It's\n2|own|gr\303\266\303\237$1|-1.5|1|It's\n3|own|"
	                    "gr\303\266\303\237$1|-1.5|1|It's");
	assert_string_equal(ask(w, "SELECT type, \"notnull\" FROM pragma_table_info('t') WHERE name = 'c'"),
	                    "VARCHAR(9)|1");
	assert_string_equal(warned, "");
}

static void rows_keep_their_numbers_where_the_table_is_made_anew(void **state)
{
	struct world *w = *state;
	static const char key[] = "k\tnumber\\t1\\ttype\\ttext\\tnotnull\\t1\\tpk\\t1";
	char both[200];

	snprintf(both, sizeof both, "%s\t" A, key);
	define(w, T, 1, "k", both);
	change(w, T, "insert\tk\tone\ta\tred");
	change(w, T, "insert\tk\ttwo\ta\tgreen");
	commit(w);
	run(w, "CREATE VIRTUAL TABLE words USING fts5(k, content='t'); INSERT INTO words(words) VALUES ('rebuild');"
	       "CREATE TRIGGER gone AFTER DELETE ON t BEGIN"
	       " INSERT INTO words(words, rowid, k) VALUES ('delete', old.rowid, old.k); END");
	change(w, T, "delete\tk\tone");
	define(w, T, 1, "k", key);
	commit(w);
	assert_string_equal(ask(w, "SELECT t.k FROM words JOIN t ON t.rowid = words.rowid WHERE words MATCH 'two'"),
	                    "two");
	run(w, "INSERT INTO words(words, rank) VALUES ('integrity-check', 1)");
	/* A column that somebody called so is no number of a row. */
	run(w, "ALTER TABLE t ADD COLUMN _rowid_ DEFAULT 'mine'");
	define(w, T, 1, "k", both);
	define(w, T, 1, "k", key);
	commit(w);
	assert_string_equal(ask(w, "SELECT k, _rowid_ FROM t"), "two|mine");
}

static int by_nothing(void *ctx, int a_len, const void *a, int b_len, const void *b)
{
	(void)ctx, (void)a_len, (void)a, (void)b_len, (void)b;
	return 0;
}

static void a_trigger_that_is_not_the_reason_why_a_table_cannot_be_written_stays(void **state)
{
	struct world *w = *state;
	sqlite3 *program;

	start(w);
	define(w, "_table\tu", 2, "id", ID);
	commit(w);
	assert_int_equal(sqlite3_open(w->path, &program), SQLITE_OK);
	assert_int_equal(sqlite3_create_collation(program, "its_own", SQLITE_UTF8, NULL, by_nothing), SQLITE_OK);
	assert_int_equal(
	    sqlite3_exec(program,
	                 "CREATE TABLE mine (a); CREATE INDEX i ON mine (a COLLATE its_own);"
	                 "CREATE TRIGGER g AFTER INSERT ON mine BEGIN DELETE FROM mine WHERE a IS NULL; END;"
	                 "CREATE TABLE other (a);"
	                 "CREATE TRIGGER h AFTER UPDATE ON other BEGIN SELECT its_own(new.a); END",
	                 NULL, NULL, NULL),
	    SQLITE_OK);
	sqlite3_close(program);
	change(w, "_table\tu", "drop");
	commit(w);
	assert_string_equal(ask(w, "SELECT name FROM sqlite_master WHERE type = 'trigger' ORDER BY name"), "g\nh");
	assert_string_equal(warned, "");
}

static void a_table_may_have_the_name_of_what_sqlite_is_asked_by(void **state)
{
	static const char *const names[] = {"_table\tpragma_index_list", "_table\tpragma_index_info",
	                                    "_table\tpragma_table_info", "_table\tpragma_table_xinfo"};
	struct world *w = *state;

	for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
		apply_coalesce(w->apply, true);
		define(w, names[i], 10 + i, "id", ID "\t" A "\t" B);
		change(w, names[i], "insert\tid\t1\ta\tx\tb\ty");
		commit(w);
		define(w, names[i], 10 + i, "id", ID "\t" A);
		commit(w);
	}
	assert_string_equal(ask(w, "SELECT * FROM pragma_index_list, pragma_table_xinfo"), "1|x|1|x");
}

static void a_table_gets_its_first_column_and_loses_its_last(void **state)
{
	struct world *w = *state;

	define(w, T, 1, "\\N", "");
	change(w, T, "insert");
	commit(w);
	define(w, T, 1, "\\N", "a\tnumber\\t1\\ttype\\ttext\\tmissing\\tx");
	commit(w);
	assert_string_equal(ask(w, "SELECT * FROM t"), "x");
	assert_string_equal(ask(w, "SELECT group_concat(name) FROM pragma_table_info('t')"), "a");
	define(w, T, 1, "\\N", "");
	change(w, T, "insert");
	commit(w);
	assert_string_equal(ask(w, "SELECT count(*) FROM t"), "2");
}

/* ---- values that print otherwise */

static void renamed_labels_of_an_enum_change_the_rows(void **state)
{
	struct world *w = *state;
#define K(labels)                                                                                                      \
	"k\tnumber\\t1\\ttype\\tkind\\tlabels\\t" labels                                                               \
	"\\tnotnull\\t1\\tpk\\t1\td\tnumber\\t2\\ttype\\tsort\\tbase\\tkind"                                           \
	"\\tlabels\\t" labels "\tx\tnumber\\t3\\ttype\\ttext"

	define(w, T, 1, "k", K("7=a,9=b,8=c%2Cd"));
	change(w, T, "insert\tk\ta\td\tb\tx\ta");
	change(w, T, "insert\tk\tb\td\t\\N\tx\ta");
	change(w, T, "insert\tk\tc,d\td\tc,d\tx\ta");
	commit(w);
	/* Exchanged, and one added. */
	define(w, T, 1, "k", K("7=b,9=a,10=new,8=c%2Cd"));
	change(w, T, "update\tk\ta\tx\tthis was b");
	commit(w);
	assert_string_equal(ask(w, "SELECT k, d, x FROM t ORDER BY rowid"), "b|a|a\na|NULL|this was b\nc,d|c,d|a");
	define(w, T, 1, "k", K("7=b,9=a,10=new,8=it's %2C%25"));
	commit(w);
	assert_string_equal(ask(w, "SELECT k, d, x FROM t WHERE k LIKE 'it%'"), "it's ,%|it's ,%|a");
	/* One may be empty. */
	define(w, T, 1, "k", K("7=,9=a,10=new,8=it's %2C%25"));
	commit(w);
	assert_string_equal(ask(w, "SELECT k, d, x FROM t ORDER BY rowid"),
	                    "|a|a\na|NULL|this was b\nit's ,%|it's ,%|a");
	define(w, T, 1, "k", K("7=it's %2C%25,9=a,10=new,8="));
	commit(w);
	assert_string_equal(ask(w, "SELECT k, d, x FROM t ORDER BY rowid"), "it's ,%|a|a\na|NULL|this was b\n||a");
}

static const char *marked(struct world *w)
{
	return ask(w, "SELECT count(*) FROM _daystream_tables WHERE inexact_since IS NOT NULL");
}

/* As a transaction has it that began before a label was renamed, and another added that has the older name. */
static void a_label_that_a_definition_lacks_keeps_its_rows(void **state)
{
	struct world *w = *state;

	define(w, T, 1, "k", K("7=c,9=a"));
	change(w, T, "insert\tk\ta\td\tc\tx\t9");
	change(w, T, "insert\tk\tc\td\ta\tx\t7");
	commit(w);
	define(w, T, 1, "k", K("7=a"));
	change(w, T, "update\tk\ta\tx\tseven");
	define(w, T, 1, "k", K("7=x"));
	change(w, T, "update\tk\tx\tx\tSEVEN");
	define(w, T, 1, "k", K("7=c,8=d,9=a"));
	commit(w);
	assert_string_equal(ask(w, "SELECT k, d, x FROM t ORDER BY rowid"), "a|c|9\nc|a|SEVEN");
	/* It may come back by another name. */
	define(w, T, 1, "k", K("7=c,8=d"));
	define(w, T, 1, "k", K("7=c,8=a,9=e"));
	commit(w);
	assert_string_equal(ask(w, "SELECT k, d, x FROM t ORDER BY rowid"), "e|c|9\nc|e|SEVEN");
	define(w, T, 1, "k", K("11=e,12=c")); /* another type: a truncate follows */
	commit(w);
	assert_string_equal(ask(w, "SELECT k, d, x FROM t ORDER BY rowid"), "e|c|9\nc|e|SEVEN");
	assert_string_equal(marked(w), "0");
}

static void a_column_that_prints_otherwise_marks_the_table_until_its_rows_come_anew(void **state)
{
	struct world *w = *state;

	define(w, T, 1, "id", ID "\ta\tnumber\\t2\\ttype\\toid");
	commit(w);
	define(w, T, 1, "id", ID "\ta\tnumber\\t2\\ttype\\tbigint");
	change(w, T, "partial\tcolumn\ta"); /* no row has one */
	commit(w);
	assert_string_equal(marked(w), "0");
	change(w, T, "insert\tid\t1\ta\t5");
	commit(w);
	define(w, T, 1, "id", ID "\ta\tnumber\\t2\\ttype\\ttimestamp with time zone");
	change(w, T, "partial\tcolumn\ta");
	change(w, T, "insert\tid\t2\ta\t2000-01-01 00:00:00+00");
	commit(w);
	assert_string_equal(marked(w), "1");
	warns(
	    "table \"t\" prints column \"a\" otherwise now, and only the server knows how: its rows are not all as in "
	    "PostgreSQL any more, and --resync=TABLE brings that from a newer snapshot");
	change(w, T, "truncate");
	commit(w);
	assert_string_equal(marked(w), "0");
}

static void a_label_or_attribute_within_other_values_marks_the_table(void **state)
{
	static const struct {
		const char *parts;
		bool marks;
	} steps[] = {
	    {"7:1,7:2,9=a,10=b", false},        {"7:1,7:2,9=a,11=new,10=b", false}, /* a label is added */
	    {"7:1,7:2,9=A,11=new,10=b", true},  {"7:1,7:2,7:3,9=A,11=new,10=b", true},
	    {"7:2,7:3,9=A,11=new,10=b", true},  {"7:2,7:3,9=A,11=new,10=b", false},
	    {"77:2,7:3,9=A,11=new,10=b", true},
	};
	struct world *w = *state;

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		char columns[300];
		snprintf(columns, sizeof columns, ID "\tp\tnumber\\t2\\ttype\\tpair\\tparts\\t%s", steps[i].parts);
		define(w, T, 1, "id", columns);
		commit(w);
		assert_string_equal(marked(w), steps[i].marks ? "1" : "0");
		change(w, T, "truncate");
		change(w, T, "insert\tid\t1\tp\t(1,a)");
		commit(w);
	}
}

/* ---- whatever cannot be had */

/* The last line, with each allocation failing once: it is an error that says so, or all is as it ought to be. */
static void works_or_says(struct world *w, const char *question, const char *wanted)
{
	const size_t fed = w->fed;
	const struct line_before before = w->before;
	unsigned lacked = 0;

	for (unsigned n = 1;; n++) {
		fails_at = n;
		int rc = world_feed(w);
		bool over = fails_at > 0;
		fails_at = 0;
		if (rc == 0)
			assert_string_equal(ask(w, question), wanted);
		/* SQLite may say the latter where it had no memory to read its schema again. */
		else if (rc == -ENOMEM ? !strstr(w->err.text, "out of memory") : !strstr(w->err.text, "no such table"))
			fail_msg("allocation %u: %d, \"%s\"", n, rc, w->err.text);
		lacked += rc < 0;
		if (over)
			break;
		assert_int_equal(apply_rollback(w->apply, &w->err), 0);
		w->fed = fed;
		w->before = before;
	}
	assert_true(lacked > 10);
}

static void without_memory_a_table_made_anew_loses_nothing(void **state)
{
	struct world *w = *state;

	start(w);
	run(w, "ALTER TABLE t ADD COLUMN mine DEFAULT 'own'; CREATE INDEX i ON t (b); CREATE TABLE seen (id);"
	       "CREATE TRIGGER g AFTER DELETE ON t BEGIN INSERT INTO seen VALUES (old.id); END;"
	       "CREATE TRIGGER h AFTER DELETE ON seen BEGIN DELETE FROM t WHERE id = old.id; END");
	define(w, T, 1, "id", ID "\ta\tnumber\\t2\\ttype\\tbytea\t" B);
	works_or_says(w,
	              "SELECT id, CAST(a AS TEXT), b, mine, (SELECT count(*) FROM sqlite_master WHERE name "
	              "IN ('g', 'h', 'i')) FROM t",
	              "1|one|eins|own|3\n2|two|NULL|own|3");
}

int main(void)
{
	count_allocations();
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, world_teardown)
	    TEST(a_dropped_table_goes_and_its_name_is_free),
	    TEST(a_drop_does_not_touch_the_table_that_lost_the_name_before),
	    TEST(a_table_changed_while_it_had_no_name_is_altered_though_its_own_stays_taken),
	    TEST(a_rollback_brings_a_dropped_table_back),
	    TEST(a_table_that_came_with_rows_is_marked_until_it_is_emptied),
	    TEST(of_a_table_that_comes_back_with_another_key_what_does_not_fit_it_is_given_up),
	    TEST(triggers_that_need_a_dropped_table_go_with_a_warning),
	    TEST(what_needs_a_dropped_column_goes_with_a_warning_and_the_rest_stays),
	    TEST(a_dropped_columns_name_may_be_another_columns_at_once),
	    TEST(a_trigger_on_a_column_that_is_gone_does_not_spoil_the_file_when_the_table_is_renamed),
	    TEST(a_persons_column_makes_room_for_the_servers),
	    TEST(a_persons_columns_stay_as_they_were_made_where_the_table_is_made_anew),
	    TEST(rows_keep_their_numbers_where_the_table_is_made_anew),
	    TEST(a_trigger_that_is_not_the_reason_why_a_table_cannot_be_written_stays),
	    TEST(a_table_may_have_the_name_of_what_sqlite_is_asked_by),
	    TEST(a_table_gets_its_first_column_and_loses_its_last),
	    TEST(renamed_labels_of_an_enum_change_the_rows),
	    TEST(a_label_that_a_definition_lacks_keeps_its_rows),
	    TEST(a_column_that_prints_otherwise_marks_the_table_until_its_rows_come_anew),
	    TEST(a_label_or_attribute_within_other_values_marks_the_table),
	    TEST(without_memory_a_table_made_anew_loses_nothing),
	};
	return cmocka_run_group_tests_name("mirror alter", tests, NULL, NULL);
}
