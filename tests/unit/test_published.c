/* The order in which tables are copied. */
#include "fixture.h"
#include "published.h"

static void what_takes_a_moment_is_copied_first_then_the_largest(void **state)
{
	const struct published_table tables[] = {{.bytes = 5 << 20}, {.bytes = 100},     {.bytes = 9 << 20},
	                                         {.bytes = 5 << 20}, {.bytes = 1 << 20}, {.bytes = 0}};
	static const size_t want[] = {1, 4, 5, 2, 0, 3};
	size_t *order = published_order(tables, 6);

	(void)state;
	assert_non_null(order);
	assert_memory_equal(order, want, sizeof want);
	free(order);
}

static void no_table_has_no_order(void **state)
{
	size_t *order = published_order(NULL, 0);

	(void)state;
	assert_non_null(order);
	free(order);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_takes_a_moment_is_copied_first_then_the_largest),
	    cmocka_unit_test(no_table_has_no_order),
	};

	return cmocka_run_group_tests_name("published", tests, NULL, NULL);
}
