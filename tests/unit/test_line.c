/* The line codec, and the crc sample of docs/FORMAT.md. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "crc32c.h"
#include "line.h"
#include "sample.h"

static struct span span_of(const char *text)
{
	return (struct span){text, strlen(text)};
}

static bool parse(const char *line, struct line_head *head)
{
	return line_parse(line, strlen(line), head);
}

static void escapes(const char *raw, const char *escaped)
{
	char out[64], back[64];
	size_t len = line_escape(out, raw, strlen(raw));

	assert_int_equal(len, strlen(escaped));
	assert_memory_equal(out, escaped, len);
	assert_int_equal(line_unescape(back, (struct span){out, len}), strlen(raw));
	assert_memory_equal(back, raw, strlen(raw));
}

static void bytes_are_escaped_as_in_copy(void **state)
{
	(void)state;
	escapes("", "");
	escapes("fox61", "fox61");
	escapes("\\", "\\\\");
	escapes("\t\n\r\b\f\v\\", "\\t\\n\\r\\b\\f\\v\\\\");
	escapes("a\tb", "a\\tb");
	escapes("\x01\x1f\x7f\xff", "\x01\x1f\x7f\xff");
	escapes("\\N", "\\\\N");
}

static void any_two_bytes_survive_the_way_there_and_back(void **state)
{
	char raw[2], out[4], back[4];

	(void)state;
	for (int a = 0; a < 256; a++) {
		for (int b = 0; b < 256; b++) {
			raw[0] = (char)a;
			raw[1] = (char)b;
			size_t len = line_escape(out, raw, 2);
			assert_null(memchr(out, '\t', len));
			assert_null(memchr(out, '\n', len));
			assert_false(line_is_null((struct span){out, len}));
			assert_int_equal(line_unescape(back, (struct span){out, len}), 2);
			assert_memory_equal(back, raw, 2);
		}
	}
}

static void a_value_may_be_unescaped_in_place(void **state)
{
	char text[] = "a\\tb\\\\c\\n";

	(void)state;
	assert_int_equal(line_unescape(text, span_of(text)), 6);
	assert_memory_equal(text, "a\tb\\c\n", 6);
}

static void a_backslash_before_no_known_letter_is_refused(void **state)
{
	char out[8];

	(void)state;
	for (int letter = 0; letter < 256; letter++) {
		char text[2] = {'\\', (char)letter};
		bool known = letter && strchr("\\tnrbfv", letter);
		assert_int_equal(line_unescape(out, (struct span){text, 2}), known ? 1 : -1);
	}
}

static void a_lone_backslash_at_the_end_is_refused(void **state)
{
	char out[8];

	(void)state;
	assert_int_equal(line_unescape(out, span_of("\\")), -1);
	assert_int_equal(line_unescape(out, span_of("ab\\")), -1);
	assert_int_equal(line_unescape(out, span_of("\\\\\\")), -1);
	/* The letter stands there, but behind the value's end. */
	assert_int_equal(line_unescape(out, (struct span){"a\\t", 2}), -1);
}

static void null_is_not_the_text_backslash_n(void **state)
{
	char out[8];

	(void)state;
	assert_true(line_is_null(span_of("\\N")));
	assert_false(line_is_null(span_of("\\\\N")));
	assert_false(line_is_null(span_of("\\n")));
	assert_false(line_is_null(span_of("\\NN")));
	assert_false(line_is_null(span_of("N")));
	assert_false(line_is_null(span_of("")));
	assert_int_equal(line_unescape(out, span_of("\\\\N")), 2);
	assert_memory_equal(out, "\\N", 2);
}

static void plain_bytes_are_counted_up_to_the_first_to_be_escaped(void **state)
{
	(void)state;
	assert_int_equal(line_plain_len("abc", 3), 3);
	assert_int_equal(line_plain_len("ab\tc", 4), 2);
	assert_int_equal(line_plain_len("\\", 1), 0);
	assert_int_equal(line_plain_len("ab\tc", 2), 2);
	assert_int_equal(line_plain_len("", 0), 0);
	assert_int_equal(line_plain_len("\0\x01\x07\x0e\x1f\xff", 6), 6);
}

/* Whole blocks are looked at, then eight bytes, then single ones. */
static void any_byte_is_found_at_any_place(void **state)
{
	char text[48], out[sizeof text + 1];

	(void)state;
	for (size_t len = 1; len <= sizeof text; len++) {
		for (size_t at = 0; at < len; at++) {
			for (int byte = 0; byte < 256; byte++) {
				memset(text, 'x', sizeof text);
				text[at] = (char)byte;
				bool escaped = byte != 0 && strchr("\\\t\n\r\b\f\v", byte);
				assert_int_equal(line_plain_len(text, len), escaped ? at : len);

				bool odd = byte < ' ' || byte >= 0x80 || byte == '\\';
				memset(out, '#', sizeof out);
				assert_int_equal(line_copy_plain(out, text, len), odd ? at : len);
				assert_memory_equal(out, text, odd ? at : len);
				assert_int_equal(out[len], '#');
			}
		}
	}
}

static void pairs_are_taken_one_by_one(void **state)
{
	struct span rest = span_of("a\t1\t\t\tb\t"), name, value;

	(void)state;
	assert_int_equal(line_next(&rest, &name, &value), 1);
	assert_true(span_is(name, "a") && span_is(value, "1"));
	assert_int_equal(line_next(&rest, &name, &value), 1);
	assert_true(span_is(name, "") && span_is(value, ""));
	assert_int_equal(line_next(&rest, &name, &value), 1);
	assert_true(span_is(name, "b") && span_is(value, ""));
	assert_int_equal(line_next(&rest, &name, &value), 0);
	assert_int_equal(line_next(&rest, &name, &value), 0);
}

static void a_name_without_a_value_is_an_error(void **state)
{
	struct span name, value;
	static const char *const wrong[] = {"", "a", "a\t1\tb", "a\t1\t"};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct span rest = span_of(wrong[i]);
		int more;
		while ((more = line_next(&rest, &name, &value)) == 1)
			;
		assert_int_equal(more, -1);
	}
}

static void an_empty_value_is_not_an_absent_one(void **state)
{
	struct line_head head;

	(void)state;
	assert_true(parse("_table\t\t_xid\t1\t_action\tinsert\ta\t", &head));
	assert_non_null(head.table.at);
	assert_int_equal(head.table.len, 0);
	assert_null(head.schema.at);
	assert_true(span_is(head.table, ""));
	assert_false(span_is(head.schema, ""));
	assert_int_equal(head.pairs.len, 2);
}

static void all_pseudo_columns_are_split_off(void **state)
{
	struct line_head head;

	(void)state;
	assert_true(
	    parse("_c\t1507507200\t_s\t10\t_schema\ts\\tx\t_table\tzzz\t_xid\t88628916\t_relid\t16384\t_key\ta,b\t"
	          "_action\tschema\ta\t1",
	          &head));
	assert_true(head.stamped && head.position.epoch == 1507507200 && head.position.seq == 10);
	assert_true(span_is(head.schema, "s\\tx") && span_is(head.table, "zzz") && span_is(head.xid, "88628916"));
	assert_true(span_is(head.relid, "16384") && span_is(head.key, "a,b") && span_is(head.action, "schema"));
	assert_true(span_is(head.table_pairs, "_schema\ts\\tx\t_table\tzzz"));
	assert_true(span_is(head.pairs, "a\t1"));
}

static void a_line_without_a_stamp_or_a_table_is_one_too(void **state)
{
	struct line_head head;

	(void)state;
	assert_true(parse("_table\tzzz\t_xid\t1\t_action\ttruncate", &head));
	assert_false(head.stamped);
	assert_true(span_is(head.table_pairs, "_table\tzzz"));
	assert_null(head.pairs.at);

	assert_true(parse("_c\t5\t_s\t0\t_action\torigin\tsystem\t1", &head));
	assert_true(head.stamped);
	assert_null(head.table.at);
	assert_null(head.table_pairs.at);
	assert_null(head.xid.at);
}

static void a_column_named_like_a_pseudo_column_is_harmless(void **state)
{
	struct line_head head;
	struct span rest, name, value;

	(void)state;
	assert_true(parse("_table\tt\t_xid\t1\t_action\tinsert\t_action\tdelete\t_c\t9\t_table\tu", &head));
	assert_true(span_is(head.action, "insert") && span_is(head.table, "t"));
	assert_false(head.stamped);
	rest = head.pairs;
	assert_int_equal(line_next(&rest, &name, &value), 1);
	assert_true(span_is(name, "_action") && span_is(value, "delete"));
}

static void pseudo_columns_out_of_their_order_are_refused(void **state)
{
	struct line_head head;
	static const char *const wrong[] = {
	    "_s\t0\t_c\t5\t_action\tcommit",
	    "_table\tt\t_c\t5\t_s\t0\t_action\tinsert",
	    "_xid\t1\t_table\tt\t_action\tinsert",
	    "_table\tt\t_schema\ts\t_action\tinsert",
	    "_table\tt\t_key\ta\t_relid\t5\t_action\tschema",
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (parse(wrong[i], &head))
			fail_msg("taken: %s", wrong[i]);
	/* What follows _action is the row's and not looked at here. */
	assert_true(parse("_table\tt\t_action\tinsert\t_xid", &head));
}

static void doubled_and_unknown_pseudo_columns_are_refused(void **state)
{
	struct line_head head;
	static const char *const wrong[] = {
	    "_table\tt\t_table\tt\t_action\tinsert",
	    "_xid\t1\t_xid\t1\t_action\tinsert",
	    "_c\t5\t_s\t0\t_c\t5\t_s\t0\t_action\tcommit",
	    "_table\tt\t_what\t1\t_action\tinsert",
	    "a\t1\t_action\tinsert",
	    "_tab\tt\t_action\tinsert",
	    "_tables\tt\t_action\tinsert",
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (parse(wrong[i], &head))
			fail_msg("taken: %s", wrong[i]);
}

static void a_line_needs_an_action_and_a_schema_its_table(void **state)
{
	struct line_head head;
	static const char *const wrong[] = {
	    "", "\t", "_action", "_table\tt", "_table\tt\t_xid\t1", "_schema\ts\t_action\tinsert", "_action\0x\ty",
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (parse(wrong[i], &head))
			fail_msg("taken: %s", wrong[i]);
	assert_true(parse("_action\t", &head));
	assert_int_equal(head.action.len, 0);
}

static void a_stamp_is_two_numbers(void **state)
{
	struct line_head head;
	static const char *const wrong[] = {
	    "_c\t5\t_action\tcommit",
	    "_s\t5\t_action\tcommit",
	    "_c\t\t_s\t0\t_action\tcommit",
	    "_c\t5\t_s\t\t_action\tcommit",
	    "_c\t05\t_s\t0\t_action\tcommit",
	    "_c\t5\t_s\t00\t_action\tcommit",
	    "_c\t-5\t_s\t0\t_action\tcommit",
	    "_c\t5x\t_s\t0\t_action\tcommit",
	    "_c\t5\t_s\t0 \t_action\tcommit",
	    "_c\t18446744073709551616\t_s\t0\t_action\tcommit",
	    "_c\t5\t_table\tt\t_s\t0\t_action\tinsert",
	    "_c\t5\t_s",
	    "_c",
	};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		if (parse(wrong[i], &head))
			fail_msg("taken: %s", wrong[i]);
	assert_true(parse("_c\t0\t_s\t18446744073709551615\t_action\tcommit", &head));
	assert_true(head.position.epoch == 0 && head.position.seq == UINT64_MAX);
}

static void assert_same_head(const struct line_head *a, const struct line_head *b)
{
	const struct span *const spans[][2] = {{&a->schema, &b->schema}, {&a->table, &b->table},
	                                       {&a->xid, &b->xid},       {&a->relid, &b->relid},
	                                       {&a->key, &b->key},       {&a->action, &b->action},
	                                       {&a->pairs, &b->pairs},   {&a->table_pairs, &b->table_pairs}};

	for (size_t i = 0; i < sizeof spans / sizeof *spans; i++) {
		assert_ptr_equal(spans[i][0]->at, spans[i][1]->at);
		assert_int_equal(spans[i][0]->len, spans[i][1]->len);
	}
	assert_int_equal(a->stamped, b->stamped);
	assert_int_equal(a->stamp_len, b->stamp_len);
	assert_int_equal(position_cmp(a->position, b->position), 0);
}

static void a_head_as_the_one_before_is_found_the_same(void **state)
{
	static const char *const lines[] = {
	    "_c\t7\t_s\t8\t_table\tt\t_xid\t9\t_action\tupdate\ta\t1\tb\t2",
	    "_c\t7\t_s\t9\t_table\tt\t_xid\t9\t_action\tupdate\tb\t3",
	    "_c\t17\t_s\t10\t_table\tt\t_xid\t9\t_action\tupdate\ta\t",
	    "_c\t17\t_s\t11\t_table\tt\t_xid\t9\t_action\tupdate\t",
	    "_c\t17\t_s\t11\t_table\tt\t_xid\t9\t_action\tupdate",
	    "_c\t17\t_s\t12\t_table\tt\t_xid\t9\t_action\tupdated\ta\t1",
	    "_c\t17\t_s\t12\t_table\tt\t_xid\t9\t_action\tupdate\ta\t1",
	    "_table\tt\t_xid\t9\t_action\tupdate\ta\t1",
	    "_table\tt\t_xid\t9\t_action\tupdate\ta\t2",
	    "_c\t17\t_s\t13\t_schema\ts\t_table\tt\t_xid\t9\t_action\tupdate\ta\t1",
	    "_c\t17\t_s\t14\t_schema\ts\t_table\tt\t_relid\t5\t_key\ta\t_action\tschema\ta\tnumber",
	    "_c\t17\t_s\t15\t_schema\ts\t_table\tt\t_relid\t5\t_key\ta\t_action\tschema\ta\ttype",
	    "_c\t17\t_s\tx\t_schema\ts\t_table\tt\t_relid\t5\t_key\ta\t_action\tschema\ta\ttype",
	    "_c\t17\t_s\t15",
	    "_c\t17\t_s\t15\t",
	    "_action\tcommit\tlsn\t0/1",
	    "_action\tcommit\tlsn\t0/2",
	    "",
	};
	enum { COUNT = sizeof lines / sizeof *lines };

	(void)state;
	for (size_t first = 0; first < COUNT; first++)
		for (size_t i = 0; i < COUNT; i++) {
			struct line_before before = {.len = 0};
			struct line_head head, same, again;
			line_parse_next(&before, lines[first], strlen(lines[first]), &head);
			bool good = parse(lines[i], &head);
			assert_int_equal(line_parse_next(&before, lines[i], strlen(lines[i]), &same), good);
			if (!good)
				continue;
			assert_same_head(&head, &same);
			again = (struct line_head){
			    .stamped = head.stamped, .stamp_len = head.stamp_len, .position = head.position};
			assert_true(line_parse_rest(lines[i], strlen(lines[i]), &again));
			assert_same_head(&head, &again);
		}
}

static void what_is_the_same_as_the_line_before_says_so(void **state)
{
	static const struct {
		const char *line;
		bool good, same;
	} lines[] = {
	    {"_c\t7\t_s\t8\t_table\tt\t_xid\t9\t_action\tupdate\ta\t1", true, false},
	    {"_c\t7\t_s\t9\t_table\tt\t_xid\t9\t_action\tupdate\tb\t2", true, true},
	    {"_c\t17\t_s\t10\t_table\tt\t_xid\t9\t_action\tupdate\ta\t1", true, true},
	    {"_c\t17\t_s\t11\t_table\tt\t_xid\t10\t_action\tupdate\ta\t1", true, false},
	    {"_c\t17\t_s\t12\t_table\tt\t_xid\t10\t_action\tupdate\ta\t1", true, true},
	    {"_c\t17\t_s\tx\t_table\tt\t_xid\t10\t_action\tupdate\ta\t1", false, false},
	    {"_c\t17\t_s\t13\t_table\tt\t_xid\t10\t_action\tupdate\ta\t1", true, false},
	    {"nothing", false, false},
	    {"_c\t17\t_s\t14\t_table\tt\t_xid\t10\t_action\tupdate\ta\t1", true, false},
	    {"_c\t17\t_s\t15\t_table\tt\t_xid\t10\t_action\tupdate", true, false},
	    {"_c\t17\t_s\t16\t_table\tt\t_xid\t10\t_action\tupdate", true, false},
	};
	struct line_before before = {.len = 0};
	struct line_head head;

	(void)state;
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		const char *line = lines[i].line;
		assert_int_equal(line_parse_next(&before, line, strlen(line), &head), lines[i].good);
		if (lines[i].good)
			assert_int_equal(head.same, lines[i].same);
		assert_false(parse(line, &head) && head.same);
	}
}

static void a_long_head_is_taken_apart_each_time(void **state)
{
	struct line_before before = {.len = 0};
	struct line_head head, same;
	char line[600];

	(void)state;
	for (int len = 200; len < 400; len++)
		for (int twice = 0; twice < 2; twice++) {
			snprintf(line, sizeof line, "_table\t%0*d\t_action\tdelete\ta\t%d", len, 0, twice);
			assert_true(parse(line, &head));
			assert_true(line_parse_next(&before, line, strlen(line), &same));
			assert_same_head(&head, &same);
		}
}

static void a_value_ends_where_the_next_name_begins(void **state)
{
	static const char bytes[] = {'\t', '\\', '\b', '\n', ']', '[', '\0', '\x80', (char)0x89, (char)0xdc, 'x'};
	char text[40];
	bool escaped;

	(void)state;
	for (unsigned seed = 1; seed < 40000; seed++) {
		unsigned chance = seed * 2654435761u, len = seed % sizeof text;
		for (unsigned i = 0; i < len; i++) {
			chance = chance * 1103515245u + 12345u;
			text[i] = chance >> 16 & 3 ? 'y' : bytes[(chance >> 20) % sizeof bytes];
		}
		const char *tab = memchr(text, '\t', len);
		size_t value = tab ? (size_t)(tab - text) : len;
		assert_int_equal(line_value_len(text, len, &escaped), value);
		assert_int_equal(escaped, memchr(text, '\\', value) != NULL);
	}
}

static void names_may_hold_tabs_when_escaped(void **state)
{
	struct line_head head;
	struct span name, value;
	char out[16];

	(void)state;
	assert_true(parse("_table\tt\\tu\t_xid\t1\t_action\tinsert\ta\\tb\t1", &head));
	assert_int_equal(line_unescape(out, head.table), 3);
	assert_memory_equal(out, "t\tu", 3);
	assert_int_equal(line_next(&head.pairs, &name, &value), 1);
	assert_int_equal(line_unescape(out, name), 3);
	assert_memory_equal(out, "a\tb", 3);
}

static void the_crc_sample_of_the_format_page_is_right(void **state)
{
	char *text = sample_read("crc"), *end, printed[9];
	struct line_head head;
	struct span name, value = {0};
	struct position before = {0};
	int lines = 0;

	(void)state;
	for (char *line = text; *line; line = end + 1, lines++) {
		end = strchr(line, '\n');
		assert_non_null(end);
		assert_true(line_parse(line, (size_t)(end - line), &head));
		assert_true(head.stamped);
		assert_true(lines == 0 || position_cmp(before, head.position) < 0);
		before = head.position;
	}
	assert_int_equal(lines, 4);
	assert_true(span_is(head.action, "commit"));
	while (line_next(&head.pairs, &name, &value) == 1)
		if (span_is(name, "crc"))
			break;
	assert_true(span_is(name, "crc"));
	snprintf(printed, sizeof printed, "%08x", crc32c(0, text, (size_t)(name.at - text)));
	assert_int_equal(value.len, 8);
	assert_memory_equal(value.at, printed, 8);
	free(text);
}

static void characters_of_utf8_are_counted_while_they_are_whole(void **state)
{
	(void)state;
	assert_int_equal(line_utf8_len("a\xc3\xa9\xc3", 4), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(characters_of_utf8_are_counted_while_they_are_whole),
	    cmocka_unit_test(bytes_are_escaped_as_in_copy),
	    cmocka_unit_test(any_two_bytes_survive_the_way_there_and_back),
	    cmocka_unit_test(a_value_may_be_unescaped_in_place),
	    cmocka_unit_test(a_backslash_before_no_known_letter_is_refused),
	    cmocka_unit_test(a_lone_backslash_at_the_end_is_refused),
	    cmocka_unit_test(null_is_not_the_text_backslash_n),
	    cmocka_unit_test(plain_bytes_are_counted_up_to_the_first_to_be_escaped),
	    cmocka_unit_test(any_byte_is_found_at_any_place),
	    cmocka_unit_test(pairs_are_taken_one_by_one),
	    cmocka_unit_test(a_name_without_a_value_is_an_error),
	    cmocka_unit_test(an_empty_value_is_not_an_absent_one),
	    cmocka_unit_test(all_pseudo_columns_are_split_off),
	    cmocka_unit_test(a_line_without_a_stamp_or_a_table_is_one_too),
	    cmocka_unit_test(a_column_named_like_a_pseudo_column_is_harmless),
	    cmocka_unit_test(pseudo_columns_out_of_their_order_are_refused),
	    cmocka_unit_test(doubled_and_unknown_pseudo_columns_are_refused),
	    cmocka_unit_test(a_line_needs_an_action_and_a_schema_its_table),
	    cmocka_unit_test(a_stamp_is_two_numbers),
	    cmocka_unit_test(a_head_as_the_one_before_is_found_the_same),
	    cmocka_unit_test(what_is_the_same_as_the_line_before_says_so),
	    cmocka_unit_test(a_long_head_is_taken_apart_each_time),
	    cmocka_unit_test(a_value_ends_where_the_next_name_begins),
	    cmocka_unit_test(names_may_hold_tabs_when_escaped),
	    cmocka_unit_test(the_crc_sample_of_the_format_page_is_right),
	};

	return cmocka_run_group_tests_name("line", tests, NULL, NULL);
}
