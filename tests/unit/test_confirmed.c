/* STORE/confirmed: the newest whole slot holds, whatever a crash did to the other. */
#include "fixture.h"

#include "confirmed.h"

static struct fixture f;
static int folder;

static int setup(void **state)
{
	(void)state;
	fixture_folder(&f);
	folder = open(f.path, O_RDONLY | O_DIRECTORY);
	return folder < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	close(folder);
	nftw(f.path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static struct confirmed number(uint64_t i)
{
	return (struct confirmed){.idle_lsn = i * 0x100,
	                          .last = {i, i + 1},
	                          .choice = (uint32_t)i * 7,
	                          .sum = (uint32_t)i * 11,
	                          .segment = {i, 0},
	                          .off = i * 13,
	                          .oldest = {1, 0},
	                          .sealed = i * 17};
}

static void write_numbers(uint64_t count)
{
	struct confirmed_file file;

	works(confirmed_open(&file, folder, true, &f.err), f.err);
	for (uint64_t i = 1; i <= count; i++)
		works(confirmed_write(&file, number(i), &f.err), f.err);
	confirmed_close(&file);
}

static void holds(uint64_t i)
{
	struct confirmed_file file;

	works(confirmed_open(&file, folder, false, &f.err), f.err);
	assert_true(file.now.idle_lsn == i * 0x100);
	assert_int_equal(position_cmp(file.now.last, i ? number(i).last : (struct position){0, 0}), 0);
	confirmed_close(&file);
}

static void the_last_one_written_holds(void **state)
{
	(void)state;
	for (uint64_t i = 1; i < 6; i++) {
		write_numbers(i);
		holds(i);
		fixture_unlink(&f, "confirmed");
	}
}

static void no_file_or_an_empty_one_tells_nothing(void **state)
{
	(void)state;
	holds(0);
	write_numbers(0);
	holds(0);
	assert_int_equal(fixture_size(&f, "confirmed"), 0);
}

static void every_torn_write_of_a_slot_leaves_the_other(void **state)
{
	size_t len;

	(void)state;
	write_numbers(4);
	char *before = fixture_read(&f, "confirmed", &len);
	write_numbers(0);
	struct confirmed_file file;
	works(confirmed_open(&file, folder, true, &f.err), f.err);
	works(confirmed_write(&file, number(5), &f.err), f.err);
	confirmed_close(&file);
	char *after = fixture_read(&f, "confirmed", &len), *torn = malloc(len);
	must(torn);
	for (size_t cut = 0; cut <= len; cut++) { /* the first bytes are new, the rest is old */
		memcpy(torn, after, cut);
		memcpy(torn + cut, before + cut, len - cut);
		fixture_write(&f, "confirmed", torn, len);
		works(confirmed_open(&file, folder, false, &f.err), f.err);
		assert_true(file.now.idle_lsn == 0x400 || file.now.idle_lsn == 0x500);
		assert_true(memcmp(torn, after, len) != 0 || file.now.idle_lsn == 0x500);
		confirmed_close(&file);
	}
	free(before);
	free(after);
	free(torn);
}

static void every_flipped_bit_of_the_newest_leaves_the_one_before(void **state)
{
	(void)state;
	write_numbers(5); /* slot 1 */
	for (size_t off = 512; off < fixture_size(&f, "confirmed"); off++) {
		fixture_flip(&f, "confirmed", off);
		holds(4);
		fixture_flip(&f, "confirmed", off);
	}
	holds(5);
}

static void writing_goes_on_from_the_counter_that_was_found(void **state)
{
	struct confirmed_file file;

	(void)state;
	write_numbers(3);
	works(confirmed_open(&file, folder, true, &f.err), f.err);
	works(confirmed_write(&file, number(9), &f.err), f.err);
	confirmed_close(&file);
	holds(9);
	fixture_flip(&f, "confirmed", 40); /* counter 4 stands in slot 0 */
	holds(3);
}

/* As a writer tells of it, and as a crash of the machine leaves it: torn, or not written at all. */
static void what_is_told_without_a_sync_leaves_what_was_synced(void **state)
{
	struct confirmed_file file;
	size_t len;

	(void)state;
	write_numbers(4);
	char *synced = fixture_read(&f, "confirmed", &len);
	works(confirmed_open(&file, folder, true, &f.err), f.err);
	for (uint64_t i = 5; i < 9; i++) {
		confirmed_tell(&file, number(i));
		holds(i);
		assert_true(file.now.idle_lsn == 0x400);
	}
	size_t told = 0;
	char *after = fixture_read(&f, "confirmed", &len);
	for (size_t off = 0; off < len; off++)
		told += synced[off] != after[off] && off < 512 ? 1 : 0;
	assert_int_equal(told, 0); /* number 4, in slot 0 */
	works(confirmed_write(&file, number(9), &f.err), f.err);
	confirmed_tell(&file, number(10));
	confirmed_close(&file);
	fixture_flip(&f, "confirmed", 40);
	holds(9);
	free(synced);
	free(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(the_last_one_written_holds),
	    TEST(no_file_or_an_empty_one_tells_nothing),
	    TEST(every_torn_write_of_a_slot_leaves_the_other),
	    TEST(every_flipped_bit_of_the_newest_leaves_the_one_before),
	    TEST(what_is_told_without_a_sync_leaves_what_was_synced),
	    TEST(writing_goes_on_from_the_counter_that_was_found),
	};
	return cmocka_run_group_tests_name("confirmed", tests, NULL, NULL);
}
