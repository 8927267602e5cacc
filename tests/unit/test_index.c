/* A segment's index: what it tells of transactions. (How it finds lines: test_table.c.) */
#include "fixture.h"

#include "index.h"

static struct fixture f;
static int folder;

static int setup(void **state)
{
	(void)state;
	fixture_folder(&f);
	folder = open(f.path, O_RDONLY | O_DIRECTORY);
	return folder < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	close(folder);
	nftw(f.path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static uint64_t add_lines(struct index *index, const char *const *lines, size_t count)
{
	uint64_t off = 0;

	for (size_t i = 0; i < count; i++) {
		struct line_head head;
		size_t len = strlen(lines[i]);
		must(line_parse(lines[i], len, &head));
		must(index_add(index, off, lines[i], len + 1, &head) == 0);
		off += len + 1;
	}
	index_show(index);
	return off;
}

static void the_largest_xid_of_all_lines_is_kept(void **state)
{
	static const char *const lines[] = {
	    "_c\t1\t_s\t0\t_action\torigin",
	    "_c\t1\t_s\t1\t_table\ta\t_relid\t1\t_key\ta\t_action\tschema",
	    "_c\t1\t_s\t2\t_table\ta\t_xid\t18446744073709551614\t_action\tinsert",
	    "_c\t1\t_s\t3\t_table\ta\t_xid\t7\t_action\tinsert",
	    "_c\t1\t_s\t4\t_xid\t18446744073709551615\t_action\tcommit",
	    "_c\t1\t_s\t5\t_xid\t8\t_action\tcommit",
	};
	static const uint64_t largest[] = {0, 0, UINT64_MAX - 1, UINT64_MAX - 1, UINT64_MAX, UINT64_MAX};

	(void)state;
	for (size_t count = 1; count <= sizeof lines / sizeof *lines; count++) {
		struct index *index = index_new(), *loaded;
		must(index);
		uint64_t len = add_lines(index, lines, count);
		assert_true(index_max_xid(index) == largest[count - 1]);
		works(index_save(index, folder, "index", len, &f.err), f.err);
		works(index_load(&loaded, folder, "index", len, &f.err), f.err);
		assert_true(index_max_xid(loaded) == largest[count - 1]);
		index_free(index);
		index_free(loaded);
	}
}

static void an_index_of_an_older_version_is_wrong(void **state)
{
	static const char *const line = "_c\t1\t_s\t0\t_table\ta\t_xid\t7\t_action\tinsert";
	struct index *index = index_new();
	size_t size;

	(void)state;
	uint64_t len = add_lines(index, &line, 1);
	works(index_save(index, folder, "index", len, &f.err), f.err);
	index_free(index);
	char *bytes = fixture_read(&f, "index", &size);
	assert_memory_equal(bytes, "D\nSIDx03", 8);
	bytes[7] = '2';
	fixture_write(&f, "index", bytes, size);
	free(bytes);
	assert_int_equal(index_load(&index, folder, "index", len, &f.err), -EBADMSG);
	assert_null(index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(the_largest_xid_of_all_lines_is_kept),
	    TEST(an_index_of_an_older_version_is_wrong),
	};
	return cmocka_run_group_tests_name("index", tests, NULL, NULL);
}
