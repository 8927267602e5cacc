/* A line as JSON: values as their types want them, and each action's object. tests/flow/97-json.sh turns all types back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "as_json.h"

static void is_value(const char *type, const char *text, const char *wanted)
{
	struct json_object *value = json_value(json_form_of(type), text, strlen(text));
	size_t len;

	assert_non_null(value);
	assert_string_equal(as_json_print(value, &len), wanted);
	json_object_put(value);
}

static void numbers_keep_their_digits(void **state)
{
	(void)state;
	is_value("integer", "-2147483648", "-2147483648");
	is_value("bigint", "9223372036854775807", "9223372036854775807");
	is_value("numeric(10,2)", "1.50", "1.50");
	is_value("numeric", "123456789012345678901234567890.0000000000000000000001",
	         "123456789012345678901234567890.0000000000000000000001");
	is_value("double precision", "1e-07", "1e-07");
	is_value("real", "-0", "-0");
	is_value("real", "1e+30", "1e+30");
}

static void what_is_no_number_of_json_is_a_string(void **state)
{
	(void)state;
	is_value("numeric", "NaN", "\"NaN\"");
	is_value("double precision", "-Infinity", "\"-Infinity\"");
	is_value("integer", "007", "\"007\"");
	is_value("integer", "1}", "\"1}\"");
	is_value("integer", "", "\"\"");
	is_value("integer", "-", "\"-\"");
	is_value("numeric", "1.", "\"1.\"");
	is_value("numeric", "1e", "\"1e\"");
	is_value("money", "12", "\"12\"");
}

static void booleans_are_true_and_false(void **state)
{
	(void)state;
	is_value("boolean", "1", "true");
	is_value("boolean", "0", "false");
	is_value("boolean[]", "{t,f,NULL}", "[true,false,null]");
	is_value("boolean", "maybe", "\"maybe\"");
}

static void text_is_escaped(void **state)
{
	(void)state;
	is_value("text", "a\"b\\c\n\t\x01\x7f/é", "\"a\\\"b\\\\c\\n\\t\\u0001\x7f/é\"");
	is_value("text", "", "\"\"");
	is_value("bytea", "\\x00ff", "\"\\\\x00ff\"");
	is_value("public.\"integer\"", "1", "\"1\"");
}

static void json_is_embedded_in_one_line(void **state)
{
	(void)state;
	is_value("jsonb", "{\"a\": 1.0}", "{\"a\": 1.0}");
	is_value("json", "{\n\t\"a\": \"x\\ny\"\r\n}", "{ \t\"a\": \"x\\ny\"  }");
}

static void timestamps_are_iso_8601(void **state)
{
	(void)state;
	is_value("timestamp without time zone", "2024-06-30 06:30:00.5", "\"2024-06-30T06:30:00.5\"");
	is_value("timestamp(3) with time zone", "2024-06-30 06:30:00.5+00", "\"2024-06-30T06:30:00.5+00:00\"");
	is_value("timestamp with time zone", "0044-03-15 12:00:00+00 BC", "\"0044-03-15T12:00:00+00:00 BC\"");
	is_value("timestamp with time zone", "infinity", "\"infinity\"");
	is_value("timestamp with time zone", "-infinity", "\"-infinity\"");
	is_value("date", "2024-06-30", "\"2024-06-30\"");
}

static void arrays_are_arrays(void **state)
{
	(void)state;
	is_value("integer[]", "{}", "[]");
	is_value("integer[]", "{{1,2},{3,NULL}}", "[[1,2],[3,null]]");
	is_value("text[]", "{a,\"NULL\",NULL,\"\",\"b \\\"c\\\\\",\"{,}\"}",
	         "[\"a\",\"NULL\",null,\"\",\"b \\\"c\\\\\",\"{,}\"]");
	is_value("jsonb[]", "{\"{\\\"a\\\": [1]}\",NULL}", "[{\"a\": [1]},null]");
	is_value("timestamp with time zone[]", "{\"2024-06-30 06:30:00+00\"}", "[\"2024-06-30T06:30:00+00:00\"]");
}

static void an_array_that_is_not_told_by_its_elements_alone_is_a_string(void **state)
{
	(void)state;
	is_value("integer[]", "[0:1]={7,8}", "\"[0:1]={7,8}\"");
	is_value("box[]", "{(1,1),(0,0);(2,2),(1,1)}", "\"{(1,1),(0,0);(2,2),(1,1)}\"");
	static const char *const broken[] = {"",     "{",      "{1",   "{1,}", "{,1}", "{1}x",
	                                     "{\"a", "{\"a\\", "{{1}", "{1}}", "x",    "{\"a\"b}"};
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		struct json_object *value = json_value(json_form_of("integer[]"), broken[i], strlen(broken[i]));
		assert_int_equal(json_object_get_type(value), json_type_string);
		assert_string_equal(json_object_get_string(value), broken[i]);
		json_object_put(value);
	}
}

static struct shape make_shape(const char *schema_line)
{
	struct shape shape = {0};
	struct line_head head;

	assert_true(line_parse(schema_line, strlen(schema_line), &head));
	assert_int_equal(definition_parse(&shape.definition, &head, NULL), 0);
	shape.types = calloc(shape.definition.column_count + 1, sizeof *shape.types);
	assert_non_null(shape.types);
	for (unsigned i = 0; i < shape.definition.column_count; i++)
		shape.types[i] = json_form_of(shape.definition.columns[i].base);
	return shape;
}

static const char zzz[] = "_c\t1507507200\t_s\t1\t_table\tzzz\t_xid\t745\t_relid\t16384\t_key\ta\t_action\tschema\t"
                          "a\tnumber\\t1\\ttype\\ttext\\tnotnull\\t1\\tpk\\t1\tb\tnumber\\t2\\ttype\\tinteger";

static void is_line(const char *line, const char *wanted)
{
	struct shape shape = make_shape(zzz);
	struct json_object *object = NULL;
	struct line_head head;
	struct err err = {""};
	size_t len;

	assert_true(line_parse(line, strlen(line), &head));
	if (as_json_line(&object, &head, &shape, &err) < 0)
		fail_msg("%s", err.text);
	assert_string_equal(as_json_print(object, &len), wanted);
	json_object_put(object);
	definition_fini(&shape.definition);
	free(shape.types);
}

#define HEAD "{\"position\":\"1507507200.10\",\"time\":\"2017-10-09T00:00:00Z\","

static void a_row_is_its_columns(void **state)
{
	(void)state;
	is_line("_c\t1507507200\t_s\t10\t_table\tzzz\t_xid\t88628916\t_action\tupdate\ta\tfox\\t61\tb\t7",
	        HEAD "\"schema\":\"public\",\"table\":\"zzz\",\"xid\":88628916,\"action\":\"update\","
	             "\"row\":{\"a\":\"fox\\t61\",\"b\":7}}");
	is_line("_c\t1507507200\t_s\t10\t_schema\ts\t_table\tzzz\t_xid\t1\t_action\tinsert\tb\t\\N",
	        HEAD "\"schema\":\"s\",\"table\":\"zzz\",\"xid\":1,\"action\":\"insert\",\"row\":{\"b\":null}}");
}

static void an_old_key_is_no_row(void **state)
{
	(void)state;
	is_line("_c\t1507507200\t_s\t10\t_table\tzzz\t_xid\t1\t_action\tdelete\ta\tx",
	        HEAD "\"schema\":\"public\",\"table\":\"zzz\",\"xid\":1,\"action\":\"delete\",\"old\":{\"a\":\"x\"}}");
	is_line("_c\t1507507200\t_s\t10\t_table\tzzz\t_xid\t1\t_action\ttruncate",
	        HEAD "\"schema\":\"public\",\"table\":\"zzz\",\"xid\":1,\"action\":\"truncate\"}");
}

static void what_is_of_no_table_is_told_too(void **state)
{
	(void)state;
	is_line("_c\t1507507200\t_s\t10\t_xid\t1\t_action\tcommit\tlsn\t16/B374D848\ttime\t2017-10-09 "
	        "00:00:00.5+00\tcrc\tf1d2de6a",
	        HEAD
	        "\"xid\":1,\"action\":\"commit\",\"lsn\":\"16/B374D848\",\"committed\":\"2017-10-09T00:00:00.5+00:00\","
	        "\"crc\":\"f1d2de6a\"}");
	is_line("_c\t1507507200\t_s\t10\t_xid\t1\t_action\tmessage\tprefix\tp\tcontent\t\\N",
	        HEAD "\"xid\":1,\"action\":\"message\",\"prefix\":\"p\",\"content\":null}");
	is_line(zzz, "{\"position\":\"1507507200.1\",\"time\":\"2017-10-09T00:00:00Z\",\"schema\":\"public\",\"table\":"
	             "\"zzz\",\"xid\":745,\"action\":\"schema\",\"relid\":16384,\"key\":[\"a\"],\"columns\":[{\"name\":"
	             "\"a\",\"number\":1,\"type\":\"text\",\"notnull\":true,\"pk\":1},{\"name\":\"b\",\"number\":2,"
	             "\"type\":\"integer\"}]}");
}

static void a_line_that_cannot_be_read_is_an_error(void **state)
{
	static const char *const wrong[] = {
	    "_c\t1\t_s\t1\t_table\tzzz\t_xid\t1\t_action\tinsert\ta\tx\\y",
	    "_c\t1\t_s\t1\t_table\tzzz\t_xid\t1\t_action\tinsert\ta",
	    "_c\t1\t_s\t1\t_table\tzzz\t_xid\t1\t_relid\t1\t_key\ta,,b\t_action\tschema",
	};
	struct shape shape = make_shape(zzz);

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct json_object *object;
		struct line_head head;
		struct err err = {""};
		assert_true(line_parse(wrong[i], strlen(wrong[i]), &head));
		assert_int_equal(as_json_line(&object, &head, &shape, &err), -EBADMSG);
		assert_null(object);
	}
	definition_fini(&shape.definition);
	free(shape.types);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(numbers_keep_their_digits),
	    cmocka_unit_test(what_is_no_number_of_json_is_a_string),
	    cmocka_unit_test(booleans_are_true_and_false),
	    cmocka_unit_test(text_is_escaped),
	    cmocka_unit_test(json_is_embedded_in_one_line),
	    cmocka_unit_test(timestamps_are_iso_8601),
	    cmocka_unit_test(arrays_are_arrays),
	    cmocka_unit_test(an_array_that_is_not_told_by_its_elements_alone_is_a_string),
	    cmocka_unit_test(a_row_is_its_columns),
	    cmocka_unit_test(an_old_key_is_no_row),
	    cmocka_unit_test(what_is_of_no_table_is_told_too),
	    cmocka_unit_test(a_line_that_cannot_be_read_is_an_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
