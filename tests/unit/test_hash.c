/* Where there is no memory for a hash table, a program ends with a word. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define uthash_malloc(size) NULL
#include "hash.h"
#include "log.h"

struct item {
	int key;
	UT_hash_handle hh;
};

static void no_memory_is_told(void **state)
{
	char text[256] = "";
	int ends[2], status;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		struct item item = {.key = 1}, *all = NULL;
		dup2(ends[1], STDERR_FILENO);
		HASH_ADD_INT(all, key, &item);
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_FAILURE);
	assert_true(read(ends[0], text, sizeof text - 1) > 0);
	assert_string_equal(text, "daystream: error: out of memory\n");
	close(ends[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(no_memory_is_told)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
