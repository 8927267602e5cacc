/* Transactions of the stream become transactions of the mirror. */
#include "test_mirror_stream.h"

/* A mirror that began with all rows. */
static void make_exact(struct world *w)
{
	struct origin origin = {
	    .system = 7123, .timeline = 1, .generation = 1, .database = "bank", .slot = "daystream"};

	if (apply_refill(w->apply, &origin, &w->err) < 0 || apply_refilled(w->apply, &w->err) < 0 ||
	    apply_commit(w->apply, &w->err) < 0)
		fail_msg("%s", w->err.text);
}

static void where_all_rows_are_known_a_missing_one_is_an_error(void **state)
{
	struct world *w = *state;
	static const char *const bad[][2] = {
	    {"_table\tacc\t_xid\t701\t_action\tdelete\tid\t9", "delete speaks of (id 9) is not there"},
	    {"_table\tacc\t_xid\t701\t_action\tupdate\tid\t9\tv\ta\tw\tb", "update speaks of (id 9) is not there"},
	    {"_table\tlog\t_xid\t701\t_action\tdelete\tn\t1\tt\t\\N", "(n 1, t \\N) is not there"}};

	make_exact(w);
	assert_string_equal(ask(w, "SELECT exact FROM _daystream"), "1");
	line(w, ACC);
	line(w, LOG_FULL);
	line(w, "_table\tacc\t_xid\t700\t_action\tinsert\tid\t1\tv\ta\tw\tb");
	line(w, "_table\tacc\t_xid\t700\t_action\tupdate\tid\t1\tv\tA\tw\tb");
	commit(w);
	world_close(w);
	world_open(w);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		line(w, bad[i][0]);
		refused(w, -ENOENT, bad[i][1]);
		assert_non_null(strstr(w->err.text, i < 2 ? "--resync=acc" : "--resync=log"));
	}
	assert_int_equal(world_warnings, 0);
	/* Which are brought anew meanwhile. */
	assert_int_equal(apply_tolerate(w->apply, "acc,log", &w->err), 0);
	line(w, bad[0][0]);
	line(w, bad[2][0]);
	commit(w);
	assert_int_equal(world_warnings, 2);
	assert_string_equal(ask(w, "SELECT count(inexact_since) FROM _daystream_tables"), "2");
	assert_string_equal(ask(w, "SELECT * FROM acc"), "1|A|b");
}

/* Of a marked table, rows that do not fit are passed over; rows that stay where all have gone are not. */
static void a_truncate_that_somebodys_trigger_refuses_is_not_passed_over(void **state)
{
	struct world *w = *state;

	make_exact(w);
	line(w, ACC);
	line(w, "_table\tacc\t_xid\t700\t_action\tinsert\tid\t1\tv\ta\tw\tb");
	assert_int_equal(apply_tolerate(w->apply, "acc", &w->err), 0);
	line(w, "_table\tacc\t_xid\t700\t_action\tdelete\tid\t9");
	commit(w);
	assert_string_equal(ask(w, "SELECT count(inexact_since) FROM _daystream_tables"), "1");
	ask(w, "CREATE TRIGGER keeps BEFORE DELETE ON acc BEGIN SELECT raise(ABORT, 'they stay'); END");
	line(w, "_table\tacc\t_xid\t701\t_action\ttruncate");
	refused(w, -EEXIST, "they stay");
	assert_non_null(strstr(w->err.text, "--resync=acc"));
	assert_string_equal(ask(w, "SELECT id FROM acc"), "1");
}

static void a_row_by_which_somebodys_trigger_undoes_all_is_not_passed_over(void **state)
{
	struct world *w = *state;

	make_exact(w);
	line(w, ACC);
	line(w, ZZZ);
	assert_int_equal(apply_tolerate(w->apply, "acc", &w->err), 0);
	line(w, "_table\tacc\t_xid\t700\t_action\tdelete\tid\t9");
	commit(w);
	ask(w, "CREATE TRIGGER keeps BEFORE INSERT ON acc BEGIN SELECT raise(ROLLBACK, 'not one more'); END");
	line(w, "_table\tzzz\t_xid\t701\t_action\tinsert\ta\tx\tb\t1");
	line(w, "_table\tacc\t_xid\t701\t_action\tinsert\tid\t1\tv\ta\tw\tb");
	refused(w, -EEXIST, "not one more");
	assert_non_null(strstr(w->err.text, "--resync=acc"));
	assert_string_equal(ask(w, "SELECT count(*), (SELECT epoch FROM _daystream) FROM zzz"), "0|1507507200");
}

static void a_mirror_of_one_tables_file_stands_at_the_last_line(void **state)
{
	struct world *w = *state;
	struct database_want want = {.table_file = "zzz", .stop_fd = -1};

	world_close(w);
	unlink(w->path);
	assert_int_equal(database_open(&w->database, w->path, &want, &w->err), 0);
	assert_int_equal(apply_open(&w->apply, &w->database, "zzz", 0, world_warn, &w->err), 0);
	w->fed = w->stream.len;
	line(w, ZZZ);
	line(w, "_table\tzzz\t_xid\t700\t_action\tinsert\ta\tx\tb\t1");
	assert_int_equal(world_feed(w), 0);
	assert_false(apply_in_transaction(w->apply));
	assert_int_equal(apply_commit(w->apply, &w->err), 0);
	assert_string_equal(ask(w, "SELECT epoch, seq, lsn, table_file, tables FROM _daystream"),
	                    "1507507200|2|NULL|zzz|NULL");
	world_close(w);
	assert_int_equal(database_open(&w->database, w->path, &(struct database_want){.stop_fd = -1}, &w->err),
	                 -EINVAL);
	assert_non_null(strstr(w->err.text, "table zzz alone"));
	database_close(&w->database);
	unlink(w->path);
	world_open(w);
	world_close(w);
	assert_int_equal(database_open(&w->database, w->path, &want, &w->err), -EINVAL);
	assert_non_null(strstr(w->err.text, "a whole stream"));
}

static void truncate_empties_its_table_only(void **state)
{
	struct world *w = *state;

	line(w, ZZZ);
	line(w, ACC);
	line(w, "_table\tzzz\t_xid\t700\t_action\tinsert\ta\tx\tb\t1");
	line(w, "_table\tacc\t_xid\t700\t_action\tinsert\tid\t1\tv\ta\tw\t0");
	line(w, "_table\tzzz\t_xid\t700\t_action\ttruncate");
	commit(w);
	assert_string_equal(ask(w, "SELECT (SELECT count(*) FROM zzz), (SELECT count(*) FROM acc)"), "0|1");
}

static void what_is_not_committed_is_gone_after_a_rollback_or_a_restart(void **state)
{
	struct world *w = *state;

	line(w, ZZZ);
	line(w, "_table\tzzz\t_xid\t700\t_action\tinsert\ta\tx\tb\t1");
	commit(w);
	line(w, ACC);
	line(w, "_table\tzzz\t_xid\t701\t_action\tinsert\ta\ty\tb\t1");
	assert_int_equal(world_feed(w), 0);
	assert_true(apply_in_transaction(w->apply));
	assert_int_equal(apply_commit(w->apply, &w->err), -EINVAL);
	assert_int_equal(apply_rollback(w->apply, &w->err), 0);
	assert_string_equal(ask(w, "SELECT group_concat(a) FROM zzz"), "x");
	line(w, "_table\tzzz\t_xid\t701\t_action\tinsert\ta\tz\tb\t1");
	assert_int_equal(world_feed(w), 0);
	world_close(w);
	world_open(w);
	assert_string_equal(ask(w, "SELECT group_concat(a) FROM zzz"), "x");
	assert_true(w->database.has_position);
	assert_int_equal(w->database.position.epoch, 1507507200);
	line(w, "_table\tzzz\t_xid\t701\t_action\tinsert\ta\tz\tb\t1");
	commit(w);
	assert_string_equal(ask(w, "SELECT group_concat(a) FROM zzz"), "x,z");
}

static void heads_of_segments_change_nothing(void **state)
{
	struct world *w = *state;

	line(w, ZZZ);
	line(w, "_table\tzzz\t_xid\t700\t_action\tinsert\ta\tx\tb\t1");
	commit(w);
	const char *cookie = ask(w, "PRAGMA schema_version");
	char before[20];
	snprintf(before, sizeof before, "%s", cookie);
	stream_origin(&w->stream, 1);
	line(w, "_table\tzzz\t_relid\t16384\t_key\ta\t_"
	        "action\tschema\ta\tnumber\\t1\\ttype\\ttext\\tpk\\t1\tb\tnumber\\t2\\ttype\\ttext");
	assert_int_equal(world_feed(w), 0);
	assert_false(apply_in_transaction(w->apply));
	line(w, "_table\tzzz\t_xid\t701\t_action\tinsert\ta\ty\tb\t1");
	commit(w);
	assert_string_equal(ask(w, "PRAGMA schema_version"), before);
	assert_string_equal(ask(w, "SELECT group_concat(a) FROM zzz"), "x,y");
}

static void another_generation_or_another_source_stops_it(void **state)
{
	struct world *w = *state;

	line(w, ZZZ);
	commit(w);
	apply_caught_up(w->apply);
	stream_origin(&w->stream, 2);
	refused(w, -ESTALE, "generation 2");
	line(w, "_action\torigin\tsystem\t99\ttimeline\t1\tdatabase\tbank\tslot\ts\tgeneration\t1");
	refused(w, -ESTALE, "system 99");
	line(w, "_action\torigin\tsystem\t7123\ttimeline\t2\tdatabase\tbank\tslot\ts\tgeneration\t1");
	line(w, "_xid\t701\t_action\tmessage\tprefix\tp\tcontent\tc");
	commit(w);
	assert_string_equal(ask(w, "SELECT generation, timeline FROM _daystream"), "1|2");
}

static void a_new_mirror_takes_the_newest_generation_of_a_store(void **state)
{
	struct world *w = *state;

	line(w, ZZZ);
	line(w, "_table\tzzz\t_xid\t700\t_action\tinsert\ta\told\tb\tx");
	commit(w);
	stream_origin(&w->stream, 2);
	line(w, ZZZ);
	line(w, "_table\tzzz\t_xid\t700\t_action\tinsert\ta\tnew\tb\tx");
	commit(w);
	assert_string_equal(ask(w, "SELECT generation FROM _daystream"), "2");
	assert_string_equal(ask(w, "SELECT a FROM zzz"), "new");
}

static void generations_that_are_over_are_passed_over_whatever_is_in_them(void **state)
{
	struct world *w = *state;

	apply_close(w->apply);
	assert_int_equal(apply_open(&w->apply, &w->database, NULL, 2, world_warn, &w->err), 0);
	line(w, "_table\tkeyless\t_xid\t700\t_relid\t16500\t_key\t\\N\t_action\tschema\ta\tnumber\\t1\\ttype\\ttext");
	line(w, "_table\tkeyless\t_xid\t700\t_action\tupdate\ta\tnowhere to put it");
	commit(w);
	stream_origin(&w->stream, 2);
	line(w, ZZZ);
	line(w, "_table\tzzz\t_xid\t700\t_action\tinsert\ta\tnew\tb\tx");
	commit(w);
	assert_string_equal(ask(w, "SELECT generation FROM _daystream"), "2");
	assert_string_equal(ask(w, "SELECT count(*) FROM _daystream_tables"), "1");
}

static void a_stream_that_does_not_begin_with_its_origin_is_refused(void **state)
{
	struct world *w = *state;

	w->fed = w->stream.len;
	line(w, ZZZ);
	refused(w, -EBADMSG, "origin");
}

static void unknown_actions_are_passed_over_with_one_warning(void **state)
{
	struct world *w = *state;

	line(w, ZZZ);
	line(w, "_table\tzzz\t_xid\t700\t_action\tnova\ta\t1");
	line(w, "_xid\t700\t_action\tsuper\ta\t1");
	line(w, "_xid\t700\t_action\tmessage\tprefix\tp\tcontent\tc");
	commit(w);
	assert_int_equal(world_warnings, 1);
}

/* Of no transaction; whoever may write messages into the stream cannot write this one. */
#define NOTE(tables, existing)                                                                                         \
	"_action\tmessage\tprefix\tdaystream\tcontent\ttables\\t" tables "\\texisting\\t" existing

static const char *marked(struct world *w)
{
	return ask(w, "SELECT group_concat(name) FROM _daystream_tables WHERE inexact_since IS NOT NULL");
}

static void define_late(struct world *w, const char *name, unsigned relid)
{
	char text[200];

	snprintf(text, sizeof text,
	         "_table\t%s\t_xid\t700\t_relid\t%u\t_key\ta\t_action\tschema\ta\tnumber\\t1\\ttype\\ttext", name,
	         relid);
	line(w, text);
}

static void tables_that_the_stream_leaves_out_are_marked_and_so_are_those_that_come_back(void **state)
{
	struct world *w = *state;

	line(w, ZZZ);
	line(w, ACC);
	line(w, "_table\tacc\t_xid\t700\t_action\tinsert\tid\t1\tv\ta\tw\t0");
	line(w, "_xid\t700\t" NOTE("zzz", ""));
	commit(w);
	assert_string_equal(marked(w), "NULL");
	line(w, NOTE("other,zzz", "77 16384 99"));
	line(w, "_table\tzzz\t_xid\t701\t_action\tinsert\ta\tx\tb\t1");
	assert_int_equal(world_feed(w), 0);
	assert_int_equal(apply_rollback(w->apply, &w->err), 0);
	assert_string_equal(marked(w), "NULL");
	line(w, NOTE("other,zzz", "77 16384 99"));
	line(w, "_table\tzzz\t_xid\t701\t_action\tinsert\ta\tx\tb\t1");
	commit(w);
	assert_string_equal(marked(w), "acc");
	assert_int_equal(world_warnings, 2); /* one of them was undone */
	world_close(w);
	world_open(w);
	define_late(w, "made", 100);
	define_late(w, "was_there", 99);
	line(w, NOTE("", ""));
	commit(w);
	assert_string_equal(marked(w), "was_there,acc");
	line(w, "_table\twas_there\t_xid\t701\t_action\ttruncate");
	line(w, NOTE("bad,,list", ""));
	assert_int_equal(world_feed(w), -EBADMSG);
}

static void tables_that_the_list_leaves_out_are_not_there(void **state)
{
	struct world *w = *state;

	world_close(w);
	unlink(w->path);
	w->tables = "s.zzz";
	world_open(w);
	line(w, ZZZ);
	line(w, "_schema\ts\t_table\tzzz\t_xid\t700\t_relid\t9\t_key\ta\t_action\tschema\ta\tnumber\\t1\\ttype\\ttext");
	line(w, "_table\tzzz\t_xid\t700\t_action\treplace\twhatever\tx");
	line(w, "_table\tzzz\t_xid\t700\t_action\tupdate\twhatever\tx");
	line(w, "_table\tunheard\t_xid\t700\t_action\tinsert\ta\tx");
	line(w, "_schema\ts\t_table\tzzz\t_xid\t700\t_action\tinsert\ta\tx");
	commit(w);
	assert_string_equal(ask(w, "SELECT name FROM _daystream_tables"), "s.zzz");
	assert_string_equal(ask(w, "SELECT * FROM \"s.zzz\""), "x");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(where_all_rows_are_known_a_missing_one_is_an_error),
	    TEST(a_truncate_that_somebodys_trigger_refuses_is_not_passed_over),
	    TEST(a_row_by_which_somebodys_trigger_undoes_all_is_not_passed_over),
	    TEST(a_mirror_of_one_tables_file_stands_at_the_last_line),
	    TEST(truncate_empties_its_table_only),
	    TEST(what_is_not_committed_is_gone_after_a_rollback_or_a_restart),
	    TEST(heads_of_segments_change_nothing),
	    TEST(another_generation_or_another_source_stops_it),
	    TEST(a_new_mirror_takes_the_newest_generation_of_a_store),
	    TEST(generations_that_are_over_are_passed_over_whatever_is_in_them),
	    TEST(a_stream_that_does_not_begin_with_its_origin_is_refused),
	    TEST(unknown_actions_are_passed_over_with_one_warning),
	    TEST(tables_that_the_stream_leaves_out_are_marked_and_so_are_those_that_come_back),
	    TEST(tables_that_the_list_leaves_out_are_not_there),
	};

	return cmocka_run_group_tests_name("mirror: apply", tests, NULL, NULL);
}
