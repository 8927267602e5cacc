/* Where lines end is found as memchr finds it, whatever the lines' lengths, and from wherever it is asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ends.h"

static uint64_t seed = 7;

static size_t any(size_t below)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (size_t)(seed >> 33) % below;
}

static void compare(const char *bytes, size_t len)
{
	const char *at = bytes, *to = bytes + len;
	struct ends ends;

	ends_init(&ends, bytes, to);
	while (at < to) {
		const char *end = memchr(at, '\n', (size_t)(to - at));
		assert_ptr_equal(ends_next(&ends, at), end ? end + 1 : NULL);
		if (!end)
			break;
		at = end + 1;
		at += any(4) == 0 && at < to ? any((size_t)(to - at)) : 0;
	}
}

static void ends_are_found_as_by_memchr(void **state)
{
	(void)state;
	for (int i = 0; i < 3000; i++) {
		size_t len = any(i % 10 == 0 ? 4 * ENDS_LEN : 300), apart = any(10) == 0 ? 1 : 1 + any(400);
		char *bytes = malloc(len + 1); /* of that size, so that valgrind and ASan see what is read behind it */
		assert_non_null(bytes);
		for (size_t b = 0; b < len; b++)
			bytes[b] = any(apart) == 0 ? '\n' : (char)(any(256) | 0x80);
		bytes = realloc(bytes, len ? len : 1);
		compare(bytes, len);
		free(bytes);
	}
}

static void every_byte_may_be_an_end(void **state)
{
	static char bytes[3 * ENDS_LEN + 17];

	(void)state;
	memset(bytes, '\n', sizeof bytes);
	for (size_t from = 0; from < 70; from++)
		compare(bytes + from, sizeof bytes - from);
	memset(bytes, 'x', sizeof bytes);
	compare(bytes, sizeof bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(ends_are_found_as_by_memchr),
	    cmocka_unit_test(every_byte_may_be_an_end),
	};
	return cmocka_run_group_tests_name("ends", tests, NULL, NULL);
}
