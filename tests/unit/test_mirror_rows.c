/* Row changes of the stream become rows of the mirror. */
#include "test_mirror_stream.h"

#define FLOAT_FULL                                                                                                     \
	"_table\tfl\t_xid\t700\t_relid\t16389\t_key\t*\t_"                                                             \
	"action\tschema\tn\tnumber\\t1\\ttype\\tdouble precision\tt\tnumber\\t2\\ttype\\ttext"
#define FULL_PK                                                                                                        \
	"_table\tfp\t_xid\t700\t_relid\t16387\t_key\t*\t_"                                                             \
	"action\tschema\tid\tnumber\\t1\\ttype\\tinteger\\tpk\\t1\tt\tnumber\\t2\\ttype\\ttext"
#define NO_KEY "_table\tnone\t_xid\t700\t_relid\t16388\t_key\t\\N\t_action\tschema\tn\tnumber\\t1\\ttype\\tinteger"

static void the_example_of_the_talk_gives_its_table(void **state)
{
	struct world *w = *state;

	line(w, ZZZ);
	line(w, "_table\tzzz\t_xid\t700\t_action\tinsert\ta\tfox49\tb\then49");
	line(w, "_table\tzzz\t_xid\t700\t_action\tinsert\ta\tfox60\tb\t\\N");
	commit(w);
	line(w, "_table\tzzz\t_xid\t701\t_action\tdelete\ta\tfox60");
	line(w, "_table\tzzz\t_xid\t701\t_action\treplace\ta\tfox49");
	line(w, "_table\tzzz\t_xid\t701\t_action\tupdate\ta\tfox61\tb\then62");
	commit(w);
	assert_string_equal(ask(w, "SELECT * FROM zzz"), "fox61|hen62");
	assert_string_equal(ask(w, "SELECT epoch, seq, lsn, generation, system FROM _daystream"),
	                    "1507507201|3|0/2BD0|1|7123");
}

static void an_absent_column_is_unchanged_and_null_is_not(void **state)
{
	struct world *w = *state;

	line(w, ACC);
	line(w, "_table\tacc\t_xid\t700\t_action\tinsert\tid\t1\tv\tlong\tw\tx");
	line(w, "_table\tacc\t_xid\t700\t_action\tupdate\tid\t1\tw\t\\N");
	line(w, "_table\tacc\t_xid\t700\t_action\tinsert\tid\t2\tv\tlonger\tw\t");
	line(w, "_table\tacc\t_xid\t700\t_action\treplace\tid\t2");
	line(w, "_table\tacc\t_xid\t700\t_action\tupdate\tid\t3\tw\ty");
	commit(w);
	assert_string_equal(ask(w, "SELECT * FROM acc ORDER BY id"), "1|long|NULL\n3|longer|y");
}

static void columns_may_stand_in_any_order(void **state)
{
	struct world *w = *state;

	line(w, ACC);
	line(w, "_table\tacc\t_xid\t700\t_action\tinsert\tw\tx\tid\t1\tv\ty");
	line(w, "_table\tacc\t_xid\t700\t_action\tupdate\tv\tz\tid\t1");
	commit(w);
	assert_string_equal(ask(w, "SELECT * FROM acc"), "1|z|x");
}

static void values_are_unescaped(void **state)
{
	struct world *w = *state;

	line(w, ZZZ);
	line(w, "_table\tzzz\t_xid\t700\t_action\tinsert\ta\t\\\\N\tb\ta\\tb\\nc\\\\\\r\\b\\f\\v");
	commit(w);
	assert_string_equal(ask(w, "SELECT * FROM zzz"), "\\N|a\tb\nc\\\r\b\f\v");
}

static void an_insert_of_a_row_that_is_there_takes_its_place(void **state)
{
	struct world *w = *state;

	line(w, ZZZ);
	line(w, "_table\tzzz\t_xid\t700\t_action\tinsert\ta\tx\tb\t1");
	commit(w);
	assert_int_equal(sqlite3_exec(w->database.sqlite,
	                              "ALTER TABLE zzz ADD COLUMN note; UPDATE zzz SET note = 'mine'", NULL, NULL,
	                              NULL),
	                 SQLITE_OK);
	line(w, "_table\tzzz\t_xid\t701\t_action\tinsert\ta\tx\tb\t2");
	commit(w);
	assert_string_equal(ask(w, "SELECT * FROM zzz"), "x|2|mine");
}

static void a_key_that_the_same_transaction_frees_can_be_taken(void **state)
{
	struct world *w = *state;

	line(w, ACC);
	for (int i = 1; i <= 3; i++) {
		char body[200];
		snprintf(body, sizeof body, "_table\tacc\t_xid\t700\t_action\tinsert\tid\t%d\tv\t%d\tw\t0", i, i);
		line(w, body);
	}
	commit(w);
	/* UPDATE acc SET id = id + 1 where the rows happen to stand from the last to the first. */
	for (int i = 3; i >= 1; i--) {
		char body[200];
		snprintf(body, sizeof body, "_table\tacc\t_xid\t701\t_action\treplace\tid\t%d", i);
		line(w, body);
		snprintf(body, sizeof body, "_table\tacc\t_xid\t701\t_action\tupdate\tid\t%d\tv\t%d\tw\t0", i + 1, i);
		line(w, body);
	}
	commit(w);
	assert_string_equal(ask(w, "SELECT id, v FROM acc ORDER BY id"), "2|1\n3|2\n4|3");
}

static void keys_can_be_exchanged(void **state)
{
	struct world *w = *state;

	line(w, ZZZ);
	line(w, "_table\tzzz\t_xid\t700\t_action\tinsert\ta\tp\tb\t1");
	line(w, "_table\tzzz\t_xid\t700\t_action\tinsert\ta\tq\tb\t2");
	commit(w);
	line(w, "_table\tzzz\t_xid\t701\t_action\treplace\ta\tp");
	line(w, "_table\tzzz\t_xid\t701\t_action\tupdate\ta\ttmp\tb\t1");
	line(w, "_table\tzzz\t_xid\t701\t_action\treplace\ta\tq");
	line(w, "_table\tzzz\t_xid\t701\t_action\tupdate\ta\tp\tb\t2");
	line(w, "_table\tzzz\t_xid\t701\t_action\treplace\ta\ttmp");
	line(w, "_table\tzzz\t_xid\t701\t_action\tupdate\ta\tq\tb\t1");
	commit(w);
	assert_string_equal(ask(w, "SELECT * FROM zzz ORDER BY a"), "p|2\nq|1");
}

static void a_key_that_is_taken_is_refused_not_overwritten(void **state)
{
	struct world *w = *state;

	line(w, ACC);
	line(w, "_table\tacc\t_xid\t700\t_action\tinsert\tid\t1\tv\ta\tw\t0");
	line(w, "_table\tacc\t_xid\t700\t_action\tinsert\tid\t2\tv\tb\tw\t0");
	commit(w);
	line(w, "_table\tacc\t_xid\t701\t_action\treplace\tid\t1");
	line(w, "_table\tacc\t_xid\t701\t_action\tupdate\tid\t2\tv\ta\tw\t0");
	refused(w, -EEXIST, "1507507201.1 table acc: cannot change the row's key: UNIQUE");
	assert_string_equal(ask(w, "SELECT id, v FROM acc ORDER BY id"), "1|a\n2|b");
}

static void of_equal_rows_without_a_key_exactly_one_changes(void **state)
{
	struct world *w = *state;

	line(w, LOG_FULL);
	for (int i = 0; i < 3; i++)
		line(w, "_table\tlog\t_xid\t700\t_action\tinsert\tn\t1\tt\t\\N");
	commit(w);
	line(w, "_table\tlog\t_xid\t701\t_action\tdelete\tn\t1\tt\t\\N");
	line(w, "_table\tlog\t_xid\t701\t_action\treplace\tn\t1\tt\t\\N");
	line(w, "_table\tlog\t_xid\t701\t_action\tupdate\tn\t2\tt\tx");
	commit(w);
	assert_string_equal(ask(w, "SELECT * FROM log ORDER BY n"), "1|NULL\n2|x");
}

static void without_a_key_minus_zero_is_another_row_than_zero(void **state)
{
	struct world *w = *state;

	line(w, FLOAT_FULL);
	line(w, "_table\tfl\t_xid\t700\t_action\tinsert\tn\t-0\tt\ta");
	line(w, "_table\tfl\t_xid\t700\t_action\tinsert\tn\t0\tt\ta");
	line(w, "_table\tfl\t_xid\t700\t_action\tinsert\tn\t\\N\tt\tnull");
	commit(w);
	for (int i = 0; i < 2; i++)
		line(w, "_table\tfl\t_xid\t701\t_action\tdelete\tn\t0\tt\ta");
	line(w, "_table\tfl\t_xid\t701\t_action\tdelete\tn\t\\N\tt\tnull");
	commit(w);
	assert_string_equal(ask(w, "SELECT t FROM fl"), "a");
	line(w, "_table\tfl\t_xid\t702\t_action\tdelete\tn\t-0\tt\ta");
	commit(w);
	assert_string_equal(ask(w, "SELECT count(*) FROM fl"), "0");
}

/* What a deferrable primary key under FULL gives: it is not reported as pk. */
static void rows_without_a_key_may_pass_through_each_other(void **state)
{
	struct world *w = *state;

	line(w, LOG_FULL);
	line(w, "_table\tlog\t_xid\t700\t_action\tinsert\tn\t1\tt\ta");
	line(w, "_table\tlog\t_xid\t700\t_action\tinsert\tn\t2\tt\tb");
	commit(w);
	line(w, "_table\tlog\t_xid\t701\t_action\treplace\tn\t1\tt\ta");
	line(w, "_table\tlog\t_xid\t701\t_action\tupdate\tn\t2\tt\ta");
	line(w, "_table\tlog\t_xid\t701\t_action\treplace\tn\t2\tt\tb");
	line(w, "_table\tlog\t_xid\t701\t_action\tupdate\tn\t3\tt\tb");
	commit(w);
	assert_string_equal(ask(w, "SELECT * FROM log ORDER BY n"), "2|a\n3|b");
}

static void under_full_the_primary_key_finds_the_row(void **state)
{
	struct world *w = *state;

	line(w, FULL_PK);
	line(w, "_table\tfp\t_xid\t700\t_action\tinsert\tid\t1\tt\ta");
	line(w, "_table\tfp\t_xid\t700\t_action\tinsert\tid\t2\tt\tb");
	line(w, "_table\tfp\t_xid\t700\t_action\treplace\tid\t1\tt\ta");
	line(w, "_table\tfp\t_xid\t700\t_action\tupdate\tid\t1\tt\tA");
	line(w, "_table\tfp\t_xid\t700\t_action\tdelete\tid\t2\tt\tb");
	commit(w);
	assert_string_equal(ask(w, "SELECT * FROM fp"), "1|A");
}

static void without_an_identity_inserts_arrive_and_the_rest_is_said_once_and_marked(void **state)
{
	struct world *w = *state;

	line(w, NO_KEY);
	line(w, "_table\tnone\t_xid\t700\t_action\tinsert\tn\t1");
	line(w, "_table\tnone\t_xid\t700\t_action\tinsert\tn\t1");
	commit(w);
	assert_string_equal(ask(w, "SELECT inexact_since FROM _daystream_tables"), "NULL");
	line(w, "_table\tnone\t_xid\t701\t_action\tupdate\tn\t2");
	line(w, "_table\tnone\t_xid\t701\t_action\tinsert\tn\t3");
	commit(w);
	line(w, "_table\tnone\t_xid\t702\t_action\tdelete");
	commit(w);
	assert_int_equal(world_warnings, 1);
	assert_string_equal(ask(w, "SELECT count(*) FROM none"), "3");
	assert_string_equal(ask(w, "SELECT inexact_since FROM _daystream_tables"), "1507507201.0");
	world_close(w);
	world_open(w);
	line(w, "_table\tnone\t_xid\t703\t_action\tdelete");
	commit(w);
	assert_int_equal(world_warnings, 1);
	line(w, "_table\tnone\t_xid\t704\t_action\ttruncate");
	commit(w);
	assert_string_equal(ask(w, "SELECT inexact_since FROM _daystream_tables"), "NULL");
	line(w, "_table\tnone\t_xid\t705\t_action\tdelete");
	commit(w);
	assert_int_equal(world_warnings, 2);
}

static void a_mark_stays_when_the_definition_changes(void **state)
{
	struct world *w = *state;

	line(w, NO_KEY);
	line(w, "_table\tnone\t_xid\t700\t_action\tinsert\tn\t1");
	line(w, "_table\tnone\t_xid\t700\t_action\tinsert\tn\t1");
	line(w, "_table\tnone\t_xid\t700\t_action\tupdate\tn\t2");
	commit(w);
	/* Its rows do not fit the key that it has got: they came apart from PostgreSQL's. */
	line(w, "_table\tnone\t_xid\t701\t_relid\t16388\t_key\tn\t_action\tschema\tn\tnumber\\t1\\ttype\\tinteger");
	line(w, "_table\tnone\t_xid\t701\t_action\tdelete\tn\t7");
	line(w, "_table\tnone\t_xid\t701\t_action\tinsert\tn\t8");
	commit(w);
	assert_string_equal(ask(w, "SELECT inexact_since FROM _daystream_tables"), "1507507200.4");
	assert_string_equal(ask(w, "SELECT n FROM none"), "8");
}

static void a_row_that_is_not_there_is_made_only_from_a_whole_line(void **state)
{
	struct world *w = *state;

	line(w, ACC);
	line(w, "_table\tacc\t_xid\t700\t_action\tupdate\tid\t1\tv\ta\tw\tb");
	line(w, "_table\tacc\t_xid\t700\t_action\treplace\tid\t7");
	line(w, "_table\tacc\t_xid\t700\t_action\tupdate\tid\t8\tv\tc\tw\td");
	line(w, "_table\tacc\t_xid\t700\t_action\tdelete\tid\t9");
	commit(w);
	assert_string_equal(ask(w, "SELECT * FROM acc ORDER BY id"), "1|a|b\n8|c|d");
	line(w, "_table\tacc\t_xid\t701\t_action\tupdate\tid\t2\tv\ta");
	refused(w, -ENOENT, "1507507201.0 table acc: the row that this update speaks of (id 2) is not there");
}

static void a_line_that_does_not_fit_the_table_is_refused(void **state)
{
	struct world *w = *state;
	static const struct {
		const char *line, *reason;
	} bad[] = {
	    {"_table\tacc\t_xid\t701\t_action\tinsert\tid\t1\tv\ta", "does not say the whole row"},
	    {"_table\tacc\t_xid\t701\t_action\tinsert\tid\t1\tv\ta\tw\tb\tx\tc",
	     "column \"x\" that the definition has not"},
	    {"_table\tacc\t_xid\t701\t_action\tinsert\tid\t1\tv\ta\tv\tb", "\"v\" twice"},
	    {"_table\tacc\t_xid\t701\t_action\tinsert\tid\tone\tv\ta\tw\tb", "column \"id\": \"one\" is no integer"},
	    {"_table\tacc\t_xid\t701\t_action\tinsert\tid\t\\N\tv\ta\tw\tb", "column \"id\" of the key"},
	    {"_table\tacc\t_xid\t701\t_action\tinsert\tid\t1\tv\ta\tw\t\\x", "backslash"},
	    {"_table\tacc\t_xid\t701\t_action\tinsert\tid\t1\tv\ta\tw", "column \"w\""},
	    {"_table\tacc\t_xid\t701\t_action\tdelete\tv\ta", "column \"id\" of the key"},
	    {"_table\tacc\t_xid\t701\t_action\tdelete", "column \"id\" of the key"},
	    {"_table\tnew\t_xid\t701\t_action\tinsert\tid\t1", "no definition of it came before"},
	    {"_table\tnew\t_xid\t701\t_action\tschema", "docs/FORMAT.md"},
	    {"_xid\t701\t_action\tschema", "without a table"},
	    {"_xid\t701\t_action\tcommit\ttime\t1", "commit line"},
	};

	line(w, ACC);
	commit(w);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		line(w, bad[i].line);
		refused(w, -EBADMSG, bad[i].reason);
	}
	line(w, "_table\tacc\t_xid\t701\t_action\treplace\tid\t1");
	line(w, "_table\tacc\t_xid\t701\t_action\tinsert\tid\t1\tv\ta\tw\tb");
	refused(w, -EBADMSG, "a replace was not followed by its update");
	assert_string_equal(ask(w, "SELECT count(*) FROM acc"), "0");
}

/* 1,600 columns and many shapes of updates. */
static void a_table_of_1600_columns(struct world *w, const char *key)
{
	char *body = malloc(200000), *end = body;

	end += sprintf(end, "_table\twide\t_xid\t700\t_relid\t77\t_key\t%s\t_action\tschema", key);
	for (int i = 1; i <= 1600; i++)
		end += sprintf(end, "\tc%d\tnumber\\t%d\\ttype\\tinteger", i, i);
	line(w, body);
	end = body + sprintf(body, "_table\twide\t_xid\t700\t_action\tinsert");
	for (int i = 1; i <= 1600; i++)
		end += sprintf(end, "\tc%d\t%d", i, i);
	line(w, body);
	line(w, body);
	end = body + sprintf(body, "_table\twide\t_xid\t700\t_action\treplace");
	for (int i = 1; i <= 1600; i++)
		end += sprintf(end, "\tc%d\t%d", i, i);
	line(w, body);
	line(w, "_table\twide\t_xid\t700\t_action\tupdate\tc1\t-1\tc1600\t0");
	for (int i = 2; i <= 200 && *key != '*'; i++) {
		sprintf(body, "_table\twide\t_xid\t700\t_action\tupdate\tc1\t-1\tc%d\t%d", i, -i);
		line(w, body);
	}
	commit(w);
	free(body);
}

static void a_table_may_have_1600_columns(void **state)
{
	struct world *w = *state;

	a_table_of_1600_columns(w, "c1");
	assert_string_equal(ask(w, "SELECT c1, c2, c200, c201, c1600, count(*) FROM wide"), "-1|-2|-200|201|0|1");
}

static void a_table_of_1600_columns_needs_no_key(void **state)
{
	struct world *w = *state;

	a_table_of_1600_columns(w, "*");
	assert_string_equal(ask(w, "SELECT c1, c2, c1600 FROM wide ORDER BY c1"), "-1|2|0\n1|2|1600");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(the_example_of_the_talk_gives_its_table),
	    TEST(an_absent_column_is_unchanged_and_null_is_not),
	    TEST(columns_may_stand_in_any_order),
	    TEST(values_are_unescaped),
	    TEST(an_insert_of_a_row_that_is_there_takes_its_place),
	    TEST(a_key_that_the_same_transaction_frees_can_be_taken),
	    TEST(keys_can_be_exchanged),
	    TEST(a_key_that_is_taken_is_refused_not_overwritten),
	    TEST(of_equal_rows_without_a_key_exactly_one_changes),
	    TEST(without_a_key_minus_zero_is_another_row_than_zero),
	    TEST(rows_without_a_key_may_pass_through_each_other),
	    TEST(under_full_the_primary_key_finds_the_row),
	    TEST(without_an_identity_inserts_arrive_and_the_rest_is_said_once_and_marked),
	    TEST(a_mark_stays_when_the_definition_changes),
	    TEST(a_row_that_is_not_there_is_made_only_from_a_whole_line),
	    TEST(a_line_that_does_not_fit_the_table_is_refused),
	    TEST(a_table_may_have_1600_columns),
	    TEST(a_table_of_1600_columns_needs_no_key),
	};

	return cmocka_run_group_tests_name("mirror: rows", tests, NULL, NULL);
}
