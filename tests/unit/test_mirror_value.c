/* Values keep their meaning, or are refused. */
#include "test_mirror_stream.h"

#include <math.h>

#include "value.h"

/* Binds the escaped text as `base` has it into a column declared for it and leaves the row on
 * `stmt`; NULL where it is refused. */
static sqlite3_stmt *through(sqlite3 *db, const char *base, const char *text)
{
	enum storage storage = value_storage(base, NUMERIC_TEXT);
	struct span value = {text, strlen(text)};
	struct value_room room = {0};
	struct err err;
	sqlite3_stmt *stmt;
	char sql[100];

	snprintf(sql, sizeof sql, "DROP TABLE IF EXISTS t; CREATE TABLE t (v %s)", value_declaration(storage));
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_prepare_v2(db, "INSERT INTO t VALUES (?1)", -1, &stmt, NULL);
	assert_int_equal(value_room_reset(&room, value.len, &err), 0);
	int rc = value_bind(stmt, 1, storage, value, &room, &err);
	if (rc == 0)
		assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
	else
		assert_int_equal(rc, -EBADMSG);
	sqlite3_finalize(stmt);
	value_room_fini(&room);
	if (rc < 0)
		return NULL;
	sqlite3_prepare_v2(db, "SELECT v, typeof(v), quote(v) FROM t", -1, &stmt, NULL);
	assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
	return stmt;
}

static void becomes(sqlite3 *db, const char *base, const char *text, const char *type, const char *quoted)
{
	sqlite3_stmt *stmt = through(db, base, text);

	if (!stmt)
		fail_msg("%s %s is refused", base, text);
	assert_string_equal((const char *)sqlite3_column_text(stmt, 1), type);
	assert_string_equal((const char *)sqlite3_column_text(stmt, 2), quoted);
	sqlite3_finalize(stmt);
}

static void refuses(sqlite3 *db, const char *base, const char *text)
{
	sqlite3_stmt *stmt = through(db, base, text);

	sqlite3_finalize(stmt);
	if (stmt)
		fail_msg("%s %s is taken", base, text);
}

static void comes_back(sqlite3 *db, const char *text, double want)
{
	sqlite3_stmt *stmt = through(db, "double precision", text);
	double got;

	assert_non_null(stmt);
	assert_int_equal(sqlite3_column_type(stmt, 0), SQLITE_FLOAT);
	got = sqlite3_column_double(stmt, 0);
	assert_memory_equal(&got, &want, sizeof got);
	sqlite3_finalize(stmt);
}

static void integers_are_exact(void **state)
{
	becomes(*state, "bigint", "-9223372036854775808", "integer", "-9223372036854775808");
	becomes(*state, "bigint", "9223372036854775807", "integer", "9223372036854775807");
	becomes(*state, "smallint", "0", "integer", "0");
	becomes(*state, "oid", "4294967295", "integer", "4294967295");
	becomes(*state, "integer", "\\N", "null", "NULL");
	static const char *const bad[] = {
	    "", "-", "+1", " 1", "1 ", "01", "-0", "1.0", "9223372036854775808", "-9223372036854775809", "x", "0x1"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		refuses(*state, "bigint", bad[i]);
}

static void an_ordinary_integer_is_read_as_any_other(void **state)
{
	static const char *const texts[] = {"0",
	                                    "7",
	                                    "-7",
	                                    "-0",
	                                    "00",
	                                    "01",
	                                    "-01",
	                                    "",
	                                    "-",
	                                    "+1",
	                                    "1x",
	                                    "x",
	                                    "\\N",
	                                    "1\\t",
	                                    "123456789012345678",
	                                    "-123456789012345678",
	                                    "1234567890123456789",
	                                    "9223372036854775807",
	                                    "-9223372036854775808",
	                                    "9223372036854775808",
	                                    " 1"};
	struct value_room room = {0};
	struct value quick, value;
	struct err err;
	char line[64];

	(void)state;
	assert_int_equal(value_room_reset(&room, sizeof line, &err), 0);
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		for (int more = 0; more < 2; more++) {
			int len = snprintf(line, sizeof line, "%s%s", texts[i], more ? "\t5\t6" : "");
			size_t found = value_read_integer(&quick, line, (size_t)len);
			if (found == 0)
				continue;
			assert_int_equal(found, strlen(texts[i]));
			assert_int_equal(
			    value_read(&value, STORAGE_INTEGER, (struct span){texts[i], found}, &room, &err), 0);
			assert_true(value_same(&quick, &value));
		}
	assert_int_equal(value_read_integer(&quick, "-52\tb", 5), 3);
	value_room_fini(&room);
}

static void booleans_are_1_and_0(void **state)
{
	becomes(*state, "boolean", "1", "integer", "1");
	becomes(*state, "boolean", "0", "integer", "0");
	refuses(*state, "boolean", "t");
	refuses(*state, "boolean", "2");
	refuses(*state, "boolean", "");
}

static void floats_come_back_bit_for_bit(void **state)
{
	comes_back(*state, "-0", -0.0);
	comes_back(*state, "0", 0.0);
	comes_back(*state, "3", 3.0);
	comes_back(*state, "5e-324", 5e-324);
	comes_back(*state, "2.2250738585072011e-308", 2.2250738585072011e-308);
	comes_back(*state, "1.7976931348623157e+308", 1.7976931348623157e308);
	comes_back(*state, "0.1", 0.1);
	comes_back(*state, "Infinity", INFINITY);
	comes_back(*state, "-Infinity", -INFINITY);
	becomes(*state, "real", "NaN", "text", "'NaN'");
	static const char *const bad[] = {"", " 1", "nan", "inf", "0x1p3", "1,5", "1e", "--1", "1.2.3"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		refuses(*state, "double precision", bad[i]);
}

static void bytes_are_bytes(void **state)
{
	becomes(*state, "bytea", "\\\\x", "blob", "X''");
	becomes(*state, "bytea", "\\\\x00ff0a5c", "blob", "X'00FF0A5C'");
	static const char *const bad[] = {"", "x41", "\\\\x4", "\\\\x4g", "\\\\X41", "\\\\x4A", "abc", "\\\\"};
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		refuses(*state, "bytea", bad[i]);
}

static void all_else_is_the_text_that_was_printed(void **state)
{
	becomes(*state, "numeric", "1.50", "text", "'1.50'");
	becomes(*state, "numeric(10,2)", "NaN", "text", "'NaN'");
	becomes(*state, "numeric", "007", "text", "'007'");
	becomes(*state, "integer[]", "{1,NULL}", "text", "'{1,NULL}'");
	becomes(*state, "text", "", "text", "''");
	becomes(*state, "text", "a\\tb\\\\N", "text", "'a\tb\\N'");
	becomes(*state, "text", "\\N", "null", "NULL");
	becomes(*state, "timestamp without time zone", "infinity", "text", "'infinity'");
	refuses(*state, "text", "a\\x");
	refuses(*state, "text", "a\\");
}

/* What `base` holds of the escaped text. */
static struct value value_of(const char *base, enum numeric numeric, const char *text)
{
	struct value value;
	struct value_room room = {0};
	struct err err;

	/* Values without a backslash need no room. */
	assert_int_equal(
	    value_read(&value, value_storage(base, numeric), (struct span){text, strlen(text)}, &room, &err), 0);
	return value;
}

static void the_order_is_sqlites_own(void **state)
{
	static const struct {
		const char *base, *text;
	} ascending[] = {{"text", "\\N"},
	                 {"real", "-Infinity"},
	                 {"bigint", "-9223372036854775808"},
	                 {"real", "-5e-324"},
	                 {"bigint", "0"},
	                 {"real", "5e-324"},
	                 {"real", "0.5"},
	                 {"bigint", "1"},
	                 {"real", "9007199254740992"},
	                 {"bigint", "9007199254740993"},
	                 {"bigint", "9223372036854775807"},
	                 {"real", "9223372036854775808"},
	                 {"real", "Infinity"},
	                 {"text", ""},
	                 {"text", "NaM"},
	                 {"real", "NaN"},
	                 {"text", "NaN "},
	                 {"text", "a"},
	                 {"text", "\xc3\xa4"},
	                 {"text", "\xf0\x9d\x84\x9e"}};
	size_t count = sizeof ascending / sizeof *ascending;

	(void)state;
	for (size_t i = 0; i < count; i++)
		for (size_t j = 0; j < count; j++) {
			struct value a = value_of(ascending[i].base, NUMERIC_TEXT, ascending[i].text),
			             b = value_of(ascending[j].base, NUMERIC_TEXT, ascending[j].text);
			int order = value_order(&a, &b);
			assert_int_equal((order > 0) - (order < 0), (i > j) - (i < j));
			assert_int_equal(value_same(&a, &b), i == j);
		}
}

static void minus_zero_is_equal_in_order_and_not_the_same(void **state)
{
	struct value minus = value_of("real", NUMERIC_TEXT, "-0"), plus = value_of("real", NUMERIC_TEXT, "0"),
	             whole = value_of("integer", NUMERIC_TEXT, "0");

	(void)state;
	assert_int_equal(value_order(&minus, &plus), 0);
	assert_false(value_same(&minus, &plus));
	assert_int_equal(value_order(&plus, &whole), 0);
	assert_false(value_same(&plus, &whole));
}

static void a_numeric_may_be_the_nearest_double(void **state)
{
	char digits[400] = "0.1";
	struct value value = value_of("numeric(12,2)", NUMERIC_REAL, "1.50");

	(void)state;
	assert_true(value.kind == VALUE_REAL && value.real == 1.5);
	memset(digits + 3, '0', sizeof digits - 4);
	value = value_of("numeric", NUMERIC_REAL, digits);
	assert_true(value.kind == VALUE_REAL && value.real == 0.1);
	value = value_of("numeric", NUMERIC_REAL, "NaN");
	assert_int_equal(value.kind, VALUE_TEXT);
	memset(digits, '9', sizeof digits - 1);
	value = value_of("numeric", NUMERIC_REAL, digits);
	assert_true(value.kind == VALUE_REAL && isinf(value.real));
	value = value_of("numeric[]", NUMERIC_REAL, "{1.50}");
	assert_int_equal(value.kind, VALUE_TEXT);
}

static int open_memory(void **state)
{
	return sqlite3_open(":memory:", (sqlite3 **)state);
}

static int close_memory(void **state)
{
	return sqlite3_close(*state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(integers_are_exact),
	    cmocka_unit_test(an_ordinary_integer_is_read_as_any_other),
	    cmocka_unit_test(booleans_are_1_and_0),
	    cmocka_unit_test(floats_come_back_bit_for_bit),
	    cmocka_unit_test(bytes_are_bytes),
	    cmocka_unit_test(all_else_is_the_text_that_was_printed),
	    cmocka_unit_test(the_order_is_sqlites_own),
	    cmocka_unit_test(minus_zero_is_equal_in_order_and_not_the_same),
	    cmocka_unit_test(a_numeric_may_be_the_nearest_double),
	};

	return cmocka_run_group_tests_name("mirror: value", tests, open_memory, close_memory);
}
