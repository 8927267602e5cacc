/* The one writer: positions, segments, definitions, idle WAL. */
#include <fcntl.h>
#include <sys/stat.h>

#include "append.h"
#include "crc32c.h"
#include "outline.h"

/* ---- positions ---------------------------------------------------------- */

static void a_transaction_has_the_second_of_its_commit(void **state)
{
	struct fixture *f = *state;

	fixture_put(f, fixture_second + 5, "zzz", "1");
	shows(f, ORIGIN "1507507205.0 insert zzz\n1507507205.1 commit\n");
}

static void transactions_of_one_second_are_numbered_on(void **state)
{
	struct fixture *f = *state;

	fixture_put(f, fixture_second, "zzz", "1");
	fixture_put(f, fixture_second, "zzz", "2");
	shows(f, ORIGIN "1507507200.2 insert zzz\n1507507200.3 commit\n1507507200.4 insert zzz\n1507507200.5 commit\n");
}

static void a_commit_older_than_the_line_before_takes_its_second(void **state)
{
	struct fixture *f = *state;

	fixture_put(f, fixture_second + 5, "zzz", "1");
	fixture_put(f, fixture_second + 3, "zzz", "2");
	fixture_put(f, 0, "zzz", "3");
	fixture_put(f, fixture_second + 6, "zzz", "4");
	shows(f, ORIGIN "1507507205.0 insert zzz\n1507507205.1 commit\n1507507205.2 insert zzz\n1507507205.3 commit\n"
	                "1507507205.4 insert zzz\n1507507205.5 commit\n1507507206.0 insert zzz\n1507507206.1 commit\n");
}

static void positions_go_on_behind_a_reopening(void **state)
{
	struct fixture *f = *state;

	fixture_put(f, fixture_second, "zzz", "1");
	reopen(f, FIXTURE_SEGMENT);
	fixture_put(f, fixture_second, "zzz", "2");
	shows(f, ORIGIN "1507507200.2 insert zzz\n1507507200.3 commit\n1507507200.4 insert zzz\n1507507200.5 commit\n");
}

static void sums_cover_all_since_the_last_commit(struct fixture *f)
{
	size_t len;
	char *text = fixture_shown(f->store, &len), *crc = text, *from = text;

	for (int i = 0; (crc = strstr(crc, "\tcrc\t")); i++) {
		char digits[16];
		snprintf(digits, sizeof digits, "%08x\n", crc32c(0, from, (size_t)(crc + 1 - from)));
		assert_memory_equal(crc + 5, digits, 9);
		from = crc = crc + 5 + 9;
	}
	assert_ptr_equal(from, text + len);
	free(text);
}

static void the_checksum_covers_all_since_the_last_commit(void **state)
{
	struct fixture *f = *state;

	fixture_begin(f, fixture_second + 1);
	for (int i = 0; i < 3; i++)
		fixture_insert(f, "zzz", "some value");
	fixture_commit(f);
	fixture_sync(f);
	sums_cover_all_since_the_last_commit(f);
}

static off_t written(const struct fixture *f)
{
	struct stat st;
	char *path = fixture_path(f, "*.day");

	assert_int_equal(stat(path, &st), 0);
	free(path);
	return st.st_size;
}

static void a_large_transaction_is_written_in_whole_blocks(void **state)
{
	struct fixture *f = *state;
	char value[1001];

	memset(value, 'v', sizeof value - 1);
	value[sizeof value - 1] = 0;
	for (int transaction = 0; transaction < 3; transaction++) {
		fixture_begin(f, fixture_second + 1);
		for (int i = 0; i < (transaction == 1 ? 700 : 1); i++)
			fixture_insert(f, "zzz", value);
		assert_true(written(f) <= 1000 || written(f) == 2 * APPEND_BLOCK);
		fixture_commit(f);
	}
	assert_int_equal(written(f), 2 * APPEND_BLOCK);
	fixture_sync(f);
	sums_cover_all_since_the_last_commit(f);
}

/* Its commit may be hours away. */
static void a_very_long_line_leaves_no_room_behind_within_its_transaction(void **state)
{
	enum { LONG = (16 << 20) + 1 };
	struct append append;
	struct err err;
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	works(append_init(&append, fd, 0, &err), err);
	char *at = append_room(&append, LONG, &err);
	assert_non_null(at);
	memset(at, 'x', LONG);
	append_added(&append, LONG);
	works(append_write_blocks(&append, &err), err);
	assert_int_equal(append.len, 1);
	assert_int_equal(*append.buf, 'x');
	assert_true(append.cap < LONG);
	append_fini(&append);
}

/* ---- segments ----------------------------------------------------------- */

static void nothing_is_shown_before_it_is_synced(void **state)
{
	struct fixture *f = *state;

	fixture_begin(f, fixture_second + 1);
	fixture_insert(f, "zzz", "1");
	fixture_commit(f);
	shows(f, ORIGIN);
	works(writer_flush(f->writer, &f->err), f->err);
	shows(f, ORIGIN);
	assert_true(durable_lsn(writer_durable(f->writer)) == fixture_lsn);
	assert_int_equal(durable_sync(writer_durable(f->writer), 0, &f->err), 1);
	assert_true(durable_lsn(writer_durable(f->writer)) == fixture_lsn + 0x100);
	assert_int_equal(durable_sync(writer_durable(f->writer), 0, &f->err), 0);
}

static void a_part_of_a_transaction_is_never_shown(void **state)
{
	struct fixture *f = *state;

	fixture_begin(f, fixture_second + 1);
	fixture_insert(f, "zzz", "1");
	works(writer_flush(f->writer, &f->err), f->err);
	assert_int_equal(durable_sync(writer_durable(f->writer), 0, &f->err), 0);
	shows(f, ORIGIN);
}

static void a_full_segment_rolls_at_the_next_transaction(void **state)
{
	struct fixture *f = *state;

	reopen(f, 300);
	fixture_put(f, fixture_second + 1, "zzz", "1"); /* past 300 bytes behind this */
	files_are(f, "1507507200.0.day");
	fixture_put(f, fixture_second + 1, "zzz", "2");
	files_are(f, "1507507200.0.day 1507507201.2.day");
	shows(f, ORIGIN "1507507201.0 insert zzz\n1507507201.1 commit\n"
	                "1507507201.2 origin\n1507507201.3 insert zzz\n1507507201.4 commit\n");
	char *names = fixture_names(f, ".idx");
	assert_string_equal(names, "1507507200.0.idx");
	free(names);
}

static void a_roll_waits_until_all_before_is_synced(void **state)
{
	struct fixture *f = *state;

	reopen(f, 300);
	fixture_begin(f, fixture_second + 1);
	fixture_insert(f, "zzz", "1");
	fixture_commit(f);
	assert_int_equal(writer_begin(f->writer, fixture_second + 1, &f->err), -EAGAIN);
	assert_int_equal(writer_begin(f->writer, fixture_second + 1, &f->err), -EAGAIN);
	files_are(f, "1507507200.0.day");
	works(durable_sync(writer_durable(f->writer), 0, &f->err), f->err);
	works(writer_begin(f->writer, fixture_second + 1, &f->err), f->err);
	files_are(f, "1507507200.0.day 1507507201.2.day");
}

static void midnight_rolls(void **state)
{
	struct fixture *f = *state;

	fixture_put(f, fixture_second + 86399, "zzz", "1");
	fixture_put(f, fixture_second + 86400, "zzz", "2");
	fixture_put(f, fixture_second + 86399, "zzz", "3"); /* late: belongs to the new day */
	files_are(f, "1507507200.0.day 1507593600.0.day");
	shows(f, ORIGIN "1507593599.0 insert zzz\n1507593599.1 commit\n"
	                "1507593600.0 origin\n1507593600.1 insert zzz\n1507593600.2 commit\n"
	                "1507593600.3 insert zzz\n1507593600.4 commit\n");
}

static void a_timeline_rolls_and_stands_in_the_origin(void **state)
{
	struct fixture *f = *state;
	struct store_end end;

	writer_timeline(f->writer, 1);
	fixture_put(f, fixture_second, "zzz", "1");
	files_are(f, "1507507200.0.day");
	writer_timeline(f->writer, 2);
	fixture_put(f, fixture_second, "zzz", "2");
	files_are(f, "1507507200.0.day 1507507200.4.day");
	store_end(f->store, &end);
	assert_int_equal(end.origin.timeline, 2);
	reopen(f, FIXTURE_SEGMENT);
	store_end(f->store, &end);
	assert_int_equal(end.origin.timeline, 2);
	assert_string_equal(end.origin.database, "app");
}

/* ---- definitions -------------------------------------------------------- */

static void a_definition_in_force_is_not_written_again(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 3; i++) {
		fixture_begin(f, fixture_second + 1);
		fixture_define(f, "zzz", 16384, i < 2 ? "text" : "bigint");
		fixture_insert(f, "zzz", "1");
		fixture_commit(f);
	}
	fixture_sync(f);
	reopen(f, FIXTURE_SEGMENT);
	fixture_begin(f, fixture_second + 1);
	fixture_define(f, "zzz", 16384, "bigint");
	fixture_commit(f);
	fixture_sync(f);
	shows(f, ORIGIN "1507507201.0 schema zzz\n1507507201.1 insert zzz\n1507507201.2 commit\n"
	                "1507507201.3 insert zzz\n1507507201.4 commit\n"
	                "1507507201.5 schema zzz\n1507507201.6 insert zzz\n1507507201.7 commit\n"
	                "1507507201.8 commit\n");
}

static void a_definition_within_a_flushed_part_of_the_transaction_is_known(void **state)
{
	struct fixture *f = *state;

	fixture_begin(f, fixture_second + 1);
	fixture_define(f, "zzz", 16384, "text");
	fixture_define(f, "zzz", 16384, "text");
	works(writer_flush(f->writer, &f->err), f->err);
	fixture_define(f, "zzz", 16384, "text");
	fixture_commit(f);
	fixture_sync(f);
	shows(f, ORIGIN "1507507201.0 schema zzz\n1507507201.1 commit\n");
}

static void a_segment_opens_with_the_definitions_in_force(void **state)
{
	struct fixture *f = *state;

	fixture_begin(f, fixture_second + 1);
	fixture_define(f, "old", 1, "text");
	fixture_define(f, "keep", 2, "text");
	fixture_define(f, "new", 1, "text"); /* renamed */
	fixture_define(f, "gone", 3, "text");
	fixture_define(f, "gone", 4, "text"); /* dropped, and created again */
	fixture_define(f, "swap_a", 5, "text");
	fixture_define(f, "swap_b", 6, "text");
	fixture_define(f, "swap_b", 5, "text");
	fixture_define(f, "swap_a", 6, "text");
	fixture_commit(f);
	fixture_sync(f);
	reopen(f, 300);
	fixture_put(f, fixture_second + 2, "zzz", "1");
	char *have = outline(f), *last = strstr(have, "1507507202.0");
	assert_string_equal(last, "1507507202.0 origin\n1507507202.1 schema keep in force\n"
	                          "1507507202.2 schema new in force\n1507507202.3 schema gone in force\n"
	                          "1507507202.4 schema swap_b in force\n1507507202.5 schema swap_a in force\n"
	                          "1507507202.6 insert zzz\n1507507202.7 commit\n");
	free(have);
	/* Rolled again, from definitions that stand without an xid. */
	fixture_begin(f, fixture_second + 3);
	fixture_define(f, "keep", 2, "text");
	fixture_commit(f);
	fixture_sync(f);
	have = outline(f);
	last = strstr(have, "1507507203.0");
	assert_string_equal(last, "1507507203.0 origin\n1507507203.1 schema keep in force\n"
	                          "1507507203.2 schema new in force\n1507507203.3 schema gone in force\n"
	                          "1507507203.4 schema swap_b in force\n1507507203.5 schema swap_a in force\n"
	                          "1507507203.6 commit\n");
	free(have);
}

static void a_segment_does_not_open_with_a_dropped_table(void **state)
{
	struct fixture *f = *state;

	fixture_begin(f, fixture_second + 1);
	fixture_define(f, "keep", 1, "text");
	fixture_define(f, "gone", 2, "text");
	fixture_define(f, "back", 3, "text");
	fixture_commit(f);
	fixture_begin(f, fixture_second + 1);
	works(fixture_try_line(f, "_table\tkeep\t_xid\t2\t_action\tdrop"), f->err);
	works(writer_rollback(f->writer, &f->err), f->err);
	fixture_begin(f, fixture_second + 1);
	works(fixture_try_line(f, "_table\tgone\t_xid\t2\t_action\tdrop"), f->err);
	works(fixture_try_line(f, "_table\tback\t_xid\t2\t_action\tdrop"), f->err);
	fixture_define(f, "back", 3, "text"); /* not in force: so it is written */
	fixture_commit(f);
	fixture_sync(f);
	/* As it stands in memory, and as it is read from the newest segment. */
	for (int read = 0; read < 2; read++) {
		reopen(f, 300);
		fixture_put(f, fixture_second + 2 + (unsigned)read, "zzz", "1");
		char *have = outline(f), *last = strstr(have, read ? "1507507203.0" : "1507507202.0");
		assert_non_null(strstr(last, " schema keep in force\n"));
		assert_non_null(strstr(last, " schema back in force\n"));
		assert_null(strstr(last, "gone"));
		free(have);
	}
}

static void where_other_tables_are_sent_a_segment_opens_with_a_note_and_their_definitions(void **state)
{
	static const char note[] = "_action\tmessage\tprefix\tdaystream\tcontent\ttables\\tkeep,more\\texisting\\t1 2";
	struct fixture *f = *state;
	struct segment_end end;
	size_t len;

	fixture_begin(f, fixture_second + 1);
	fixture_define(f, "keep", 1, "text");
	fixture_define(f, "left", 2, "text");
	fixture_commit(f);
	fixture_sync(f);
	works(writer_note(f->writer, note, sizeof note - 1, "keep,more"), f->err);
	/* A connection that breaks takes none of it back. */
	fixture_begin(f, fixture_second + 2);
	fixture_insert(f, "keep", "1");
	works(writer_rollback(f->writer, &f->err), f->err);
	fixture_put(f, fixture_second + 2, "keep", "2");
	for (int read = 0; read < 2; read++) {
		char *name = fixture_names(f, ".day"), *at = strrchr(name, ' '), path[100];
		snprintf(path, sizeof path, "segments/%s", at ? at + 1 : name);
		char *text = fixture_read(f, path, &len), *line = strstr(text, note);
		assert_non_null(strstr(text, "\t_table\tkeep\t_relid\t1"));
		assert_null(strstr(text, "left"));
		/* Once, behind the definitions, before the first line. */
		assert_int_equal(line != NULL, !read);
		if (line) {
			assert_null(strstr(line + sizeof note, "daystream"));
			assert_true(strstr(text, "\tschema\t") < line && line < strstr(text, "\tinsert\t"));
		}
		free(text);
		free(name);
		reopen(f, 300);
		fixture_put(f, fixture_second + 86400, "keep", "3"); /* another segment */
	}
	struct segment *newest = segments_last(store_segments(f->store));
	works(segment_verify(newest->fd, newest->first, newest->len, (struct position){0}, &end, &f->err), f->err);
}

static void a_choice_of_tables_counts_once_its_first_commit_is_synced(void **state)
{
	struct fixture *f = *state;
	struct durable *durable = writer_durable(f->writer);

	fixture_put(f, fixture_second + 1, "zzz", "1");
	fixture_begin(f, fixture_second + 2);
	fixture_insert(f, "zzz", "2");
	fixture_commit(f);
	durable_choose(durable, writer_appended(f->writer), 7);
	works(durable_mark(durable, &f->err), f->err);
	assert_int_equal(durable_choice(durable), 0);
	assert_int_equal(store_confirmed(f->store)->now.choice, 0);
	fixture_sync(f);
	works(durable_mark(durable, &f->err), f->err);
	assert_int_equal(durable_choice(durable), 7);
	assert_int_equal(store_confirmed(f->store)->now.choice, 7);
	reopen(f, FIXTURE_SEGMENT);
	assert_int_equal(durable_choice(writer_durable(f->writer)), 7);
}

static void between_two_choices_of_tables_none_holds(void **state)
{
	struct fixture *f = *state;

	fixture_put(f, fixture_second + 1, "zzz", "1");
	for (uint32_t choice = 0; choice < 3; choice++) {
		struct durable *durable = writer_durable(f->writer);
		assert_int_equal(durable_unsettled(durable, choice, &f->err), choice == 0);
		while (!durable_unsettled(durable, choice, &f->err))
			assert_int_equal(durable_sync(durable, 0, &f->err), 1);
		assert_int_equal(durable_sync(durable, 0, &f->err), 0);
		/* Whatever was asked for before: the next choice is another. */
		reopen(f, FIXTURE_SEGMENT);
		durable = writer_durable(f->writer);
		assert_int_equal(durable_choice(durable), choice ? ~choice : 0);
		assert_true(durable_unsettled(durable, choice, &f->err));
	}
}

static void tables_whose_changes_cannot_be_placed_are_known_once_and_after_a_start(void **state)
{
	static const char none[] = "_table\tzzz\t_xid\t1\t_relid\t9\t_key\t\\N\t_action\tschema\ta\tx",
	                  full[] = "_table\tzzz\t_xid\t1\t_relid\t9\t_key\t*\t_action\tschema\ta\tx";
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		fixture_begin(f, fixture_second + 1);
		works(fixture_try_line(f, none), f->err);
		fixture_insert(f, "zzz", "1");
		assert_int_equal(writer_unplaced(f->writer)->count, i);
		works(fixture_try_line(f, "_table\tzzz\t_xid\t1\t_action\tdelete"), f->err);
		works(fixture_try_line(f, "_table\tzzz\t_xid\t1\t_action\tupdate\ta\t1"), f->err);
		fixture_commit(f);
		assert_int_equal(writer_unplaced(f->writer)->count, 1);
	}
	fixture_sync(f);
	reopen(f, FIXTURE_SEGMENT);
	assert_int_equal(writer_unplaced(f->writer)->count, 1);
	assert_string_equal(writer_unplaced(f->writer)->names[0], "zzz");
	fixture_begin(f, fixture_second + 1);
	works(fixture_try_line(f, full), f->err);
	fixture_commit(f);
	fixture_sync(f);
	assert_int_equal(writer_unplaced(f->writer)->count, 0);
	reopen(f, FIXTURE_SEGMENT);
	assert_int_equal(writer_unplaced(f->writer)->count, 0);
	fixture_begin(f, fixture_second + 1);
	works(fixture_try_line(f, none), f->err);
	works(fixture_try_line(f, "_table\tzzz\t_xid\t1\t_action\tdelete"), f->err);
	assert_int_equal(writer_unplaced(f->writer)->count, 1);
	works(fixture_try_line(f, "_table\tzzz\t_xid\t1\t_action\tdrop"), f->err);
	fixture_commit(f);
	fixture_sync(f);
	assert_int_equal(writer_unplaced(f->writer)->count, 0);
	reopen(f, FIXTURE_SEGMENT);
	assert_int_equal(writer_unplaced(f->writer)->count, 0);
}

static void a_schema_line_without_a_relid_is_refused(void **state)
{
	struct fixture *f = *state;

	fixture_begin(f, fixture_second + 1);
	assert_int_equal(fixture_try_line(f, "_table\tzzz\t_xid\t1\t_key\ta\t_action\tschema\ta\tx"), -EBADMSG);
	assert_int_equal(fixture_try_line(f, "_table\tzzz\t_xid\t1\t_relid\t0\t_action\tschema\ta\tx"), -EBADMSG);
	assert_non_null(strstr(f->err.text, "_table zzz"));
}

/* ---- idle WAL ----------------------------------------------------------- */

static void idle_wal_is_durable_once_it_is_written_down(void **state)
{
	struct fixture *f = *state;

	durable_idle(writer_durable(f->writer), fixture_lsn + 0x5000);
	assert_true(durable_lsn(writer_durable(f->writer)) == fixture_lsn);
	assert_int_equal(durable_sync(writer_durable(f->writer), 0, &f->err), 1);
	assert_true(durable_lsn(writer_durable(f->writer)) == fixture_lsn + 0x5000);
	durable_idle(writer_durable(f->writer), fixture_lsn + 0x4000); /* older: nothing to do */
	assert_int_equal(durable_sync(writer_durable(f->writer), 0, &f->err), 0);
	reopen(f, FIXTURE_SEGMENT);
	assert_true(durable_lsn(writer_durable(f->writer)) == fixture_lsn + 0x5000);
	assert_true(writer_appended_lsn(f->writer) == fixture_lsn);
}

static void idle_wal_behind_commits_waits_for_them(void **state)
{
	struct fixture *f = *state;

	fixture_begin(f, fixture_second + 1);
	fixture_insert(f, "zzz", "1");
	fixture_commit(f);
	works(writer_flush(f->writer, &f->err), f->err);
	durable_idle(writer_durable(f->writer), fixture_lsn + 0x5000);
	assert_int_equal(durable_sync(writer_durable(f->writer), 0, &f->err), 1);
	assert_true(durable_lsn(writer_durable(f->writer)) == fixture_lsn + 0x5000);
	assert_true(store_confirmed(f->store)->now.idle_lsn == fixture_lsn + 0x5000);
	struct store_end end;
	store_end(f->store, &end);
	assert_int_equal(position_cmp(store_confirmed(f->store)->now.last, end.last), 0);
}

static void stop_ends_the_wait(void **state)
{
	struct fixture *f = *state;

	durable_stop(writer_durable(f->writer));
	assert_int_equal(durable_sync(writer_durable(f->writer), 100000, &f->err), 0);
	fixture_put(f, fixture_second, "zzz", "still synced");
	assert_true(durable_lsn(writer_durable(f->writer)) == f->lsn);
}

/* ---- the same again ----------------------------------------------------- */

enum { WORKLOAD = 40 };

static void work(struct fixture *f, int from, int to)
{
	for (int i = from; i < to; i++) {
		f->xid = (unsigned)i + 10;
		fixture_begin(f, fixture_second + (uint64_t)(i * 37 % 50) * 4000); /* back and forth, over midnight */
		for (int k = 0; k <= i % 4; k++) {
			fixture_define(f, k % 2 ? "yyy" : "zzz", k % 2 ? 1 : 2, i % 7 ? "text" : "bigint");
			fixture_insert(f, k % 2 ? "yyy" : "zzz", "value");
		}
		fixture_commit(f);
		if (i % 3 == 0)
			fixture_sync(f);
	}
	fixture_sync(f);
}

static void the_same_transactions_get_the_same_positions_wherever_it_was_reopened(void **state)
{
	struct fixture *f = *state;
	struct fixture other;
	size_t len, other_len;

	reopen(f, 900);
	work(f, 0, WORKLOAD);
	char *want = fixture_shown(f->store, &len), *names = fixture_names(f, ".day");
	for (int cut = 0; cut <= WORKLOAD; cut++) {
		fixture_start(&other, 900);
		work(&other, 0, cut);
		reopen(&other, 900);
		/* A connection that broke in the next transaction changes nothing. */
		fixture_begin(&other, fixture_second + (uint64_t)(cut * 37 % 50) * 4000);
		fixture_define(&other, "other", 77, "text");
		works(writer_rollback(other.writer, &other.err), other.err);
		work(&other, cut, WORKLOAD);
		char *have = fixture_shown(other.store, &other_len);
		assert_int_equal(other_len, len);
		assert_memory_equal(have, want, len);
		files_are(&other, names);
		free(have);
		fixture_end(&other);
	}
	free(want);
	free(names);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, outline_setup, outline_teardown)
	    TEST(a_transaction_has_the_second_of_its_commit),
	    TEST(transactions_of_one_second_are_numbered_on),
	    TEST(a_commit_older_than_the_line_before_takes_its_second),
	    TEST(positions_go_on_behind_a_reopening),
	    TEST(the_checksum_covers_all_since_the_last_commit),
	    TEST(a_large_transaction_is_written_in_whole_blocks),
	    TEST(a_very_long_line_leaves_no_room_behind_within_its_transaction),
	    TEST(nothing_is_shown_before_it_is_synced),
	    TEST(a_part_of_a_transaction_is_never_shown),
	    TEST(a_full_segment_rolls_at_the_next_transaction),
	    TEST(a_roll_waits_until_all_before_is_synced),
	    TEST(midnight_rolls),
	    TEST(a_timeline_rolls_and_stands_in_the_origin),
	    TEST(a_definition_in_force_is_not_written_again),
	    TEST(a_definition_within_a_flushed_part_of_the_transaction_is_known),
	    TEST(a_segment_opens_with_the_definitions_in_force),
	    TEST(a_segment_does_not_open_with_a_dropped_table),
	    TEST(where_other_tables_are_sent_a_segment_opens_with_a_note_and_their_definitions),
	    TEST(a_choice_of_tables_counts_once_its_first_commit_is_synced),
	    TEST(between_two_choices_of_tables_none_holds),
	    TEST(tables_whose_changes_cannot_be_placed_are_known_once_and_after_a_start),
	    TEST(a_schema_line_without_a_relid_is_refused),
	    TEST(idle_wal_is_durable_once_it_is_written_down),
	    TEST(idle_wal_behind_commits_waits_for_them),
	    TEST(stop_ends_the_wait),
	    TEST(the_same_transactions_get_the_same_positions_wherever_it_was_reopened),
	};
	return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}
