/* What a loss of power may leave of a file (tests/crash/states.h), and what it may not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crash/states.h"
#include "crash/trace.h"

enum { SECTOR = 512, SECTORS = 8, FILE_INO = 7, FOLDER_INO = 8, SEEDS = 2000 };

static char folder[64];

/* ---- a trace ------------------------------------------------------------ */

static const char *in_folder(const char *name)
{
	static char path[100];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void put(enum trace_call call, uint64_t off, const char *data, size_t len)
{
	bool of_folder = call == TRACE_SYNC_FOLDER;
	const char *path = of_folder ? "." : "f";
	int fd = open(in_folder("trace"), O_WRONLY | O_CREAT | O_APPEND, 0600);
	uint64_t covers = (uint64_t)lseek(fd, 0, SEEK_END);
	struct trace_record record = {.call = call,
	                              .path_len = 1,
	                              .ino = of_folder ? FOLDER_INO : FILE_INO,
	                              .off = call == TRACE_SYNC || of_folder ? covers : off,
	                              .data_len = len};

	assert_int_equal(write(fd, &record, sizeof record), sizeof record);
	assert_int_equal(write(fd, path, 1), 1);
	assert_int_equal(write(fd, data, len), len);
	close(fd);
}

static void put_sectors(char letter, size_t from, size_t count)
{
	char data[SECTOR * SECTORS];

	memset(data, letter, count * SECTOR);
	put(TRACE_WRITE, from * SECTOR, data, count * SECTOR);
}

/* A file of 'a's, all of it on the disk. */
static void put_synced(void)
{
	put(TRACE_CREATE, 0, NULL, 0);
	put_sectors('a', 0, SECTORS);
	put(TRACE_SYNC, 0, NULL, 0);
	put(TRACE_SYNC_FOLDER, 0, NULL, 0);
}

/* ---- its states --------------------------------------------------------- */

/* The first byte of each sector that is left, '.' for zeros. */
static void left(struct states *states, unsigned seed, char *letters)
{
	char bytes[SECTOR * (SECTORS + 1)], out[100];

	snprintf(out, sizeof out, "%s", in_folder("out"));
	states_make(states, states_count(states), LOSS_SECTORS, seed, out);
	int fd = open(in_folder("out/f"), O_RDONLY);
	assert_true(fd >= 0);
	ssize_t n = read(fd, bytes, sizeof bytes);
	close(fd);
	assert_int_equal(n % SECTOR, 0);
	for (ssize_t i = 0; i < n; i += SECTOR) {
		for (ssize_t j = i; j < i + SECTOR; j++)
			assert_int_equal(bytes[j], bytes[i]);
		*letters++ = (char)(bytes[i] ? bytes[i] : '.');
	}
	*letters = 0;
	assert_int_equal(unlink(in_folder("out/f")), 0);
	assert_int_equal(rmdir(in_folder("out")), 0);
}

static void any_sector_that_was_not_synced_may_be_lost(void **state)
{
	bool seen[1 << 3] = {0};
	char letters[SECTORS + 2];

	(void)state;
	put_synced();
	put_sectors('b', 2, 3);
	struct states *states = states_open(in_folder("trace"), NULL);
	for (unsigned seed = 0; seed < SEEDS; seed++) {
		left(states, seed, letters);
		assert_int_equal(strlen(letters), SECTORS);
		assert_memory_equal(letters, "aa", 2);
		assert_string_equal(letters + 5, "aaa");
		seen[(letters[2] == 'b') | (letters[3] == 'b') << 1 | (letters[4] == 'b') << 2] = true;
	}
	for (size_t i = 0; i < sizeof seen; i++)
		assert_true(seen[i]);
	states_free(states);
}

static void a_file_is_cut_off_as_a_whole_or_not_at_all(void **state)
{
	char letters[SECTORS + 2];
	bool cut = false, whole = false;

	(void)state;
	put_synced();
	put(TRACE_TRUNCATE, 0, NULL, 0);
	struct states *states = states_open(in_folder("trace"), NULL);
	for (unsigned seed = 0; seed < SEEDS; seed++) {
		left(states, seed, letters);
		if (*letters)
			assert_string_equal(letters, "aaaaaaaa");
		cut = cut || !*letters;
		whole = whole || *letters;
	}
	assert_true(cut && whole);
	states_free(states);
}

static void what_is_written_behind_a_cut_is_not_there_without_it(void **state)
{
	static const char *const wanted[] = {"aaaaaaaa", "abaaaaaa", "aa",   "ab",   "aa..", "ab..",
	                                     "aa.b",     "ab.b",     "aab.", "abb.", "aabb", "abbb"};
	enum { WANTED = sizeof wanted / sizeof *wanted };
	bool seen[WANTED] = {0};
	char letters[SECTORS + 2];

	(void)state;
	put_synced();
	put(TRACE_TRUNCATE, 2 * SECTOR, NULL, 0);
	put_sectors('b', 1, 3);
	struct states *states = states_open(in_folder("trace"), NULL);
	for (unsigned seed = 0; seed < SEEDS; seed++) {
		size_t i = 0;
		left(states, seed, letters);
		while (i < WANTED && strcmp(wanted[i], letters) != 0)
			i++;
		if (i == WANTED)
			fail_msg("seed %u leaves %s", seed, letters);
		seen[i] = true;
	}
	for (size_t i = 0; i < WANTED; i++)
		assert_true(seen[i]);
	states_free(states);
}

/* ---- */

static int setup(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/dev/shm/daystream-unit.XXXXXX");
	if (mkdtemp(folder))
		return 0;
	snprintf(folder, sizeof folder, "/tmp/daystream-unit.XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return unlink(in_folder("trace")) == 0 ? rmdir(folder) : -1;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(any_sector_that_was_not_synced_may_be_lost, setup, teardown),
	    cmocka_unit_test_setup_teardown(a_file_is_cut_off_as_a_whole_or_not_at_all, setup, teardown),
	    cmocka_unit_test_setup_teardown(what_is_written_behind_a_cut_is_not_there_without_it, setup, teardown),
	};

	return cmocka_run_group_tests_name("states", tests, NULL, NULL);
}
