/* A table's name and its path component are one to one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "name.h"

static void spells(const char *schema, const char *table, const char *component)
{
	char path[NAME_PATH_MAX], s[NAME_RAW_MAX], t[NAME_RAW_MAX];

	assert_int_equal(name_join(path, schema, table), strlen(component));
	assert_string_equal(path, component);
	assert_true(name_split(component, strlen(component), s, t));
	assert_string_equal(s, schema);
	assert_string_equal(t, table);
}

static void a_table_of_public_has_its_bare_name(void **state)
{
	(void)state;
	spells("public", "zzz", "zzz");
	spells("public", "public", "public");
	spells("public", "two words", "two words");
	spells("public", "a-b", "a-b");
}

static void a_table_elsewhere_has_its_schema_before_a_dot(void **state)
{
	(void)state;
	spells("sales", "zzz", "sales.zzz");
	spells("Public", "zzz", "Public.zzz");
	spells("-s", "-t", "%2Ds.%2Dt");
}

static void bytes_that_a_path_or_a_list_needs_are_escaped(void **state)
{
	(void)state;
	spells("public", "public.x", "public%2Ex");
	spells("public", ".", "%2E");
	spells("public", "..", "%2E%2E");
	spells("a.b", "c.d", "a%2Eb.c%2Ed");
	spells("public", "a/b", "a%2Fb");
	spells("public", "a,b", "a%2Cb");
	spells("public", "100%", "100%25");
	spells("public", "%41", "%2541");
	spells("public", "-", "%2D");
	spells("public", "--", "%2D-");
	spells("public", "a\tb\nc\x7f", "a%09b%0Ac%7F");
	spells("public", "\\", "\\");
	spells("public", "*", "*");
	spells("public", "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f");
}

static void a_component_that_would_not_be_written_is_refused(void **state)
{
	char s[NAME_RAW_MAX], t[NAME_RAW_MAX];
	static const char *const wrong[] = {
	    "",    ".",   "..",   "a.",   ".a",  "a.b.c", "public.x", "public.", "%2e", "%41",
	    "%",   "%2",  "a%",   "a%2",  "%zz", "%2G",   "%00",      "a%2D",    "-a",  "s.-t",
	    "a,b", "a/b", "a\tb", "\x7f", "%2",  "%-1",   "% 1",      "a..b",    "%2A", "p%75blic.x",
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (name_split(wrong[i], strlen(wrong[i]), s, t))
			fail_msg("\"%s\" was taken", wrong[i]);
	assert_false(name_split("a\0b", 3, s, t));
}

static void each_name_of_two_bytes_has_a_component_of_its_own(void **state)
{
	char name[3] = {0}, part[6], back[NAME_RAW_MAX];

	(void)state;
	for (int a = 1; a < 256; a++) {
		for (int b = 1; b < 256; b++) {
			name[0] = (char)a;
			name[1] = (char)b;
			size_t len = name_encode(part, name, 2);
			/* Reading gives the name again, so no two names share a spelling. */
			assert_int_equal(name_decode(back, part, len), 2);
			assert_memory_equal(back, name, 3);
			assert_null(memchr(part, '/', len));
			assert_null(memchr(part, '.', len));
			assert_null(memchr(part, ',', len));
		}
	}
}

static void each_name_has_only_one_spelling(void **state)
{
	char part[3], spelt[9], name[NAME_RAW_MAX];

	/* Of all parts of three bytes, those that are taken are the written ones. */
	(void)state;
	for (int a = 0; a < 256; a++) {
		for (int b = 0; b < 256; b++) {
			for (int c = 0; c < 256; c += a == '%' ? 1 : 51) {
				part[0] = (char)a;
				part[1] = (char)b;
				part[2] = (char)c;
				long len = name_decode(name, part, 3);
				if (len < 0)
					continue;
				assert_int_equal(name_encode(spelt, name, (size_t)len), 3);
				assert_memory_equal(spelt, part, 3);
			}
		}
	}
}

static void the_longest_name_fits_and_a_longer_one_is_refused(void **state)
{
	char name[NAME_RAW_MAX + 1], path[NAME_PATH_MAX], s[NAME_RAW_MAX], t[NAME_RAW_MAX];

	(void)state;
	memset(name, '/', NAME_RAW_MAX);
	name[NAME_RAW_MAX] = 0;
	assert_int_equal(name_join(path, name, "t"), 0);
	assert_int_equal(name_join(path, "s", name), 0);

	name[NAME_RAW_MAX - 1] = 0;
	size_t len = name_join(path, name, name);
	assert_int_equal(len, 2 * 3 * (NAME_RAW_MAX - 1) + 1);
	assert_true(name_split(path, len, s, t));
	assert_string_equal(s, name);
	assert_string_equal(t, name);

	memset(path, 'a', NAME_RAW_MAX);
	assert_false(name_split(path, NAME_RAW_MAX, s, t));
	assert_true(name_split(path, NAME_RAW_MAX - 1, s, t));
}

static void the_pairs_that_begin_a_tables_lines_give_its_name_again(void **state)
{
	static const char expected[] = "_schema\ta.\\tb\t_table\tzz\\\\z";
	char pairs[NAME_PAIRS_MAX], path[NAME_PATH_MAX];

	(void)state;
	size_t len = name_pairs(pairs, "a.\tb", "zz\\z");
	assert_int_equal(len, sizeof expected - 1);
	assert_memory_equal(pairs, expected, len);
	assert_int_equal(name_of_pairs(path, (struct span){pairs, len}), strlen("a%2E%09b.zz\\z"));
	assert_string_equal(path, "a%2E%09b.zz\\z");

	len = name_pairs(pairs, "public", "zzz");
	assert_int_equal(len, strlen("_table\tzzz"));
	assert_int_equal(name_of_pairs(path, (struct span){pairs, len}), 3);
	assert_string_equal(path, "zzz");
}

static void pairs_that_name_no_table_are_refused(void **state)
{
	static const char *const wrong[] = {"", "_table\t", "_table\ta\\x", "_schema\ts", "_schema\t\t_table\ta"};
	char path[NAME_PATH_MAX], name[2 * NAME_RAW_MAX] = "_table\t";

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (name_of_pairs(path, (struct span){wrong[i], strlen(wrong[i])}) > 0)
			fail_msg("\"%s\" was taken", wrong[i]);
	memset(name + 7, 'a', NAME_RAW_MAX);
	assert_int_equal(name_of_pairs(path, (struct span){name, 7 + NAME_RAW_MAX}), 0);
	assert_int_equal(name_of_pairs(path, (struct span){name, 7 + NAME_RAW_MAX - 1}), NAME_RAW_MAX - 1);
}

static void a_list_has_whole_names_only(void **state)
{
	(void)state;
	assert_true(name_listed("a,s.t,b", "a", 1));
	assert_true(name_listed("a,s.t,b", "s.t", 3));
	assert_true(name_listed("a,s.t,b", "b", 1));
	assert_false(name_listed("a,s.t,b", "s", 1));
	assert_false(name_listed("ab", "a", 1));
	assert_false(name_listed("", "a", 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_table_of_public_has_its_bare_name),
	    cmocka_unit_test(a_table_elsewhere_has_its_schema_before_a_dot),
	    cmocka_unit_test(bytes_that_a_path_or_a_list_needs_are_escaped),
	    cmocka_unit_test(a_component_that_would_not_be_written_is_refused),
	    cmocka_unit_test(each_name_of_two_bytes_has_a_component_of_its_own),
	    cmocka_unit_test(each_name_has_only_one_spelling),
	    cmocka_unit_test(the_longest_name_fits_and_a_longer_one_is_refused),
	    cmocka_unit_test(the_pairs_that_begin_a_tables_lines_give_its_name_again),
	    cmocka_unit_test(pairs_that_name_no_table_are_refused),
	    cmocka_unit_test(a_list_has_whole_names_only),
	};

	return cmocka_run_group_tests_name("name", tests, NULL, NULL);
}
