/* The one writer: positions, segments, definitions, what is taken back, a full disk. */
#include "fixture.h"

#include <sys/syscall.h>

#include "crc32c.h"

/* How many bytes pwrite still takes; then the disk is full. */
static long space = LONG_MAX;
static int space_errno = ENOSPC;
static const char *space_for; /* only files whose name has this in it; NULL: all */

static bool counts(int fd)
{
	char link[64], path[PATH_MAX];

	if (!space_for)
		return true;
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, sizeof path - 1);
	path[n > 0 ? n : 0] = 0;
	return strstr(path, space_for) != NULL;
}

/* Stands before libc's. */
ssize_t pwrite(int fd, const void *buf, size_t len, off_t off)
{
	if (counts(fd)) {
		if (space == 0) {
			errno = space_errno;
			return -1;
		}
		if ((long)len > space)
			len = (size_t)space;
		if (space != LONG_MAX)
			space -= (long)len;
	}
	return syscall(SYS_pwrite64, fd, buf, len, off);
}

static int setup(void **state)
{
	struct fixture *f = malloc(sizeof *f);

	must(f);
	space = LONG_MAX;
	space_errno = ENOSPC;
	space_for = NULL;
	fixture_start(f, FIXTURE_SEGMENT);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	space = LONG_MAX;
	fixture_end(f);
	free(f);
	return 0;
}

/* "<epoch>.<seq> <action> <table>\n" for each line shown; the caller frees. */
static char *outline(struct fixture *f)
{
	size_t len, n;
	char *text = fixture_shown(f->store, &len), *out;
	FILE *to = open_memstream(&out, &n);

	for (char *at = text, *end; at < text + len; at = end + 1) {
		struct line_head head;
		char position[POSITION_TEXT_MAX];
		end = strchr(at, '\n');
		must(end && line_parse(at, (size_t)(end - at), &head));
		fprintf(to, "%s %.*s", position_print(position, head.position), (int)head.action.len, head.action.at);
		if (head.table.at)
			fprintf(to, " %.*s", (int)head.table.len, head.table.at);
		if (head.table.at && head.xid.at == NULL)
			fprintf(to, " in force");
		fprintf(to, "\n");
	}
	fclose(to);
	free(text);
	return out;
}

static void shows(struct fixture *f, const char *want)
{
	char *have = outline(f);

	assert_string_equal(have, want);
	free(have);
}

#define ORIGIN "1507507200.0 origin\n1507507200.1 commit\n"

static void reopen(struct fixture *f, uint64_t segment_bytes)
{
	fixture_close(f);
	fixture_open(f, segment_bytes);
}

static void files_are(struct fixture *f, const char *want)
{
	char *names = fixture_names(f, ".day");

	assert_string_equal(names, want);
	free(names);
}

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

static void the_checksum_covers_all_since_the_last_commit(void **state)
{
	struct fixture *f = *state;
	size_t len;

	fixture_begin(f, fixture_second + 1);
	for (int i = 0; i < 3; i++)
		fixture_insert(f, "zzz", "some value");
	fixture_commit(f);
	fixture_sync(f);
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

/* ---- rollback ----------------------------------------------------------- */

/* What stands in the file is only what is shown. */
static void file_is_shown(struct fixture *f)
{
	size_t len, shown_len;

	reopen(f, FIXTURE_SEGMENT);
	char *names = fixture_names(f, ".day");
	if (strchr(names, ' ') == NULL) {
		char *text = fixture_read(f, "*.day", &len), *shown = fixture_shown(f->store, &shown_len);
		assert_int_equal(len, shown_len);
		assert_memory_equal(text, shown, len);
		free(text);
		free(shown);
	}
	free(names);
}

static void without_a_transaction_there_is_nothing_to_roll_back(void **state)
{
	struct fixture *f = *state;

	works(writer_rollback(f->writer, &f->err), f->err);
	fixture_put(f, fixture_second, "zzz", "1");
	works(writer_rollback(f->writer, &f->err), f->err);
	shows(f, ORIGIN "1507507200.2 insert zzz\n1507507200.3 commit\n");
}

static void a_transaction_in_the_buffer_is_rolled_back(void **state)
{
	struct fixture *f = *state;

	fixture_begin(f, fixture_second + 1); /* committed, and in the buffer as well */
	fixture_insert(f, "zzz", "stays");
	fixture_commit(f);
	fixture_begin(f, fixture_second + 2);
	fixture_insert(f, "zzz", "goes");
	works(writer_rollback(f->writer, &f->err), f->err);
	fixture_put(f, fixture_second + 2, "zzz", "comes");
	shows(f, ORIGIN "1507507201.0 insert zzz\n1507507201.1 commit\n1507507202.0 insert zzz\n1507507202.1 commit\n");
	file_is_shown(f);
}

static void a_transaction_that_was_flushed_is_rolled_back(void **state)
{
	struct fixture *f = *state;
	size_t len = fixture_size(f, "*.day");

	fixture_begin(f, fixture_second + 2);
	fixture_insert(f, "zzz", "goes");
	works(writer_flush(f->writer, &f->err), f->err);
	fixture_insert(f, "zzz", "goes");
	assert_true(fixture_size(f, "*.day") > len);
	works(writer_rollback(f->writer, &f->err), f->err);
	assert_int_equal(fixture_size(f, "*.day"), len);
	fixture_put(f, fixture_second + 2, "zzz", "comes");
	shows(f, ORIGIN "1507507202.0 insert zzz\n1507507202.1 commit\n");
	file_is_shown(f);
}

static void rollback_brings_definitions_back(void **state)
{
	struct fixture *f = *state;

	fixture_begin(f, fixture_second + 1);
	fixture_define(f, "zzz", 1, "text");
	fixture_commit(f);
	fixture_begin(f, fixture_second + 2);
	fixture_define(f, "zzz", 1, "bigint");
	fixture_define(f, "yyy", 2, "bigint");
	works(writer_flush(f->writer, &f->err), f->err);
	works(writer_rollback(f->writer, &f->err), f->err);
	fixture_begin(f, fixture_second + 2);
	fixture_define(f, "zzz", 1, "text");   /* in force */
	fixture_define(f, "yyy", 2, "bigint"); /* is not */
	fixture_commit(f);
	fixture_sync(f);
	shows(f, ORIGIN "1507507201.0 schema zzz\n1507507201.1 commit\n1507507202.0 schema yyy\n1507507202.1 commit\n");
}

static void the_first_transaction_of_a_segment_is_rolled_back(void **state)
{
	struct fixture *f = *state;

	fixture_begin(f, fixture_second + 1);
	fixture_define(f, "zzz", 1, "text");
	fixture_commit(f);
	fixture_sync(f);
	reopen(f, 300);
	for (int flush = 0; flush < 3; flush++) {
		fixture_begin(f, fixture_second + 2);
		fixture_define(f, "zzz", 1, "bigint");
		if (flush)
			works(writer_flush(f->writer, &f->err), f->err);
		works(writer_rollback(f->writer, &f->err), f->err);
		assert_int_equal(durable_sync(writer_durable(f->writer), 0, &f->err), 0);
	}
	fixture_begin(f, fixture_second + 2);
	fixture_define(f, "zzz", 1, "text");
	fixture_insert(f, "zzz", "1");
	fixture_commit(f);
	fixture_sync(f);
	files_are(f, "1507507200.0.day 1507507202.0.day");
	shows(f, ORIGIN "1507507201.0 schema zzz\n1507507201.1 commit\n"
	                "1507507202.0 origin\n1507507202.1 schema zzz in force\n"
	                "1507507202.2 insert zzz\n1507507202.3 commit\n");
	reopen(f, FIXTURE_SEGMENT); /* verifies the checksum */
}

static void a_rolled_back_segment_is_removed_by_the_next_start(void **state)
{
	struct fixture *f = *state;

	reopen(f, 100);
	fixture_begin(f, fixture_second + 2);
	fixture_insert(f, "zzz", "goes");
	works(writer_flush(f->writer, &f->err), f->err);
	works(writer_rollback(f->writer, &f->err), f->err);
	reopen(f, 100);
	files_are(f, "1507507200.0.day");
	fixture_put(f, fixture_second + 2, "zzz", "comes");
	shows(f, ORIGIN "1507507202.0 origin\n1507507202.1 insert zzz\n1507507202.2 commit\n");
}

/* ---- a full disk -------------------------------------------------------- */

/* The same transactions on a disk that gets space byte by byte. */
static void take_all(struct fixture *f, long step)
{
	int r;

	for (int i = 0; i < 6; i++) {
		while ((r = writer_begin(f->writer, fixture_second + (uint64_t)i, &f->err)) == -ENOSPC ||
		       r == -EAGAIN) {
			space = step;
			if (r == -EAGAIN)
				works(durable_sync(writer_durable(f->writer), 0, &f->err), f->err);
		}
		works(r, f->err);
		fixture_define(f, "zzz", 1, i % 2 ? "text" : "bigint");
		fixture_insert(f, "zzz", "1");
		while ((r = writer_flush(f->writer, &f->err)) == -ENOSPC)
			space = step;
		works(r, f->err);
		fixture_insert(f, "zzz", "2");
		while ((r = fixture_try_commit(f)) == -ENOSPC)
			space = step;
		works(r, f->err);
		while ((r = writer_flush(f->writer, &f->err)) == -ENOSPC)
			space = step;
		works(r, f->err);
		works(durable_sync(writer_durable(f->writer), 0, &f->err), f->err);
	}
}

static void a_full_disk_changes_nothing_but_the_time(void **state)
{
	struct fixture *f = *state;
	struct fixture other;
	size_t len, other_len;

	reopen(f, 600);
	take_all(f, LONG_MAX);
	char *want = fixture_shown(f->store, &len);
	for (long step = 1; step < 200; step = step * 2 + 1) {
		space = LONG_MAX;
		fixture_start(&other, 600);
		space_for = ".day";
		space = step;
		take_all(&other, step);
		space = LONG_MAX;
		char *have = fixture_shown(other.store, &other_len);
		assert_int_equal(other_len, len);
		assert_memory_equal(have, want, len);
		free(have);
		fixture_end(&other);
	}
	free(want);
}

static void a_transaction_that_the_disk_took_in_part_is_rolled_back(void **state)
{
	struct fixture *f = *state;

	for (long step = 1; step < 120; step += 7) {
		fixture_begin(f, fixture_second + 1);
		fixture_define(f, "zzz", 1, "text");
		fixture_insert(f, "zzz", "goes");
		space_for = ".day";
		space = step;
		assert_int_equal(writer_flush(f->writer, &f->err), -ENOSPC);
		fixture_define(f, "zzz", 1, "text"); /* read back from file and buffer */
		space = LONG_MAX;
		works(writer_rollback(f->writer, &f->err), f->err);
	}
	fixture_put(f, fixture_second + 1, "zzz", "comes");
	shows(f, ORIGIN "1507507201.0 insert zzz\n1507507201.1 commit\n");
	file_is_shown(f);
}

static void any_other_error_of_writing_is_told(void **state)
{
	struct fixture *f = *state;

	space = 0;
	space_errno = EIO;
	fixture_begin(f, fixture_second + 1);
	fixture_insert(f, "zzz", "1");
	fixture_commit(f);
	assert_int_equal(writer_flush(f->writer, &f->err), -EIO);
}

/* ---- idle WAL and the mark ---------------------------------------------- */

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

static void a_mark_that_has_no_space_waits_and_does_not_spin(void **state)
{
	struct fixture *f = *state;

	space_for = "confirmed";
	space = 0;
	durable_idle(writer_durable(f->writer), fixture_lsn + 0x5000);
	works(durable_sync(writer_durable(f->writer), 0, &f->err), f->err);
	assert_true(durable_lsn(writer_durable(f->writer)) == fixture_lsn);
	assert_int_equal(durable_sync(writer_durable(f->writer), 0, &f->err),
	                 0); /* nothing to do until it is offered again */
	space = LONG_MAX;
	durable_idle(writer_durable(f->writer), fixture_lsn + 0x5000);
	assert_int_equal(durable_sync(writer_durable(f->writer), 0, &f->err), 1);
	assert_true(durable_lsn(writer_durable(f->writer)) == fixture_lsn + 0x5000);
}

static void a_mark_that_cannot_be_written_is_told(void **state)
{
	struct fixture *f = *state;

	space_for = "confirmed";
	space = 0;
	space_errno = EIO;
	durable_idle(writer_durable(f->writer), fixture_lsn + 0x5000);
	assert_int_equal(durable_sync(writer_durable(f->writer), 0, &f->err), -EIO);
	assert_true(durable_lsn(writer_durable(f->writer)) == fixture_lsn);
	assert_non_null(strstr(f->err.text, "confirmed"));
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(a_transaction_has_the_second_of_its_commit),
	    TEST(transactions_of_one_second_are_numbered_on),
	    TEST(a_commit_older_than_the_line_before_takes_its_second),
	    TEST(positions_go_on_behind_a_reopening),
	    TEST(the_checksum_covers_all_since_the_last_commit),
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
	    TEST(tables_whose_changes_cannot_be_placed_are_known_once_and_after_a_start),
	    TEST(a_schema_line_without_a_relid_is_refused),
	    TEST(without_a_transaction_there_is_nothing_to_roll_back),
	    TEST(a_transaction_in_the_buffer_is_rolled_back),
	    TEST(a_transaction_that_was_flushed_is_rolled_back),
	    TEST(rollback_brings_definitions_back),
	    TEST(the_first_transaction_of_a_segment_is_rolled_back),
	    TEST(a_rolled_back_segment_is_removed_by_the_next_start),
	    TEST(a_full_disk_changes_nothing_but_the_time),
	    TEST(a_transaction_that_the_disk_took_in_part_is_rolled_back),
	    TEST(any_other_error_of_writing_is_told),
	    TEST(idle_wal_is_durable_once_it_is_written_down),
	    TEST(idle_wal_behind_commits_waits_for_them),
	    TEST(a_mark_that_has_no_space_waits_and_does_not_spin),
	    TEST(a_mark_that_cannot_be_written_is_told),
	    TEST(stop_ends_the_wait),
	    TEST(the_same_transactions_get_the_same_positions_wherever_it_was_reopened),
	};
	return cmocka_run_group_tests_name("writer", tests, NULL, NULL);
}
