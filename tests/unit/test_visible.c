/* What a snapshot sees, by the text of pg_current_snapshot(). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>

#include "visible.h"

static void sees(const char *snapshot, uint64_t xid, bool wanted)
{
	struct visible visible;
	struct err err;

	assert_int_equal(visible_parse(&visible, snapshot, &err), 0);
	assert_string_equal(visible.text, snapshot);
	assert_int_equal(visible_has(&visible, xid), wanted);
	visible_fini(&visible);
}

static void what_ended_before_xmin_is_visible(void **state)
{
	(void)state;
	sees("745:745:", 744, true);
	sees("745:750:745,747", 744, true);
}

static void what_began_at_or_behind_xmax_is_not(void **state)
{
	(void)state;
	sees("745:745:", 745, false);
	sees("745:750:745,747", 750, false);
	sees("745:750:745,747", UINT64_MAX, false);
}

static void between_them_all_but_the_running_ones_are(void **state)
{
	(void)state;
	sees("745:750:745,747,749", 745, false);
	sees("745:750:745,747,749", 746, true);
	sees("745:750:745,747,749", 747, false);
	sees("745:750:745,747,749", 748, true);
	sees("745:750:745,747,749", 749, false);
}

static void ids_have_64_bits(void **state)
{
	(void)state;
	sees("4294967299:4294967305:4294967300", 4294967300, false);
	sees("4294967299:4294967305:4294967300", 4294967301, true);
	sees("4294967299:4294967305:4294967300", 5, true);
}

static void what_is_no_snapshot_is_refused(void **state)
{
	static const char *const bad[] = {
	    "",        "1",       "1:2",     ":2:",     "1::",   "2:1:",   "1:2:0",
	    "1:5:2,2", "1:5:3,2", "1:5:2,",  "1:5:,2",  "1:5:5", "1:5:2 ", " 1:5:2",
	    "01:5:2",  "-1:5:2",  "1:5:2:3", "1,5:2:3", "1:5,2", "a:5:2",  "99999999999999999999:1:"};

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct visible visible;
		struct err err;
		assert_int_equal(visible_parse(&visible, bad[i], &err), -EBADMSG);
		visible_fini(&visible);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_ended_before_xmin_is_visible),
	    cmocka_unit_test(what_began_at_or_behind_xmax_is_not),
	    cmocka_unit_test(between_them_all_but_the_running_ones_are),
	    cmocka_unit_test(ids_have_64_bits),
	    cmocka_unit_test(what_is_no_snapshot_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
