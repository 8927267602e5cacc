/* The sentence a person reads: what was said once is not said again for its numbers alone; and it is one
 * line. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "err.h"

static bool same(const char *a, const char *b)
{
	struct err x, y;

	err_set(&x, 0, "%s", a);
	err_set(&y, 0, "%s", b);
	return err_same(&x, &y);
}

static void numbers_make_no_other_sentence(void **state)
{
	(void)state;
	assert_true(same("", ""));
	assert_true(same("slot in use by 17", "slot in use by 4711"));
	assert_true(same("12 of 3 MB are free", "9 of 44 MB are free"));
}

static void words_do(void **state)
{
	(void)state;
	assert_false(same("", "refused"));
	assert_false(same("refused", ""));
	assert_false(same("refused", "refused again"));
	assert_false(same("after 17", "after 17 s"));
	assert_false(same("after 17", "after "));
	assert_false(same("connection refused", "connection reset"));
}

static void control_characters_are_blanks(void **state)
{
	char text[] = "a\nb\033]0;x\ac\177\xc2\x9b\xc3\xa9\xc2\xa0\xc2";

	(void)state;
	err_tidy(text);
	assert_string_equal(text, "a b ]0;x c   \xc3\xa9\xc2\xa0?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_make_no_other_sentence),
	    cmocka_unit_test(words_do),
	    cmocka_unit_test(control_characters_are_blanks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
