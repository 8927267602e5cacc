/* The writer and the disk: what is taken back, a full disk, errors. */
#include <pthread.h>
#include <sys/syscall.h>

#include "outline.h"

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

/* What the disk is told to begin with. */
static _Atomic bool begin_waits, begin_came;
static _Atomic unsigned begun, begun_wrongly;

int sync_file_range(int fd, off64_t off, off64_t len, unsigned flags)
{
	struct stat st;

	(void)flags;
	for (begin_came = true; begin_waits; usleep(500))
		;
	begun++;
	begun_wrongly += off < 0 || len <= 0 || fstat(fd, &st) < 0 || st.st_size < off + len;
	return 0;
}

static int setup(void **state)
{
	begin_waits = begin_came = false;
	begun = begun_wrongly = 0;
	space = LONG_MAX;
	space_errno = ENOSPC;
	space_for = NULL;
	return outline_setup(state);
}

static int teardown(void **state)
{
	space = LONG_MAX;
	return outline_teardown(state);
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

/* ---- large transactions -------------------------------------------------- */

/* Some MiB of a transaction that goes on. */
static void push(struct fixture *f, unsigned mib)
{
	static char value[64 << 10];

	memset(value, 'x', sizeof value - 1);
	for (unsigned i = 0; i < 16 * mib; i++)
		fixture_insert(f, "zzz", value);
}

static void *sync_once(void *durable)
{
	struct err err;

	return durable_sync(durable, 0, &err) == 1 ? durable : NULL;
}

static void no_segment_is_left_while_the_disk_begins_with_it(void **state)
{
	struct fixture *f = *state;
	struct durable *durable = writer_durable(f->writer);
	const uint64_t next_day = fixture_second + 86400;
	pthread_t thread;
	void *synced;

	fixture_put(f, fixture_second, "zzz", "1");
	fixture_begin(f, fixture_second);
	push(f, 10);
	begin_waits = true;
	must(pthread_create(&thread, NULL, sync_once, durable) == 0);
	for (int i = 0; !begin_came && i < 120000; i++)
		usleep(500);
	bool came = begin_came;
	int back = writer_rollback(f->writer, &f->err), first = writer_begin(f->writer, next_day, &f->err);
	begin_waits = false;
	pthread_join(thread, &synced);
	assert_true(came); /* within a minute */
	assert_int_equal(back, 0);
	assert_int_equal(first, -EAGAIN);
	assert_non_null(synced);
	works(writer_begin(f->writer, next_day, &f->err), f->err);
	fixture_insert(f, "zzz", "2");
	fixture_commit(f);
	fixture_sync(f);
	files_are(f, "1507507200.0.day 1507593600.0.day");
}

/* Once more each 8 MiB. */
static void the_disk_begins_with_what_there_is(void **state)
{
	static const unsigned mib[] = {10, 20, 4, 10, 0, 18};
	struct fixture *f = *state;

	fixture_put(f, fixture_second, "zzz", "1");
	for (size_t i = 0; i < 2 * sizeof mib / sizeof *mib; i++) {
		unsigned before = begun, size = mib[i / 2];
		fixture_begin(f, fixture_second + i);
		for (unsigned pushed = 0; pushed < size; pushed += 2) {
			push(f, 2);
			works(durable_sync(writer_durable(f->writer), 0, &f->err), f->err);
		}
		assert_int_equal(begun - before, size / 9);
		if (i % 2)
			fixture_commit(f);
		else
			works(writer_rollback(f->writer, &f->err), f->err);
		fixture_sync(f);
	}
	assert_int_equal(begun_wrongly, 0);
	file_is_shown(f);
}

/* ---- the mark ----------------------------------------------------------- */

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

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(without_a_transaction_there_is_nothing_to_roll_back),
	    TEST(a_transaction_in_the_buffer_is_rolled_back),
	    TEST(a_transaction_that_was_flushed_is_rolled_back),
	    TEST(rollback_brings_definitions_back),
	    TEST(the_first_transaction_of_a_segment_is_rolled_back),
	    TEST(a_rolled_back_segment_is_removed_by_the_next_start),
	    TEST(a_full_disk_changes_nothing_but_the_time),
	    TEST(a_transaction_that_the_disk_took_in_part_is_rolled_back),
	    TEST(any_other_error_of_writing_is_told),
	    TEST(no_segment_is_left_while_the_disk_begins_with_it),
	    TEST(the_disk_begins_with_what_there_is),
	    TEST(a_mark_that_has_no_space_waits_and_does_not_spin),
	    TEST(a_mark_that_cannot_be_written_is_told),
	};
	return cmocka_run_group_tests_name("writer_disk", tests, NULL, NULL);
}
