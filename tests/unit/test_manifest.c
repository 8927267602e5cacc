/* A snapshot's manifest: what is printed is read again, and nothing that was changed is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "manifest.h"

static struct manifest_table tables[] = {
    {"odd%2F\\\xc3\xa4", 0, 90, 0xffffffff},
    {"sales.zzz", UINT64_MAX, UINT64_MAX, 0},
    {"zzz", 2, 214, 0x00a1b2c3},
};

static struct manifest sample(void)
{
	return (struct manifest){
	    .position = {1507507200, 12},
	    .lsn = 0x16B374D848,
	    .visible = "745:748:745",
	    .origin = {.system = 7123, .timeline = 1, .generation = 2, .database = "a\tb\\", .slot = "daystream"},
	    .list = tables,
	    .count = 3,
	    .overlap_bytes = 812,
	    .overlap_crc = 0x5b5ebb68};
}

static char *print(const struct manifest *manifest, size_t *len)
{
	char *text;
	struct err err;

	assert_int_equal(manifest_print(manifest, &text, len, &err), 0);
	return text;
}

static void what_was_printed_is_read_again(void **state)
{
	struct manifest in = sample(), out;
	struct err err;
	size_t len;

	(void)state;
	for (int narrowed = 0; narrowed < 2; narrowed++) {
		in.tables = narrowed ? "sales.zzz,zzz" : NULL;
		in.existing = narrowed ? "16384 16390" : NULL;
		char *text = print(&in, &len);
		assert_int_equal(manifest_parse(&out, text, len, &err), 0);
		assert_int_equal(position_cmp(out.position, in.position), 0);
		assert_int_equal(out.lsn, in.lsn);
		assert_string_equal(out.visible, in.visible);
		assert_true(narrowed ? strcmp(out.tables, in.tables) == 0 : !out.tables);
		assert_true(narrowed ? strcmp(out.existing, in.existing) == 0 : !out.existing);
		assert_int_equal(out.origin.system, 7123);
		assert_int_equal(out.origin.generation, 2);
		assert_string_equal(out.origin.database, "a\tb\\");
		assert_string_equal(out.origin.slot, "daystream");
		assert_int_equal(out.count, 3);
		for (size_t i = 0; i < 3; i++) {
			const struct manifest_table *table = &out.list[i];
			assert_string_equal(table->name, tables[i].name);
			assert_int_equal(table->rows, tables[i].rows);
			assert_int_equal(table->bytes, tables[i].bytes);
			assert_int_equal(table->crc, tables[i].crc);
		}
		assert_int_equal(out.overlap_bytes, 812);
		assert_int_equal(out.overlap_crc, 0x5b5ebb68);
		manifest_fini(&out);
		free(text);
	}
}

static void one_that_was_cut_or_lengthened_is_refused(void **state)
{
	struct manifest in = sample(), out;
	struct err err;
	size_t len;
	char *text = print(&in, &len);

	(void)state;
	for (size_t cut = 0; cut < len; cut++) {
		assert_int_equal(manifest_parse(&out, text, cut, &err), -EBADMSG);
		manifest_fini(&out);
	}
	char *longer = malloc(len + 2);
	memcpy(longer, text, len);
	memcpy(longer + len, "x\n", 2);
	assert_int_equal(manifest_parse(&out, longer, len + 2, &err), -EBADMSG);
	manifest_fini(&out);
	free(longer);
	free(text);
}

static void one_with_any_changed_byte_is_refused(void **state)
{
	struct manifest in = sample(), out;
	struct err err;
	size_t len;
	char *text = print(&in, &len);

	(void)state;
	for (size_t i = 0; i < len; i++)
		for (int bit = 0; bit < 8; bit++) {
			text[i] = (char)(text[i] ^ 1 << bit);
			assert_int_equal(manifest_parse(&out, text, len, &err), -EBADMSG);
			manifest_fini(&out);
			text[i] = (char)(text[i] ^ 1 << bit);
		}
	free(text);
}

static void a_table_whose_name_leads_elsewhere_is_refused(void **state)
{
	static const char *const names[] = {"../zzz", "..",    ".", "a/b",  "/etc/passwd",
	                                    "%2f",    "a.b.c", "",  "a\nb", "-x"};
	struct manifest_table table = {.rows = 1};
	struct manifest in = sample(), out;
	struct err err;
	size_t len;

	(void)state;
	in.list = &table;
	in.count = 1;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		table.name = (char *)(uintptr_t)names[i];
		char *text = print(&in, &len);
		assert_int_equal(manifest_parse(&out, text, len, &err), -EBADMSG);
		manifest_fini(&out);
		free(text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_was_printed_is_read_again),
	    cmocka_unit_test(one_that_was_cut_or_lengthened_is_refused),
	    cmocka_unit_test(one_with_any_changed_byte_is_refused),
	    cmocka_unit_test(a_table_whose_name_leads_elsewhere_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
