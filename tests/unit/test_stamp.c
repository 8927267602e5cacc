/* The stamps of lines, one after the other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "stamp.h"

static struct stamp stamp;

static void is_printed(uint64_t epoch, uint64_t seq)
{
	char want[STAMP_MAX + 1], out[STAMP_MAX];
	struct position position = {epoch, seq};
	int n = snprintf(want, sizeof want, "_c\t%ju\t_s\t%ju\t", (uintmax_t)epoch, (uintmax_t)seq);

	assert_int_equal(stamp_print(out, position), n);
	assert_memory_equal(out, want, (size_t)n);
	assert_int_equal(stamp_print_next(&stamp, out, position), n);
	assert_memory_equal(out, want, (size_t)n);
}

static void a_stamp_says_the_line_s_position(void **state)
{
	(void)state;
	for (uint64_t seq = 0; seq < 1200; seq++)
		is_printed(1507507200, seq);
	is_printed(1507507201, 0);
	is_printed(1507507202, 1);
	is_printed(1507507202, 1);
	is_printed(1507507202, 3);
	is_printed(1507507202, 2); /* one was taken back */
	is_printed(0, 0);
	is_printed(UINT64_MAX, UINT64_MAX - 1);
	is_printed(UINT64_MAX, UINT64_MAX);
	is_printed(UINT64_MAX, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_stamp_says_the_line_s_position),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
