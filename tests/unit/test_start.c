/* A start learns all that it needs of the newest segment in one reading, and only of what is whole. */
#include "recovered.h"

static int append_table(struct span pairs, void *ctx)
{
	char *tables = ctx;

	strncat(tables, pairs.at, pairs.len);
	return 0;
}

/* What the writer has in force already is left out. */
static size_t schema_lines(struct fixture *f)
{
	size_t len, count = 0;
	char *text;

	fixture_begin(f, fixture_second + 16);
	fixture_define(f, "zzz", 5, "text");
	fixture_commit(f);
	fixture_sync(f);
	text = fixture_shown(f->store, &len);
	for (char *at = text; (at = strstr(at, "\t_action\tschema\t")); at++)
		count++;
	free(text);
	return count;
}

static void what_a_torn_end_defines_holds_for_nobody(void **state)
{
	struct fixture *f = *state;
	static const char torn[] =
	    "_c\t1507507220\t_s\t0\t_table\tnew\t_xid\t9\t_relid\t7\t_key\t\\N\t_action\tschema\ta\tx\n"
	    "_c\t1507507220\t_s\t1\t_table\tnew\t_xid\t9\t_action\tdelete\n";
	char tables[200] = "", *line;
	size_t len;

	fixture_open(f, FIXTURE_SEGMENT);
	fixture_begin(f, fixture_second + 15);
	fixture_define(f, "zzz", 5, "text");
	fixture_commit(f);
	fixture_sync(f);
	fixture_close(f);
	len = fixture_size(f, "*.day");
	fixture_append(f, "*.day", torn, sizeof torn - 1);
	opens_with(f, len);

	index_tables(segments_last(store_segments(f->store))->index, append_table, tables);
	assert_string_equal(tables, "_table\tzzz");
	assert_int_equal(defined_line(store_defined(f->store), "new", &line, &len, &f->err), 0);
	assert_int_equal(writer_unplaced(f->writer)->count, 0);
	works(defined_line(store_defined(f->store), "zzz", &line, &len, &f->err), f->err);
	assert_non_null(strstr(line, "text"));
	free(line);
	assert_int_equal(schema_lines(f), 1);
}

static uint64_t all_read(void)
{
	FILE *file = fopen("/proc/self/io", "r");
	unsigned long long bytes = 0;

	must(file && fscanf(file, "rchar: %llu", &bytes) == 1);
	fclose(file);
	return bytes;
}

static void the_newest_segment_is_read_once(void **state)
{
	struct fixture *f = *state;
	char value[1000];

	memset(value, 'x', sizeof value);
	value[sizeof value - 1] = 0;
	fixture_open(f, FIXTURE_SEGMENT);
	fixture_begin(f, fixture_second + 20);
	fixture_define(f, "zzz", 5, "text");
	for (int i = 0; i < 4000; i++)
		fixture_insert(f, "zzz", value);
	fixture_commit(f);
	fixture_sync(f);
	fixture_close(f);

	uint64_t before = all_read();
	fixture_open(f, FIXTURE_SEGMENT);
	uint64_t took = all_read() - before, len = store_len(f->store);
	assert_true(len > 4000000 && took >= len && took < len + len / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(what_a_torn_end_defines_holds_for_nobody),
	    TEST(the_newest_segment_is_read_once),
	};
	return cmocka_run_group_tests_name("start", tests, NULL, NULL);
}
