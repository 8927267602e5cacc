/* What the writer notes of its lines for the index is what reading them again finds. */
#include "fixture.h"

#include <sys/syscall.h>

#include "index.h"
#include "segment.h"

static struct fixture f;
static int reads_left = INT_MAX; /* before they fail */

/* Stands before libc's. */
ssize_t pread(int fd, void *buf, size_t len, off_t off)
{
	if (reads_left != INT_MAX && reads_left-- <= 0) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_pread64, fd, buf, len, off);
}

static int setup(void **state)
{
	(void)state;
	fixture_start(&f, FIXTURE_SEGMENT);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	reads_left = INT_MAX;
	fixture_end(&f);
	return 0;
}

static size_t any(size_t below)
{
	return (size_t)rand() % below;
}

/* ---- two indexes -------------------------------------------------------- */

struct pair {
	const struct index *noted, *read;
	size_t tables;
};

static int same_part(struct span pairs, void *ctx)
{
	struct pair *pair = ctx;
	struct index_part noted, read;

	must(index_part(pair->noted, pairs, &noted) && index_part(pair->read, pairs, &read));
	assert_int_equal(noted.bytes, read.bytes);
	assert_int_equal(noted.last_epoch, read.last_epoch);
	assert_int_equal(noted.post_count, read.post_count);
	for (size_t i = 0; i < read.post_count; i++)
		must(noted.posts[i].before == read.posts[i].before && noted.posts[i].block == read.posts[i].block);
	pair->tables++;
	return 0;
}

static void same_sums(const struct index *noted, const struct index *read)
{
	uint32_t sums[2][256];
	uint64_t len[2];
	long count = 256;

	for (uint64_t chunk = 0; count == 256; chunk += 256) {
		count = index_sums(noted, chunk, sums[0], 256, &len[0]);
		assert_int_equal(index_sums(read, chunk, sums[1], 256, &len[1]), count);
		assert_int_equal(len[0], len[1]);
		assert_memory_equal(sums[0], sums[1], (size_t)count * sizeof **sums);
	}
}

static void same_index(const struct index *noted, const struct index *read)
{
	struct pair pair = {noted, read, 0};
	size_t count[2];
	const struct index_block *blocks[2] = {index_blocks(noted, &count[0]), index_blocks(read, &count[1])};

	assert_int_equal(count[0], count[1]);
	for (size_t i = 0; i < count[0]; i++)
		must(blocks[0][i].off == blocks[1][i].off && position_cmp(blocks[0][i].first, blocks[1][i].first) == 0);
	assert_true(index_max_xid(noted) == index_max_xid(read));
	same_sums(noted, read);
	index_tables(read, same_part, &pair);
	size_t tables = pair.tables;
	index_tables(noted, same_part, &pair);
	assert_int_equal(pair.tables, 2 * tables);
}

static void compare(void)
{
	const struct segment *newest = segments_last(store_segments(f.store));
	struct index *read;

	works(segment_build_index(newest->fd, newest->first, newest->len, &read, &f.err), f.err);
	same_index(newest->index, read);
	index_free(read);
}

/* ---- random transactions ------------------------------------------------ */

static void random_line(void)
{
	static char value[3000];
	char table[16];

	memset(value, 'x', sizeof value);
	value[any(any(20) ? 60 : sizeof value)] = 0;
	snprintf(table, sizeof table, "t%zu", any(20) ? 0 : any(8));
	if (any(200))
		fixture_insert(&f, table, value);
	else
		fixture_define(&f, table, (unsigned)(table[1] - '0') + 100, any(2) ? "text" : "bytea");
	memset(value, 'x', sizeof value);
}

/* As ingest does it: lines are handed on whether a transaction is open or not; some break off. */
static void random_transaction(uint64_t second)
{
	size_t lines = any(10) ? any(5) : any(8000), flush = any(lines + 1), end = any(10) ? lines : any(lines + 1);

	fixture_begin(&f, second);
	for (size_t i = 0; i < end; i++) {
		random_line();
		if (i == flush)
			works(writer_flush(f.writer, &f.err), f.err);
		if (i == flush && any(2))
			works(durable_sync(writer_durable(f.writer), 0, &f.err), f.err);
	}
	if (end < lines)
		works(writer_rollback(f.writer, &f.err), f.err);
	else
		fixture_commit(&f);
	if (any(2))
		works(writer_flush(f.writer, &f.err), f.err);
	if (!any(3))
		fixture_sync(&f);
}

static void what_is_noted_is_what_is_read(void **state)
{
	(void)state;
	srand(3);
	for (unsigned i = 0; i < 400; i++) {
		random_transaction(fixture_second + i);
		if (i % 20 == 0) {
			fixture_sync(&f);
			compare();
		}
	}
	/* A start goes on from an index that was read. */
	fixture_sync(&f);
	fixture_close(&f);
	fixture_open(&f, FIXTURE_SEGMENT);
	for (unsigned i = 0; i < 100; i++)
		random_transaction(fixture_second + 400 + i);
	fixture_sync(&f);
	compare();
}

static void a_new_segment_is_noted_from_its_start(void **state)
{
	(void)state;
	srand(4);
	for (unsigned day = 0; day < 20; day++) {
		for (unsigned i = 0; i < 10; i++)
			random_transaction(fixture_second + day * 86400 + i);
		fixture_sync(&f);
		compare();
	}
	assert_int_equal(fixture_segments(f.store), 20);
}

/* ---- a disk that cannot be read ------------------------------------------ */

/* Behind it another one is open. */
static void transaction(uint64_t second, unsigned lines)
{
	static char value[1000];

	memset(value, 'x', sizeof value - 1);
	fixture_begin(&f, second);
	for (unsigned i = 0; i < lines; i++)
		fixture_insert(&f, "t0", value);
	fixture_commit(&f);
	fixture_begin(&f, second);
	fixture_insert(&f, "t1", value);
}

static void what_was_not_taken_back_is_not_written_behind(void **state)
{
	(void)state;
	transaction(fixture_second, 3000);
	reads_left = 0;
	assert_int_equal(writer_rollback(f.writer, &f.err), -EIO);
	assert_int_equal(writer_flush(f.writer, &f.err), -EIO);
	reads_left = INT_MAX;
	assert_int_equal(writer_flush(f.writer, &f.err), -EIO);
	works(writer_rollback(f.writer, &f.err), f.err);
	fixture_sync(&f);
	compare();
}

static void what_was_not_handed_over_stays_noted(void **state)
{
	int failed = 0;

	(void)state;
	for (int r = -1; r < 0; failed += r < 0) {
		transaction(fixture_second, 1);
		reads_left = failed;
		r = writer_flush(f.writer, &f.err);
		must(r == 0 || r == -EIO);
		reads_left = INT_MAX;
		works(writer_rollback(f.writer, &f.err), f.err);
	}
	assert_int_equal(failed, 2); /* of what is handed over, and of what comes behind it */
	fixture_sync(&f);
	compare();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(what_is_noted_is_what_is_read),
	    TEST(a_new_segment_is_noted_from_its_start),
	    TEST(what_was_not_taken_back_is_not_written_behind),
	    TEST(what_was_not_handed_over_stays_noted),
	};
	return cmocka_run_group_tests_name("noted", tests, NULL, NULL);
}
