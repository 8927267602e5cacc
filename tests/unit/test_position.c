/* Positions, the numbers in them and LSNs: one spelling each. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "position.h"

static size_t number(const char *text, uint64_t *value)
{
	return position_parse_number(text, strlen(text), value);
}

static bool position(const char *text, struct position *pos)
{
	return position_parse(text, strlen(text), pos);
}

static bool lsn(const char *text, uint64_t *value)
{
	return lsn_parse(text, strlen(text), value);
}

static void a_number_is_read_up_to_the_first_other_byte(void **state)
{
	uint64_t value = 7;

	(void)state;
	assert_int_equal(number("0", &value), 1);
	assert_int_equal(value, 0);
	assert_int_equal(number("1507507200", &value), 10);
	assert_int_equal(value, 1507507200);
	assert_int_equal(number("12x", &value), 2);
	assert_int_equal(value, 12);
	assert_int_equal(number("0.5", &value), 1);
	assert_int_equal(position_parse_number("1234", 2, &value), 2);
	assert_int_equal(value, 12);
}

static void a_number_of_any_length_is_read_before_any_byte(void **state)
{
	char text[48];
	uint64_t value;

	(void)state;
	for (unsigned digits = 1; digits <= 19; digits++)
		for (unsigned byte = 0; byte < 256; byte++) {
			uint64_t wanted = 0;
			memset(text, (int)byte, sizeof text);
			for (unsigned i = 0; i < digits; i++) {
				unsigned digit = i == 0 ? 1 + byte % 9 : (byte + 7 * i) % 10;
				text[i] = (char)('0' + digit);
				wanted = 10 * wanted + digit;
			}
			if (byte >= '0' && byte <= '9')
				text[digits] = '\t';
			for (size_t len = digits; len <= digits + 9; len++) {
				assert_int_equal(position_parse_number(text, len, &value), digits);
				assert_true(value == wanted);
			}
			assert_int_equal(position_parse_number(text, digits - 1, &value), digits - 1);
		}
}

static void a_number_has_no_sign_space_or_leading_zero(void **state)
{
	uint64_t value;
	static const char *const wrong[] = {"", "-1", "+1", " 1", "00", "01", "007", "x", ".", "/", ":"};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_int_equal(number(wrong[i], &value), 0);
}

static void the_largest_number_is_2_to_the_64_minus_1(void **state)
{
	uint64_t value;

	(void)state;
	assert_int_equal(number("18446744073709551615", &value), 20);
	assert_true(value == UINT64_MAX);
	assert_int_equal(number("18446744073709551616", &value), 0);
	assert_int_equal(number("18446744073709551620", &value), 0);
	assert_int_equal(number("99999999999999999999", &value), 0);
	assert_int_equal(number("184467440737095516150", &value), 0);
}

static void a_position_is_two_numbers_with_a_dot_between(void **state)
{
	struct position pos;
	static const char *const wrong[] = {"",
	                                    ".",
	                                    "1",
	                                    "1.",
	                                    ".1",
	                                    "1.2.3",
	                                    "01.2",
	                                    "1.02",
	                                    "1.2 ",
	                                    " 1.2",
	                                    "1,2",
	                                    "-1.2",
	                                    "1.-2",
	                                    "1..2",
	                                    "a.b",
	                                    "1.2x",
	                                    "1.2.",
	                                    "18446744073709551616.0",
	                                    "0.18446744073709551616"};

	(void)state;
	assert_true(position("1507507200.10", &pos));
	assert_true(pos.epoch == 1507507200 && pos.seq == 10);
	assert_true(position("0.0", &pos));
	assert_true(pos.epoch == 0 && pos.seq == 0);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(position(wrong[i], &pos));
	assert_false(position_parse("1.2\0", 4, &pos));
}

static void a_printed_position_reads_back(void **state)
{
	char text[POSITION_TEXT_MAX];
	struct position pos, largest = {UINT64_MAX, UINT64_MAX};

	(void)state;
	assert_string_equal(position_print(text, (struct position){1507507200, 10}), "1507507200.10");
	position_print(text, largest);
	assert_int_equal(strlen(text), POSITION_TEXT_MAX - 1);
	assert_true(position(text, &pos));
	assert_int_equal(position_cmp(pos, largest), 0);
}

static void positions_are_ordered_by_second_then_number(void **state)
{
	struct position low = {5, 9}, same = {5, 9}, next = {5, 10}, later = {6, 0};

	(void)state;
	assert_int_equal(position_cmp(low, same), 0);
	assert_true(position_cmp(low, next) < 0 && position_cmp(next, low) > 0);
	assert_true(position_cmp(next, later) < 0 && position_cmp(later, next) > 0);
	assert_true(position_cmp((struct position){0, 0}, (struct position){UINT64_MAX, 0}) < 0);
	assert_true(position_cmp((struct position){0, UINT64_MAX}, (struct position){0, 0}) > 0);
}

static void an_lsn_is_read_as_postgresql_prints_it(void **state)
{
	uint64_t value;
	char text[LSN_TEXT_MAX];

	(void)state;
	assert_true(lsn("16/B374D848", &value));
	assert_true(value == 0x16b374d848u);
	assert_string_equal(lsn_print(text, value), "16/B374D848");
	assert_true(lsn("0/0", &value));
	assert_true(value == 0);
	assert_true(lsn("FFFFFFFF/FFFFFFFF", &value));
	assert_true(value == UINT64_MAX);
	lsn_print(text, value);
	assert_int_equal(strlen(text), LSN_TEXT_MAX - 1);
	assert_string_equal(lsn_print(text, 0x100000001u), "1/1");
}

static void what_is_no_lsn_is_refused(void **state)
{
	uint64_t value;
	static const char *const wrong[] = {"",    "/",           "1",           "1/",   "/1",   "1/2/3", "g/1",
	                                    "1/g", "100000000/0", "0/100000000", " 1/2", "1/2 ", "1//2"};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(lsn(wrong[i], &value));
}

static void a_line_follows_without_a_gap(void **state)
{
	(void)state;
	struct position last = {7, 3};

	assert_true(position_follows(last, (struct position){7, 4}));
	assert_true(position_follows(last, (struct position){9, 0}));
	assert_false(position_follows(last, last));
	assert_false(position_follows(last, (struct position){7, 5}));
	assert_false(position_follows(last, (struct position){9, 1}));
	assert_false(position_follows(last, (struct position){6, 0}));
	assert_false(position_follows((struct position){7, UINT64_MAX}, (struct position){7, 0}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_line_follows_without_a_gap),
	    cmocka_unit_test(a_number_is_read_up_to_the_first_other_byte),
	    cmocka_unit_test(a_number_of_any_length_is_read_before_any_byte),
	    cmocka_unit_test(a_number_has_no_sign_space_or_leading_zero),
	    cmocka_unit_test(the_largest_number_is_2_to_the_64_minus_1),
	    cmocka_unit_test(a_position_is_two_numbers_with_a_dot_between),
	    cmocka_unit_test(a_printed_position_reads_back),
	    cmocka_unit_test(positions_are_ordered_by_second_then_number),
	    cmocka_unit_test(an_lsn_is_read_as_postgresql_prints_it),
	    cmocka_unit_test(what_is_no_lsn_is_refused),
	};

	return cmocka_run_group_tests_name("position", tests, NULL, NULL);
}
