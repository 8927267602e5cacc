/* A line that is packed in one pass comes to the same bytes as one that is read first, or is left to that. */
#include "test_mirror_pair.h"

#include "pack.h"
#include "relation.h"

#define HEAD "_table\tp\t_relid\t9\t_key\tid,k\t_action\tschema\t"
#define KEY "id\tnumber\\t1\\ttype\\tbigint\tk\tnumber\\t2\\ttype\\ttext"
#define LONG_NAME "a name of more than eight bytes"
#define REST                                                                                                           \
	"\tt\tnumber\\t3\\ttype\\ttext\tf\tnumber\\t4\\ttype\\tboolean\tr\tnumber\\t5\\ttype\\tdouble precision\t"     \
	"y\tnumber\\t6\\ttype\\tbytea\t" LONG_NAME "\tnumber\\t7\\ttype\\tinteger"

static struct relation *table(const char *definition)
{
	struct line_head head;
	struct schema schema;
	struct err err;

	assert_true(line_parse(definition, strlen(definition), &head));
	assert_int_equal(schema_parse(&schema, &head, NUMERIC_TEXT, &err), 0);
	struct relation *table = relation_open(NULL, &schema);
	assert_non_null(table);
	return table;
}

enum { ROOM = 1 << 18 };

/* Whether it was packed in one pass; then it came to the same as by way of the row. Its bytes and the packed ones stand where
 * nothing before or behind them may be touched. */
static bool is_packed(struct relation *table, const char *line)
{
	static char longest[ROOM];
	size_t len = strlen(line), most = pack_most(&table->schema, len);
	char *pairs = malloc(len + !len), *packed = malloc(most);
	struct relation_row *row;
	struct err err;

	assert_true(pairs && packed && most <= ROOM);
	memcpy(pairs, line, len);
	memset(packed, 0xff, most);
	size_t got = pack_line(packed, &table->schema, (struct span){pairs, len}, &table->room);
	int rc = relation_read(table, RELATION_UPDATE, (struct span){pairs, len}, &row, &err);
	if (got > 0) {
		assert_int_equal(rc, 0);
		assert_int_equal(row->present, table->schema.column_count);
		assert_int_equal(got, pack_row(longest, &table->schema, row->values, false));
		assert_memory_equal(packed, longest, got);
	}
	free(pairs);
	free(packed);
	return got > 0;
}

static const char usual[] = "id\t1\tk\tkey\tt\ttext\tf\t1\tr\t1.5\ty\t\\\\x00ff\t" LONG_NAME "\t-7";

static void whole_rows_are_packed_in_one_pass(void **state)
{
	struct relation *p = table(HEAD KEY REST);
	(void)state;

	assert_true(is_packed(p, usual));
	assert_true(is_packed(p, "id\t-5\tk\t\tt\t\tf\t0\tr\tNaN\ty\t\\\\x\t" LONG_NAME "\t0"));
	assert_true(is_packed(p, "id\t0\tk\ta\\tb\tt\t\\N\tf\t\\N\tr\t\\N\ty\t\\N\t" LONG_NAME "\t\\N"));
	assert_true(
	    is_packed(p, "id\t9\tk\t\\\\\tt\tlong enough, then \\n\tf\t0\tr\t-Infinity\ty\t\\\\x01\t" LONG_NAME "\t1"));
	relation_close(p);
}

static void what_is_unusual_or_wrong_is_left_alone(void **state)
{
	static const char *const lines[] = {
	    "",
	    "id\t1",
	    "id\t1\tk\tkey\tt\ttext\tf\t1\tr\t1.5\ty\t\\\\x00ff",
	    "k\tkey\tid\t1\tt\ttext\tf\t1\tr\t1.5\ty\t\\\\x00ff\t" LONG_NAME "\t-7",
	    "id\t1\tk\tkey\tt\ttext\tf\t1\tr\t1.5\ty\t\\\\x00ff\t" LONG_NAME "\t-7\t",
	    "id\t1\tk\tkey\tt\ttext\tf\t1\tr\t1.5\ty\t\\\\x00ff\t" LONG_NAME "\t-7\tid\t1",
	    "id\t1\tk\tkey\tt\ttext\tf\t1\tr\t1.5\ty\t\\\\x00ff\t" LONG_NAME,
	    "id\t1\tk\tkey\tt\ttext\tf\t2\tr\t1.5\ty\t\\\\x00ff\t" LONG_NAME "\t-7",
	    "id\t1x\tk\tkey\tt\ttext\tf\t1\tr\t1.5\ty\t\\\\x00ff\t" LONG_NAME "\t-7",
	    "id\t01\tk\tkey\tt\ttext\tf\t1\tr\t1.5\ty\t\\\\x00ff\t" LONG_NAME "\t-7",
	    "id\t1\tk\tkey\tt\ttext\tf\t1\tr\t1.5\ty\t\\\\x00ff\t" LONG_NAME "\t-0",
	    "id\t1\tk\tkey\tt\ttext\tf\t1\tr\t1.5\ty\t\\\\x0g\t" LONG_NAME "\t-7",
	    "id\t1\tk\tkey\tt\ttext\tf\t1\tr\tone\ty\t\\\\x00ff\t" LONG_NAME "\t-7",
	    "id\t1\tk\tkey\tt\twrong \\x\tf\t1\tr\t1.5\ty\t\\\\x00ff\t" LONG_NAME "\t-7",
	    "id\t\\N\tk\tkey\tt\ttext\tf\t1\tr\t1.5\ty\t\\\\x00ff\t" LONG_NAME "\t-7",
	    "id\t1\tk\t\\N\tt\ttext\tf\t1\tr\t1.5\ty\t\\\\x00ff\t" LONG_NAME "\t-7",
	    "id\t1\tk\tkey\tt\ttext\tf\t1\tr\t1.5\ty\t\\\\x00ff\ta name of more than eight bites\t-7",
	};
	struct relation *p = table(HEAD KEY REST);
	(void)state;

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		assert_false(is_packed(p, lines[i]));
	relation_close(p);
}

static void a_table_tells_whether_its_key_stands_first(void **state)
{
	struct relation *first = table(HEAD KEY REST);
	struct relation *turned = table("_table\tp\t_relid\t9\t_key\tk,id\t_action\tschema\t" KEY REST);
	struct relation *later = table("_table\tp\t_relid\t9\t_key\tk\t_action\tschema\t" KEY REST);
	struct relation *only = table(HEAD KEY);
	(void)state;

	assert_true(first->schema.key_first);
	assert_false(turned->schema.key_first || later->schema.key_first || only->schema.key_first);
	relation_close(first);
	relation_close(turned);
	relation_close(later);
	relation_close(only);
}

static void integers_of_all_lengths(void **state)
{
	struct relation *p = table("_table\tp\t_relid\t9\t_key\tid\t_action\tschema\t" KEY);
	uint64_t number = 0;
	char line[200];
	(void)state;

	for (unsigned digits = 1; digits <= 20; digits++) {
		number = 10 * number + digits % 10;
		for (unsigned sign = 0; sign < 2; sign++) {
			sprintf(line, "id\t%s%llu\tk\tlong enough for sixteen", sign ? "-" : "",
			        (unsigned long long)number);
			assert_int_equal(is_packed(p, line), digits < 20);
			sprintf(line, "id\t1\tk\t%s%llu", sign ? "-" : "", (unsigned long long)number);
			is_packed(p, line);
		}
	}
	assert_true(is_packed(p, "id\t9223372036854775807\tk\t"));
	assert_true(is_packed(p, "id\t-9223372036854775808\tk\t"));
	assert_false(is_packed(p, "id\t9223372036854775808\tk\t"));
	relation_close(p);
}

static void texts_of_all_lengths(void **state)
{
	static const size_t lens[] = {8190, 8191, 8192, 8193, 20000, 65000};
	struct relation *p = table(HEAD KEY "\tt\tnumber\\t3\\ttype\\ttext");
	static char line[ROOM], text[65001];
	(void)state;

	memset(text, 'x', sizeof text);
	for (size_t i = 0; i < 200 + sizeof lens / sizeof *lens; i++) {
		int len = (int)(i < 200 ? i : lens[i - 200]);
		sprintf(line, "id\t1\tk\t%.*s\tt\t%.*s", len, text, len % 50, text);
		assert_int_equal(is_packed(p, line), strlen(line) >= 16);
		sprintf(line, "id\t1\tk\t%.*s\\\\\tt\t%.*s\\t%.*s", len, text, len % 50, text, len % 7, text);
		assert_int_equal(is_packed(p, line), strlen(line) >= 16);
		sprintf(line, "id\t1\tk\tlonger than this\tt\t%.*s", len, text);
		assert_true(is_packed(p, line));
	}
	relation_close(p);
}

/* Whatever single byte is another one. */
static void a_line_that_was_changed(void **state)
{
	struct relation *p = table(HEAD KEY REST);
	char line[sizeof usual];
	(void)state;

	for (size_t at = 0; at < sizeof usual - 1; at++)
		for (unsigned byte = 1; byte < 256; byte++) {
			memcpy(line, usual, sizeof usual);
			line[at] = (char)byte;
			is_packed(p, line);
		}
	relation_close(p);
}

/* Rows of values that are near each other's edges; of some, a pair is twice there, not at all or at another place. */
static void lines_by_chance(void **state)
{
	static const char *const names[] = {"id", "k", "t", "f", "r", "y", LONG_NAME};
	static const char *const values[] = {"",
	                                     "\\N",
	                                     "\\\\N",
	                                     "-",
	                                     "-0",
	                                     "0",
	                                     "00",
	                                     "1",
	                                     "t",
	                                     "f",
	                                     "-7",
	                                     "+7",
	                                     "1e3",
	                                     "NaN",
	                                     "12345678",
	                                     "123456789012345",
	                                     "1234567890123456",
	                                     "-123456789012345",
	                                     "9223372036854775807",
	                                     "-9223372036854775808",
	                                     "9223372036854775808",
	                                     "12345678901234567890",
	                                     "\\\\x",
	                                     "\\\\x0",
	                                     "\\\\x00ff",
	                                     "fifteen letters",
	                                     "sixteen letters!",
	                                     "seventeen letters",
	                                     "\\t",
	                                     "seven l\\tand more",
	                                     "fourteen lette\\n",
	                                     "fifteen letters\\\\",
	                                     "\\x",
	                                     "\\"};
	enum { NAMES = sizeof names / sizeof *names, VALUES = sizeof values / sizeof *values };
	struct relation *p = table(HEAD KEY REST);
	unsigned packed = 0;
	char line[1000];
	(void)state;

	for (unsigned i = 0; i < 200000; i++) {
		char *end = line;
		unsigned odd = pick(4) == 0 ? pick(NAMES) : NAMES;
		for (unsigned at = 0; at < NAMES; at++) {
			unsigned name = at == odd ? pick(NAMES) : at;
			for (unsigned times = at == odd ? pick(3) : 1; times > 0; times--) {
				/* One that is right, mostly. */
				const char *value = pick(6) == 0    ? values[pick(VALUES)]
				                    : name == 3     ? "1"
				                    : name == 5     ? "\\\\x00ff"
				                    : name % 2 == 0 ? "-12"
				                                    : "text";
				end += sprintf(end, "%s%s\t%s", end > line ? "\t" : "", names[name], value);
			}
		}
		*end = 0;
		packed += is_packed(p, line);
	}
	assert_in_range(packed, 20000, 180000);
	relation_close(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(whole_rows_are_packed_in_one_pass),
	    cmocka_unit_test(what_is_unusual_or_wrong_is_left_alone),
	    cmocka_unit_test(a_table_tells_whether_its_key_stands_first),
	    cmocka_unit_test(integers_of_all_lengths),
	    cmocka_unit_test(texts_of_all_lengths),
	    cmocka_unit_test(a_line_that_was_changed),
	    cmocka_unit_test(lines_by_chance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
