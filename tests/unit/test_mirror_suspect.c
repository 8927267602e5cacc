/* Suspects are found again by their keys, and printed so that a person can read them. */
#include "test_mirror_stream.h"

#include "sides.h"
#include "suspect.h"

struct table {
	struct schema schema;
	struct sides sides;
	struct reading reading;
	struct suspects suspects;
	struct value row[3];
};

/* A definition of three columns, of which `key` names the key's. */
static void open_table(struct table *table, const char *key)
{
	struct line_head head;
	struct err err;
	char line[500];

	*table = (struct table){0};
	snprintf(line, sizeof line,
	         "_table\tt\t_relid\t5\t_key\t%s\t_action\tschema\ta\tnumber\\t1\\ttype\\ttext\tn\\\\b\tnumber\\t2\\t"
	         "type\\tdouble precision\tc\tnumber\\t3\\ttype\\tbytea",
	         key);
	assert_true(line_parse(line, strlen(line), &head));
	assert_int_equal(schema_parse(&table->schema, &head, NUMERIC_TEXT, &err), 0);
	assert_int_equal(sqlite3_open(":memory:", &table->reading.sqlite), SQLITE_OK);
	assert_int_equal(sides_init(&table->sides, NULL, &table->reading, &table->schema, &err), 0);
	table->row[0] = (struct value){.kind = VALUE_TEXT, .at = "x\ty", .len = 3};
	table->row[1] = (struct value){.kind = VALUE_REAL, .real = 0.5};
	table->row[2] = (struct value){.kind = VALUE_BLOB, .at = "\0\xff", .len = 2};
}

static void close_table(struct table *table)
{
	suspects_fini(&table->suspects);
	sides_fini(&table->sides);
	schema_fini(&table->schema);
	sqlite3_close(table->reading.sqlite);
}

static struct suspect *add(struct table *table)
{
	struct suspect *found;
	struct err err;

	assert_int_equal(suspects_add(&table->suspects, &table->sides, table->row, SUSPECT_EXTRA, &found, &err), 0);
	return found;
}

static struct suspect *find(struct table *table)
{
	struct suspect *found;
	struct err err;

	assert_int_equal(suspects_find(&table->suspects, &table->sides, table->row, &found, &err), 0);
	return found;
}

static void a_key_is_found_whatever_else_the_row_has(void **state)
{
	struct table table;

	(void)state;
	open_table(&table, "a");
	struct suspect *suspect = add(&table);
	table.row[1].real = 7;
	assert_ptr_equal(find(&table), suspect);
	assert_ptr_equal(add(&table), suspect);
	table.row[0].len = 2;
	assert_null(find(&table));
	assert_int_equal(table.suspects.count, 1);
	close_table(&table);
}

static void in_a_key_the_two_zeros_are_one_and_without_a_key_two(void **state)
{
	struct table table;

	(void)state;
	for (int keyed = 0; keyed < 2; keyed++) {
		open_table(&table, keyed ? "n\\\\b" : "*");
		table.row[1].real = 0.0;
		struct suspect *suspect = add(&table);
		table.row[1].real = -0.0;
		assert_true((find(&table) == suspect) == keyed);
		close_table(&table);
	}
}

static void keys_are_printed_to_be_read(void **state)
{
	struct table table;

	(void)state;
	open_table(&table, "*");
	char *text = suspect_print(add(&table), &table.sides);
	assert_string_equal(text, "a=x\\ty, n\\\\b=0.5, c=\\x00ff");
	sqlite3_free(text);
	char longer[200];
	memset(longer, 'z', sizeof longer);
	memcpy(longer + 59, "\xc3\xa4", 2); /* does not fit, and is not cut in two */
	table.row[0] = (struct value){.kind = VALUE_TEXT, .at = longer, .len = sizeof longer};
	table.row[1] = table.row[2] = (struct value){.kind = VALUE_NULL};
	text = suspect_print(add(&table), &table.sides);
	char want[300];
	snprintf(want, sizeof want, "a=%.59s... (200 bytes), n\\\\b=NULL, c=NULL", longer);
	assert_string_equal(text, want);
	sqlite3_free(text);
	close_table(&table);
}

static void beyond_their_bounds_they_are_counted(void **state)
{
	struct table table;

	(void)state;
	open_table(&table, "n\\\\b");
	for (int i = 0; i < SUSPECT_MOST + 5; i++) {
		table.row[1].real = i;
		assert_int_equal(add(&table) != NULL, i < SUSPECT_MOST);
	}
	assert_int_equal(table.suspects.beyond[SUSPECT_OPEN], 5);
	assert_int_equal(table.suspects.beyond[SUSPECT_EXTRA], 5);
	close_table(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_key_is_found_whatever_else_the_row_has),
	    cmocka_unit_test(in_a_key_the_two_zeros_are_one_and_without_a_key_two),
	    cmocka_unit_test(keys_are_printed_to_be_read),
	    cmocka_unit_test(beyond_their_bounds_they_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
