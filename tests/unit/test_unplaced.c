/* The tables whose changed rows no follower can find. */
#include "fixture.h"

#include "unplaced.h"

static struct unplaced unplaced;

static void line(struct line_head *head, const char *text)
{
	assert_true(line_parse(text, strlen(text), head));
}

static void a_table_is_named_once_and_as_a_path(void **state)
{
	struct line_head head;
	char text[100];

	(void)state;
	assert_string_equal(unplaced_print(text, sizeof text, &unplaced), "");
	for (int i = 0; i < 2; i++) {
		line(&head, "_table\ta\t_action\tdelete");
		assert_int_equal(unplaced_add(&unplaced, &head), 0);
		line(&head, "_schema\ta,b\t_table\tc\\td\t_action\tdelete");
		assert_int_equal(unplaced_add(&unplaced, &head), 0);
	}
	assert_int_equal(unplaced.added, 2);
	assert_string_equal(unplaced_print(text, sizeof text, &unplaced), "a,a%2Cb.c%09d");
	line(&head, "_table\ta\t_action\tdrop");
	unplaced_remove(&unplaced, &head);
	unplaced_remove(&unplaced, &head);
	assert_int_equal(unplaced.removed, 1);
	assert_string_equal(unplaced_print(text, sizeof text, &unplaced), "a%2Cb.c%09d");
	unplaced_fini(&unplaced);
}

static void names_that_do_not_fit_are_hinted_at(void **state)
{
	struct line_head head;
	char text[40], pair[60];

	(void)state;
	for (int i = 0; i < 20; i++) {
		snprintf(pair, sizeof pair, "_table\ttable%d\t_action\tdelete", i);
		line(&head, pair);
		assert_int_equal(unplaced_add(&unplaced, &head), 0);
	}
	for (size_t size = 5; size <= sizeof text; size++) {
		unplaced_print(text, size, &unplaced);
		assert_true(strlen(text) < size);
		assert_string_equal(text + strlen(text) - 3, "...");
	}
	assert_string_equal(text, "table0,table1,table2,table3,table4,...");
	unplaced_fini(&unplaced);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_table_is_named_once_and_as_a_path),
	    cmocka_unit_test(names_that_do_not_fit_are_hinted_at),
	};
	return cmocka_run_group_tests_name("unplaced", tests, NULL, NULL);
}
