/* A new mirror is built from a snapshot, as of any moment, or from one table's file. */
#include <fcntl.h>
#include <sys/wait.h>

#include "test_mirror_mount.h"

static void tables_then_overlap_then_the_stream_are_a_mirror(void **state)
{
	struct mount *m = *state;

	built(m);
	assert_false(there(m, ".building"));
	assert_false(there(m, ".building-wal"));
	assert_string_equal(asked(m, "SELECT * FROM t"), "1|one\n2|TWO");
	assert_string_equal(asked(m, "SELECT * FROM \"s.u\""), "7");
	assert_string_equal(asked(m, "SELECT epoch, seq, lsn, generation, exact, format FROM _daystream"),
	                    "1507507300|5|0/3020|1|1|2");
	assert_string_equal(asked(m, "PRAGMA journal_mode"), "wal");
}

static void only_the_wanted_tables_are_there(void **state)
{
	struct mount *m = *state;

	m->wish.tables = "t";
	built(m);
	assert_string_equal(asked(m, "SELECT name FROM _daystream_tables"), "t");
	assert_string_equal(asked(m, "SELECT * FROM t"), "1|one\n2|TWO");
}

static void a_narrowed_snapshot_is_taken_only_where_it_is_enough(void **state)
{
	struct mount *m = *state;

	m->manifest.tables = "t";
	m->manifest.list = &m->tables[1];
	m->manifest.count = 1;
	write_manifest(m);
	m->wish.tables = "t";
	built(m);
	assert_string_equal(asked(m, "SELECT exact FROM _daystream"), "1");
	sqlite3_close(m->sqlite);
	m->sqlite = NULL;
	unlink(m->db);
	m->wish.tables = NULL;
	built(m); /* from the stream's beginning, which is empty here */
	assert_string_equal(asked(m, "SELECT exact, epoch FROM _daystream"), "0|NULL");
}

/* One of them gets a name that is in the stream. */
static void tables_that_the_snapshot_leaves_out_are_known(void **state)
{
	struct mount *m = *state;

	m->manifest.existing = "16384 16999 17000";
	write_manifest(m);
	stream_line(&m->stream, "_table\tlater\t_xid\t771\t_relid\t17000\t_key\tid\t_action\tschema\t"
	                        "id\tnumber\\t1\\ttype\\tinteger\\tpk\\t1");
	stream_line(&m->stream, "_table\tlater\t_xid\t771\t_action\tinsert\tid\t1");
	stream_commit(&m->stream);
	folder_write(m->dir, "since/1507507300/3/live", m->stream.text, m->stream.len);
	built(m);
	assert_string_equal(asked(m, "SELECT name, inexact_since FROM _daystream_tables ORDER BY 1"),
	                    "later|1507507301.0\ns.u|NULL\nt|NULL");
	assert_string_equal(asked(m, "SELECT relid FROM _daystream_absent"), "16999");
}

static void a_snapshot_of_another_generation_is_not_taken(void **state)
{
	struct mount *m = *state;

	folder_write(m->dir, "status", "generation\t2\nsnapshots\toff\n", 27);
	built(m);
	assert_string_equal(asked(m, "SELECT exact, epoch FROM _daystream"), "0|NULL");
}

static void a_snapshot_that_is_about_to_come_is_waited_for(void **state)
{
	struct mount *m = *state;
	char from[100], to[100];

	folder_write(m->dir, "status", "generation\t1\nsnapshots\tauto\n", 28);
	snprintf(from, sizeof from, "%s/snapshots", m->dir);
	snprintf(to, sizeof to, "%s/not-yet", m->dir);
	assert_int_equal(rename(from, to), 0);
	pid_t child = fork();
	if (child == 0) {
		usleep(700000);
		_exit(rename(to, from) < 0);
	}
	built(m);
	waitpid(child, NULL, 0);
	assert_string_equal(asked(m, "SELECT exact FROM _daystream"), "1");
	assert_string_equal(asked(m, "SELECT * FROM t"), "1|one\n2|TWO");
}

/* A daemon that is being started again: nothing can be asked. */
static void a_mount_that_is_away_is_not_one_without_snapshots(void **state)
{
	struct mount *m = *state;
	char from[100], to[100], status[100];

	snprintf(from, sizeof from, "%s/snapshots", m->dir);
	snprintf(to, sizeof to, "%s/not-yet", m->dir);
	snprintf(status, sizeof status, "%s/status", m->dir);
	assert_int_equal(rename(from, to), 0);
	unlink(status);
	assert_int_equal(mkdir(status, 0700), 0); /* it opens, and cannot be read */
	not_built(m, -ENOTCONN, "cannot be read now");
	assert_true(rename(to, from) == 0 && rmdir(status) == 0);
	built(m);
	assert_string_equal(asked(m, "SELECT * FROM t"), "1|one\n2|TWO");
}

static void what_an_interrupted_building_left_is_thrown_away(void **state)
{
	struct mount *m = *state;

	folder_write(m->dir, "m.sqlite.building", "half of something", 17);
	folder_write(m->dir, "m.sqlite.building-wal", "and its WAL", 11);
	built(m);
	assert_string_equal(asked(m, "SELECT count(*) FROM t"), "2");
	assert_false(there(m, ".building-wal"));
}

/* Whoever removed a database, and not its WAL, would find the new one's pages overwritten by it. */
static void a_wal_that_another_database_left_is_not_taken_for_the_new_ones(void **state)
{
	struct mount *m = *state;
	char wal[100], left[100];

	built(m);
	asked(m, "SELECT count(*) FROM t");
	assert_int_equal(sqlite3_exec(m->sqlite, "UPDATE t SET v = 'old'; DELETE FROM \"s.u\"", NULL, NULL, NULL),
	                 SQLITE_OK);
	snprintf(wal, sizeof wal, "%s-wal", m->db);
	snprintf(left, sizeof left, "%s-left", m->db);
	assert_int_equal(link(wal, left), 0);
	sqlite3_close(m->sqlite);
	m->sqlite = NULL;
	assert_int_equal(unlink(m->db), 0);
	assert_int_equal(rename(left, wal), 0);
	built(m);
	assert_string_equal(asked(m, "SELECT count(*) FROM \"s.u\""), "1");
	assert_string_equal(asked(m, "SELECT * FROM t"), "1|one\n2|TWO");
}

static void what_another_process_builds_is_let_be(void **state)
{
	struct mount *m = *state;
	struct mirror other;

	assert_int_equal(build_beside(&other, &m->wish, "/dev/null/none", &m->err), -ENOTDIR);
	mirror_close(&other);
	char path[100];
	snprintf(path, sizeof path, "%s.building", m->db);
	assert_int_equal(build_beside(&other, &m->wish, path, &m->err), 0);
	assert_int_equal(build_new(&m->wish, &m->err), -EBUSY);
	assert_true(there(m, ".building"));
	mirror_close(&other);
	built(m);
}

static void what_a_link_leads_to_is_not_emptied(void **state)
{
	struct mount *m = *state;
	char aim[100], path[100], read[20] = "";

	snprintf(aim, sizeof aim, "%s/precious", m->dir);
	snprintf(path, sizeof path, "%s.building", m->db);
	folder_write(m->dir, "precious", "stays", 5);
	for (int hard = 0; hard < 2; hard++) {
		assert_int_equal(hard ? link(aim, path) : symlink(aim, path), 0);
		assert_int_equal(build_new(&m->wish, &m->err), -EEXIST);
		assert_non_null(strstr(m->err.text, ".building"));
		int fd = open(aim, O_RDONLY);
		assert_int_equal(pread(fd, read, sizeof read, 0), 5);
		assert_string_equal(read, "stays");
		close(fd);
		unlink(path);
	}
}

static void damage_in_a_snapshot_is_noticed(void **state)
{
	struct mount *m = *state;
	const char *whole = T_SCHEMA T_INSERT("1", "one") T_INSERT("2", "two") T_INSERT("3", "three");
	char text[1000];

	folder_write(m->dir, "snapshots/1507507300.3/tables/t", whole, strlen(whole) - 1);
	not_built(m, -EBADMSG, "bytes, its manifest says");
	snprintf(text, sizeof text, "%s", whole);
	strstr(text, "two")[0] = 'T';
	folder_write(m->dir, "snapshots/1507507300.3/tables/t", text, strlen(text));
	not_built(m, -EBADMSG, "is damaged: its crc");
	folder_write(m->dir, "snapshots/1507507300.3/tables/t", whole, strlen(whole));
	strstr(m->overlap.text, "TWO")[0] = 't';
	folder_write(m->dir, "snapshots/1507507300.3/overlap", m->overlap.text, m->overlap.len);
	not_built(m, -EBADMSG, "overlap: the transaction that commits at 1507507250.1 is damaged");
	strstr(m->overlap.text, "tWO")[0] = 'T';
	folder_write(m->dir, "snapshots/1507507300.3/overlap", m->overlap.text,
	             (size_t)(strstr(m->overlap.text, "_c\t1507507300") - m->overlap.text));
	not_built(m, -EBADMSG, "ends before the transaction that marks the snapshot");
	folder_write(m->dir, "snapshots/1507507300.3/manifest", "snapshot\t", 9);
	not_built(m, -EBADMSG, "manifest");
}

static void a_file_that_is_not_there_is_damage(void **state)
{
	struct mount *m = *state;
	char path[200];

	snprintf(path, sizeof path, "%s/snapshots/1507507300.3/tables/t", m->dir);
	unlink(path);
	not_built(m, -EBADMSG, "tables/t");
}

/* ---- as of a moment */

/* Whom nobody waits for goes on: the tables will not change for ever. */
static void who_follows_begins_anew_as_often_as_it_takes(void **state)
{
	struct mount *m = *state;
	struct build_tries tries = {.count = 9, .changed = 9};

	err_set(&m->err, 0, "table t was dropped or renamed while it was copied");
	assert_int_equal(build_again(&tries, &m->wish, -ESTALE, &m->err), -ESTALE);
	m->wish.once = false;
	assert_int_equal(build_again(&tries, &m->wish, -ESTALE, &m->err), 0);
	assert_int_equal(build_again(&tries, &m->wish, -ESTALE, &m->err), 0);
	assert_true(tries.pause_ms > 500); /* each attempt may have copied much */
	assert_int_equal(build_again(&tries, &m->wish, -EBADMSG, &m->err), -EBADMSG);
}

/* Files that do not belong together: the snapshot is older than what the stream has kept. */
static void a_stream_that_never_goes_on_from_the_copy_is_an_error(void **state)
{
	static const char origin[] = "_c\t1507507400\t_s\t0\t_action\torigin\tsystem\t7123\ttimeline\t1\tdatabase\tbank"
	                             "\tslot\tdaystream\tgeneration\t1\n";
	struct mount *m = *state;
	char since[100];

	snprintf(since, sizeof since, "%s/since/1507507300/3/live", m->dir);
	unlink(since);
	folder_write(m->dir, "live", origin, sizeof origin - 1);
	not_built(m, -ESTALE, "begins at 1507507400.0; `daystream snapshot`");
}

static void each_new_reason_of_a_wait_is_said_once(void **state)
{
	struct mount *m = *state;
	struct build_tries tries = {0};
	char path[100], said[1000] = "";
	int saved = dup(STDERR_FILENO);

	snprintf(path, sizeof path, "%s/said", m->dir);
	int fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_true(saved >= 0 && fd >= 0 && dup2(fd, STDERR_FILENO) >= 0);
	m->wish.once = false;
	static const char *const reasons[] = {"it is away", "it is away", "the password is wrong"};
	for (size_t i = 0; i < 3; i++) {
		err_set(&m->err, 0, "%s", reasons[i]);
		assert_int_equal(build_again(&tries, &m->wish, -ENOTCONN, &m->err), 0);
	}
	dup2(saved, STDERR_FILENO);
	close(saved);
	assert_true(pread(fd, said, sizeof said - 1, 0) > 0);
	close(fd);
	char *first = strstr(said, reasons[0]);
	assert_non_null(first);
	assert_null(strstr(first + 1, reasons[0]));
	assert_non_null(strstr(first, reasons[2]));
}

static void wish_until(struct mount *m, struct until *until, const char *text)
{
	*until = (struct until){.text = text};
	if (moment_parse(&until->moment, text, &m->err) < 0)
		fail_msg("%s", m->err.text);
	m->wish.until = until;
}

/* The marker commits at 1507507300.2, LSN 0/2F80; what follows at 1507507300.5, LSN 0/3020. */
static void it_ends_with_the_last_commit_that_belongs_to_it(void **state)
{
	static const char *const cases[][3] = {
	    {"1507507300.2", "1507507300|2", "1|one\n2|TWO\n3|three"},
	    {"1507507300.3", "1507507300|2", "1|one\n2|TWO\n3|three"},
	    {"1507507300.4", "1507507300|2", "1|one\n2|TWO\n3|three"},
	    {"1507507300.5", "1507507300|5", "1|one\n2|TWO"},
	    {"0/2F80", "1507507300|2", "1|one\n2|TWO\n3|three"},
	    {"0/301F", "1507507300|2", "1|one\n2|TWO\n3|three"},
	    {"0/3020", "1507507300|5", "1|one\n2|TWO"},
	    {"2017-10-09 00:01:40.5 UTC", "1507507300|5", "1|one\n2|TWO"},
	};
	struct mount *m = *state;
	struct until until;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		wish_until(m, &until, cases[i][0]);
		built(m);
		assert_string_equal(asked(m, "SELECT epoch, seq FROM _daystream"), cases[i][1]);
		assert_string_equal(asked(m, "SELECT * FROM t"), cases[i][2]);
		assert_string_equal(asked(m, "SELECT exact FROM _daystream"), "1");
		sqlite3_close(m->sqlite);
		m->sqlite = NULL;
		unlink(m->db);
	}
}

static void what_is_older_than_all_there_is_is_told_the_oldest(void **state)
{
	static const char *const cases[] = {"1507507300.1", "0/2F7F", "2017-10-09 00:01:40 UTC"};
	struct mount *m = *state;
	struct until until;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		wish_until(m, &until, cases[i]);
		not_built(m, -ERANGE,
		          "the oldest possible --until is 1507507300.2, or a time after 2017-10-09 00:01:40+00");
	}
}

static void the_stream_will_do_only_from_where_its_generation_began(void **state)
{
	struct mount *m = *state;
	struct stream live;
	struct until until;

	stream_init(&live, 1507507100);
	stream_origin(&live, 1);
	stream_line(&live, "_table\tt\t_xid\t700\t_action\tinsert\tid\t1");
	stream_commit(&live);
	folder_write(m->dir, "live", live.text, live.len);
	wish_until(m, &until, "1507507200.0");
	not_built(m, -ERANGE, "the oldest possible --until is 1507507300.2, ");
	stream_fini(&live);

	stream_init(&live, 1507507100);
	stream_origin(&live, 1);
	stream_commit(&live);
	folder_write(m->dir, "live", live.text, live.len);
	built(m);
	assert_string_equal(asked(m, "SELECT epoch, seq, exact FROM _daystream"), "1507507100|1|0");
	sqlite3_close(m->sqlite);
	m->sqlite = NULL;
	unlink(m->db);
	wish_until(m, &until, "1507507100.0");
	not_built(m, -ERANGE, "the oldest possible --until is 1507507100.1, ");
	stream_fini(&live);
}

/* Nobody knows what was committed between two of them. */
static void it_does_not_reach_into_another_generation(void **state)
{
	struct mount *m = *state;
	struct until until;

	stream_origin(&m->stream, 2);
	stream_commit(&m->stream);
	folder_write(m->dir, "since/1507507300/3/live", m->stream.text, m->stream.len);
	wish_until(m, &until, "2017-10-09 01:00 UTC");
	not_built(m, -ESTALE, "here begins generation 2");
	wish_until(m, &until, "1507507300.5");
	built(m);
	assert_string_equal(asked(m, "SELECT epoch, seq FROM _daystream"), "1507507300|5");
}

/* ---- one table's file */

static void one_tables_file_is_a_mirror_of_that_table(void **state)
{
	struct mount *m = *state;
	const char *lines = "_c\t1507507300\t_s\t3\t_table\tt\t_xid\t770\t_action\tdelete\tid\t3\n";

	m->wish.source.table = "t";
	folder_write(m->dir, "since/1507507300/3/tables/t", lines, strlen(lines));
	built(m);
	assert_string_equal(asked(m, "SELECT * FROM t"), "1|one\n2|TWO");
	assert_string_equal(asked(m, "SELECT name FROM _daystream_tables"), "t");
	assert_string_equal(asked(m, "SELECT epoch, seq, lsn, table_file FROM _daystream"), "1507507300|3|NULL|t");
	/* It goes on from there. */
	lines = "_c\t1507507301\t_s\t9\t_table\tt\t_xid\t780\t_action\tinsert\tid\t4\tv\tfour\n";
	folder_write(m->dir, "since/1507507300/4/tables/t", lines, strlen(lines));
	struct mirror mirror;
	opened(m, &mirror);
	assert_int_equal(mirror_run(&mirror, &(struct mirror_goal){.end = true}, &m->err), 0);
	mirror_close(&mirror);
	assert_string_equal(asked(m, "SELECT group_concat(v) FROM t"), "one,TWO,four");
}

static void a_copied_file_is_read_from_its_first_line(void **state)
{
	struct mount *m = *state;
	const char *lines = "_c\t1507507200\t_s\t1\t" T_SCHEMA
	                    "_c\t1507507200\t_s\t5\t_table\tt\t_xid\t700\t_action\tinsert\tid\t1\tv\ta\n"
	                    "_c\t1507507200\t_s\t7\t_table\tt\t_xid\t700\t_action\tinsert\tid\t2\tv\tb\n"
	                    "_c\t1507507201\t_s\t0\t_table\tt\t_xid\t701\t_action\tdelete\tid\t1\n";
	char path[100];
	struct mirror mirror;

	snprintf(path, sizeof path, "%s/copy", m->dir);
	folder_write(m->dir, "copy", lines, strlen(lines));
	m->wish.source = (struct follow_source){.file = path, .table = "t"};
	built(m);
	assert_string_equal(asked(m, "SELECT * FROM t"), "2|b");
	opened(m, &mirror);
	assert_int_equal(mirror_run(&mirror, &(struct mirror_goal){.end = true}, &m->err), 0);
	mirror_close(&mirror);
	assert_string_equal(asked(m, "SELECT * FROM t"), "2|b");
	assert_string_equal(asked(m, "SELECT epoch, seq, exact FROM _daystream"), "1507507201|0|0");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, mount_setup, mount_teardown)
	const struct CMUnitTest tests[] = {
	    TEST(tables_then_overlap_then_the_stream_are_a_mirror),
	    TEST(only_the_wanted_tables_are_there),
	    TEST(a_narrowed_snapshot_is_taken_only_where_it_is_enough),
	    TEST(tables_that_the_snapshot_leaves_out_are_known),
	    TEST(a_snapshot_of_another_generation_is_not_taken),
	    TEST(a_snapshot_that_is_about_to_come_is_waited_for),
	    TEST(a_mount_that_is_away_is_not_one_without_snapshots),
	    TEST(what_an_interrupted_building_left_is_thrown_away),
	    TEST(a_wal_that_another_database_left_is_not_taken_for_the_new_ones),
	    TEST(what_another_process_builds_is_let_be),
	    TEST(what_a_link_leads_to_is_not_emptied),
	    TEST(damage_in_a_snapshot_is_noticed),
	    TEST(a_file_that_is_not_there_is_damage),
	    TEST(who_follows_begins_anew_as_often_as_it_takes),
	    TEST(a_stream_that_never_goes_on_from_the_copy_is_an_error),
	    TEST(each_new_reason_of_a_wait_is_said_once),
	    TEST(it_ends_with_the_last_commit_that_belongs_to_it),
	    TEST(what_is_older_than_all_there_is_is_told_the_oldest),
	    TEST(the_stream_will_do_only_from_where_its_generation_began),
	    TEST(it_does_not_reach_into_another_generation),
	    TEST(one_tables_file_is_a_mirror_of_that_table),
	    TEST(a_copied_file_is_read_from_its_first_line),
	};

	return cmocka_run_group_tests_name("mirror: build", tests, NULL, NULL);
}
