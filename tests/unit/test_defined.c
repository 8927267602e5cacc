/* /schema: the definitions in force at the end of what is shown, whoever opened the store. */
#include "fixture.h"

#include "dir.h"
#include "shown.h"

static struct fixture f;

static int setup(void **state)
{
	(void)state;
	fixture_start(&f, FIXTURE_SEGMENT);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fixture_end(&f);
	return 0;
}

static void define(const char *table, unsigned relid, const char *type, uint64_t second)
{
	fixture_begin(&f, second);
	fixture_define(&f, table, relid, type);
	fixture_commit(&f);
}

static void drop(const char *table)
{
	char line[200];

	fixture_begin(&f, fixture_second);
	snprintf(line, sizeof line, "_table\t%s\t_xid\t%u\t_action\tdrop", table, f.xid);
	works(fixture_try_line(&f, line), f.err);
	fixture_commit(&f);
}

/* As the next start finds it. */
static void open_again(uint64_t segment_bytes)
{
	fixture_close(&f);
	fixture_open(&f, segment_bytes);
}

static struct node node_of(const char *table)
{
	return (struct node){.kind = table ? NODE_DEFINITION : NODE_SCHEMA, .table = table};
}

/* What /schema/<name> holds, "-" where it is not there; the attributes have to agree. */
static const char *text_of(struct store *store, const char *table)
{
	static char text[4096];
	struct shown shown = shown_open(store);
	struct node node = node_of(table);
	struct stat st;
	struct file *file;
	int told = file_stat(&shown, &node, &st, &f.err), r = file_open(&file, &shown, &node, &f.err);

	assert_int_equal(told, r);
	strcpy(text, "-");
	if (r == 0) {
		long n = file_read(file, 0, text, sizeof text - 1, &f.err);
		must(n >= 0);
		text[n] = 0;
		assert_int_equal(st.st_size, n);
		assert_int_equal(st.st_mode, S_IFREG | 0444);
		file_close(file);
	} else {
		assert_int_equal(r, -ENOENT);
	}
	shown_close(&shown);
	return text;
}

static const char *listed(struct store *store)
{
	static char names[4096];
	struct shown shown = shown_open(store);
	struct dir_entry *entry = malloc(sizeof *entry);
	struct node node = node_of(NULL);
	struct dir *dir;
	uint64_t cookie = 0;

	must(entry);
	*names = 0;
	works(dir_open(&dir, &shown, &node, &f.err), f.err);
	while (dir_entry(dir, cookie, entry, &f.err) == 1) {
		assert_string_not_equal(text_of(store, entry->name), "-");
		strcat(strcat(names, entry->name), " ");
		cookie = entry->cookie;
	}
	dir_close(dir);
	shown_close(&shown);
	free(entry);
	return names;
}

static void the_newest_definition_is_told(void **state)
{
	(void)state;
	assert_string_equal(text_of(f.store, "zzz"), "-");
	assert_string_equal(listed(f.store), "");
	define("zzz", 1, "text", fixture_second);
	assert_string_equal(text_of(f.store, "zzz"), "-"); /* not shown yet */
	fixture_sync(&f);
	assert_string_equal(text_of(f.store, "zzz"), "a\ttext\t1\n");
	define("zzz", 1, "integer", fixture_second);
	define("yyy", 2, "uuid", fixture_second);
	fixture_sync(&f);
	assert_string_equal(text_of(f.store, "zzz"), "a\tinteger\t1\n");
	assert_string_equal(listed(f.store), "yyy zzz ");
}

static void its_time_is_that_of_its_line(void **state)
{
	struct shown shown = shown_open(f.store);
	struct node node = node_of("zzz");
	struct stat st;

	(void)state;
	define("zzz", 1, "text", fixture_second + 5);
	fixture_put(&f, fixture_second + 9, "zzz", "1");
	works(file_stat(&shown, &node, &st, &f.err), f.err);
	assert_int_equal(st.st_mtime, fixture_second + 5);
	shown_close(&shown);
}

static void what_is_dropped_or_renamed_is_not_there(void **state)
{
	(void)state;
	define("zzz", 1, "text", fixture_second);
	define("yyy", 2, "uuid", fixture_second);
	fixture_sync(&f);
	drop("zzz");
	define("xxx", 2, "uuid", fixture_second);
	fixture_sync(&f);
	assert_string_equal(text_of(f.store, "zzz"), "-");
	assert_string_equal(text_of(f.store, "yyy"), "-");
	assert_string_equal(listed(f.store), "xxx ");
	open_again(FIXTURE_SEGMENT);
	assert_string_equal(listed(f.store), "xxx ");
}

static void what_is_rolled_back_was_never_there(void **state)
{
	(void)state;
	define("zzz", 1, "text", fixture_second);
	fixture_begin(&f, fixture_second);
	fixture_define(&f, "zzz", 1, "uuid");
	works(writer_rollback(f.writer, &f.err), f.err);
	fixture_put(&f, fixture_second, "zzz", "1");
	assert_string_equal(text_of(f.store, "zzz"), "a\ttext\t1\n");
}

/* Each segment has a place of its own for each definition. */
static void they_stay_from_segment_to_segment(void **state)
{
	char name[32], text[32];

	(void)state;
	open_again(3000);
	for (unsigned i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "t%u", i % 40);
		snprintf(text, sizeof text, "type%u", i);
		define(name, 100 + i % 40, text, fixture_second + i);
		fixture_sync(&f);
		for (unsigned k = i < 39 ? 0 : i - 39; k <= i; k++) {
			snprintf(name, sizeof name, "t%u", k % 40);
			snprintf(text, sizeof text, "a\ttype%u\t1\n", k);
			assert_string_equal(text_of(f.store, name), text);
		}
	}
	assert_true(fixture_segments(f.store) > 5);
}

static void a_reader_beside_the_writer_sees_the_same(void **state)
{
	struct store *reader;
	char before[4096];

	(void)state;
	open_again(3000);
	for (unsigned i = 0; i < 50; i++) {
		char name[32];
		snprintf(name, sizeof name, "t%u", i);
		define(name, 100 + i, "text", fixture_second + i);
		fixture_sync(&f);
	}
	drop("t7");
	fixture_sync(&f);
	strcpy(before, listed(f.store));
	works(store_open(&reader, f.path, STORE_READ, &f.err), f.err);
	assert_string_equal(listed(reader), before);
	assert_string_equal(text_of(reader, "t7"), "-");
	assert_string_equal(text_of(reader, "t8"), "a\ttext\t1\n");
	store_close(reader);
}

static void put_line(const char *line)
{
	fixture_begin(&f, fixture_second);
	works(fixture_try_line(&f, line), f.err);
	fixture_commit(&f);
	fixture_sync(&f);
}

static void columns_are_told_with_type_and_place_in_the_key(void **state)
{
	(void)state;
	put_line(
	    "_schema\todd.s\t_table\ta/b\t_xid\t7\t_relid\t5\t_key\tb,%2A\t_action\tschema"
	    "\ta\\tb\tnumber\\t1\\ttype\\tcharacter varying(10)"
	    "\t*\tnumber\\t2\\ttype\\t\"t\\\\\\\\x\"\\tpk\\t1\tb\tnumber\\t4\\ttype\\tnumeric(8,2)\\tbase\\tinteger");
	assert_string_equal(text_of(f.store, "odd%2Es.a%2Fb"),
	                    "a\\tb\tcharacter varying(10)\t0\n*\t\"t\\\\x\"\t2\nb\tnumeric(8,2)\t1\n");
	put_line("_table\tfull\t_xid\t7\t_relid\t6\t_key\t*\t_action\tschema\tb\tnumber\\t1\\ttype\\ttext\\tpk\\t2\ta\t"
	         "number\\t2\\ttype\\ttext\\tpk\\t1\tc\tnumber\\t3\\ttype\\ttext");
	assert_string_equal(text_of(f.store, "full"), "b\ttext\t2\na\ttext\t1\nc\ttext\t0\n");
	put_line("_table\tnone\t_xid\t7\t_relid\t8\t_key\t\\N\t_action\tschema\tb\tnumber\\t1\\ttype\\ttext");
	assert_string_equal(text_of(f.store, "none"), "b\ttext\t0\n");
	put_line("_table\tempty\t_xid\t7\t_relid\t9\t_key\t\\N\t_action\tschema");
	assert_string_equal(text_of(f.store, "empty"), "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(the_newest_definition_is_told),
	    TEST(its_time_is_that_of_its_line),
	    TEST(what_is_dropped_or_renamed_is_not_there),
	    TEST(what_is_rolled_back_was_never_there),
	    TEST(they_stay_from_segment_to_segment),
	    TEST(a_reader_beside_the_writer_sees_the_same),
	    TEST(columns_are_told_with_type_and_place_in_the_key),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
