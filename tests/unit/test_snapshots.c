/* STORE/snapshots as the tree shows it: whole ones, their files and attributes, and which is the latest. */
#include "fixture.h"

#include "dir.h"
#include "handmade.h"
#include "shown.h"

static struct fixture f;
static struct shown shown;
static const struct position first = {1507507300, 4}, second = {1507507300, 12}, third = {1507507301, 0};

static int setup(void **state)
{
	(void)state;
	fixture_start(&f, FIXTURE_SEGMENT);
	shown = shown_open(f.store);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	shown_close(&shown);
	fixture_end(&f);
	return 0;
}

/* The names in a folder, each with a blank behind it, and one before them all. */
static char *list(enum node_kind kind, struct position position)
{
	struct node node = {.kind = kind, .position = position};
	struct dir_entry *entry = malloc(sizeof *entry);
	char *names = calloc(1, 4096);
	struct dir *dir;
	uint64_t cookie = 0;
	int r;

	must(entry && names);
	strcpy(names, " ");
	works(dir_open(&dir, &shown, &node, &f.err), f.err);
	for (; (r = dir_entry(dir, cookie, entry, &f.err)) == 1; cookie = entry->cookie)
		strcat(strcat(names, entry->name), " ");
	assert_int_equal(r, 0);
	dir_close(dir);
	free(entry);
	return names;
}

/* In any order. */
static void lists(enum node_kind kind, struct position position, const char *wanted)
{
	char *names = list(kind, position), name[sizeof(struct dir_entry)];

	assert_int_equal(strlen(names), 1 + strlen(wanted));
	for (size_t len; (len = strcspn(wanted, " ")) > 0; wanted += len + 1) {
		snprintf(name, sizeof name, " %.*s ", (int)len, wanted);
		if (!strstr(names, name))
			fail_msg("\"%s\" is not among \"%s\"", name, names);
	}
	free(names);
}

static void latest_is(struct position position)
{
	struct node node = {.kind = NODE_LATEST};
	char target[POSITION_TEXT_MAX], wanted[POSITION_TEXT_MAX];
	struct stat st;

	works(file_link(&shown, target, &f.err), f.err);
	assert_string_equal(target, position_print(wanted, position));
	works(file_stat(&shown, &node, &st, &f.err), f.err);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(st.st_size, strlen(wanted));
	assert_int_equal(st.st_mtime, position.epoch);
}

static void no_latest(void)
{
	struct node node = {.kind = NODE_LATEST};
	char target[POSITION_TEXT_MAX];
	struct stat st;

	assert_int_equal(file_link(&shown, target, &f.err), -ENOENT);
	assert_int_equal(file_stat(&shown, &node, &st, &f.err), -ENOENT);
}

static int stat_at(enum node_kind kind, struct position position, const char *table, struct stat *st)
{
	struct node node = {kind, position, table};

	return file_stat(&shown, &node, st, &f.err);
}

static void without_any_the_folder_is_empty(void **state)
{
	struct stat st;

	(void)state;
	lists(NODE_SNAPSHOTS, (struct position){0}, "");
	no_latest();
	assert_int_equal(stat_at(NODE_SNAPSHOTS, (struct position){0}, NULL, &st), 0);
	assert_int_equal(stat_at(NODE_SNAPSHOT, first, NULL, &st), -ENOENT);
	snapshot_folder(&f, "snapshots");
	lists(NODE_SNAPSHOTS, (struct position){0}, "");
	no_latest();
}

static void only_whole_ones_are_there(void **state)
{
	struct stat st;
	struct dir *dir;
	struct node node = {.kind = NODE_COPIES, .position = second};

	(void)state;
	snapshot_put(&f, first, 1, NULL);
	snapshot_parts(&f, "1507507300.12");
	snapshot_parts(&f, "1507507301.0.new");
	snapshot_parts(&f, "1507507301.00");
	fixture_write(&f, "snapshots/1507507399.1", "no folder", 9);
	lists(NODE_SNAPSHOTS, (struct position){0}, "1507507300.4 latest ");
	latest_is(first);
	assert_int_equal(stat_at(NODE_SNAPSHOT, first, NULL, &st), 0);
	assert_int_equal(stat_at(NODE_SNAPSHOT, second, NULL, &st), -ENOENT);
	assert_int_equal(stat_at(NODE_COPY, second, "zzz", &st), -ENOENT);
	assert_int_equal(stat_at(NODE_SNAPSHOT, (struct position){1507507399, 1}, NULL, &st), -ENOENT);
	assert_int_equal(dir_open(&dir, &shown, &node, &f.err), -ENOENT);

	snapshot_put(&f, second, 1, NULL);
	lists(NODE_SNAPSHOTS, (struct position){0}, "1507507300.12 1507507300.4 latest ");
	latest_is(second);
}

static void sizes_times_and_bytes_are_the_files(void **state)
{
	char buf[512];
	struct node node = {NODE_COPY, second, "zzz"};
	struct file *file;
	struct stat st;
	uint64_t len;

	(void)state;
	snapshot_put(&f, second, 1, NULL);
	lists(NODE_SNAPSHOT, second, "manifest overlap tables ");
	lists(NODE_COPIES, second, "sales.zzz zzz ");
	works(stat_at(NODE_COPY, second, "zzz", &st), f.err);
	assert_true(S_ISREG(st.st_mode));
	assert_int_equal(st.st_size, sizeof snapshot_table - 1);
	assert_int_equal(st.st_mtime, second.epoch);
	works(stat_at(NODE_SNAPSHOT, second, NULL, &st), f.err);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_mtime, second.epoch);
	works(stat_at(NODE_OVERLAP, second, NULL, &st), f.err);
	assert_int_equal(st.st_size, 0);
	works(stat_at(NODE_MANIFEST, second, NULL, &st), f.err);
	assert_int_equal(st.st_size, fixture_size(&f, "snapshots/1507507300.12/manifest"));
	assert_int_equal(stat_at(NODE_COPY, second, "yyy", &st), -ENOENT);

	assert_true(file_is_final(&shown, &node));
	works(file_open(&file, &shown, &node, &f.err), f.err);
	assert_int_equal(file_read(file, 0, buf, sizeof buf, &f.err), sizeof snapshot_table - 1);
	assert_memory_equal(buf, snapshot_table, sizeof snapshot_table - 1);
	assert_int_equal(file_read(file, 7, buf, 3, &f.err), 3);
	assert_memory_equal(buf, "zzz", 3);
	assert_int_equal(file_read(file, sizeof snapshot_table - 1, buf, sizeof buf, &f.err), 0);
	works(file_len(file, &len, &f.err), f.err);
	assert_int_equal(len, sizeof snapshot_table - 1);

	/* Who has it open reads on when it is removed. */
	fixture_unlink(&f, "snapshots/1507507300.12/tables/zzz");
	assert_int_equal(file_read(file, 0, buf, sizeof buf, &f.err), sizeof snapshot_table - 1);
	file_close(file);
	assert_int_equal(file_open(&file, &shown, &node, &f.err), -ENOENT);
}

static void latest_is_of_all_tables_and_of_this_generation(void **state)
{
	(void)state;
	snapshot_put(&f, third, 2, NULL);
	no_latest();
	snapshot_put(&f, second, 1, (char[]){"zzz"});
	no_latest();
	snapshot_put(&f, first, 1, NULL);
	latest_is(first);
	lists(NODE_SNAPSHOTS, (struct position){0}, "1507507300.12 1507507300.4 1507507301.0 latest ");
}

static void a_damaged_manifest_is_not_the_latest(void **state)
{
	(void)state;
	snapshot_put(&f, first, 1, NULL);
	snapshot_put(&f, second, 1, NULL);
	fixture_flip(&f, "snapshots/1507507300.12/manifest", 12);
	latest_is(first);
	fixture_cut(&f, "snapshots/1507507300.12/manifest", 0);
	latest_is(first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(without_any_the_folder_is_empty),      TEST(only_whole_ones_are_there),
	    TEST(sizes_times_and_bytes_are_the_files),  TEST(latest_is_of_all_tables_and_of_this_generation),
	    TEST(a_damaged_manifest_is_not_the_latest),
	};
	return cmocka_run_group_tests_name("snapshots", tests, NULL, NULL);
}
