/* Listing /by-time: each second and each line once, from any cookie on. */
#include "fixture.h"

#include <inttypes.h>

#include "dir.h"
#include "shown.h"

static struct fixture f;
static struct shown shown;

static int setup(void **state)
{
	(void)state;
	fixture_start(&f, 900); /* seconds go on over the segments' ends */
	for (unsigned i = 0; i < 60; i++) {
		fixture_begin(&f, fixture_second + i / 7);
		for (unsigned k = 0; k < i % 4; k++)
			fixture_insert(&f, k ? "yyy" : "zzz", "1");
		fixture_commit(&f);
	}
	fixture_sync(&f);
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

/* All positions of the stream. */
static size_t positions(struct position **out)
{
	size_t len, count = 0;
	char *text = fixture_shown(f.store, &len);

	must((*out = malloc(len * sizeof **out)));
	for (char *at = text; at < text + len; at = strchr(at, '\n') + 1) {
		struct line_head head;
		must(line_parse(at, (size_t)(strchr(at, '\n') - at), &head));
		(*out)[count++] = head.position;
	}
	free(text);
	return count;
}

static struct dir *open_dir(enum node_kind kind, uint64_t epoch)
{
	struct node node = {.kind = kind, .position = {epoch, 0}};
	struct dir *dir;

	works(dir_open(&dir, &shown, &node, &f.err), f.err);
	return dir;
}

static void seconds_are_listed_once_each_in_order(void **state)
{
	struct position *all;
	size_t count = positions(&all), i = 0;
	struct dir *dir = open_dir(NODE_BY_TIME, 0);
	struct dir_entry *entry = malloc(sizeof *entry);
	uint64_t cookie = 0;
	int r;

	(void)state;
	must(entry);
	while ((r = dir_entry(dir, cookie, entry, &f.err)) == 1) {
		char name[32];
		must(i < count);
		snprintf(name, sizeof name, "%" PRIu64, all[i].epoch);
		assert_string_equal(entry->name, name);
		assert_int_equal(entry->node.kind, NODE_SECOND);
		for (uint64_t epoch = all[i].epoch; i < count && all[i].epoch == epoch; i++)
			;
		cookie = entry->cookie;
	}
	assert_int_equal(r, 0);
	assert_int_equal(i, count);
	free(entry);
	free(all);
	dir_close(dir);
}

/* From the line number `from` on, which stands at the next cookie behind "all", each entry asked for `times` times. */
static void list_second(const struct position *all, size_t count, uint64_t epoch, uint64_t from, int times)
{
	struct dir *dir = open_dir(NODE_SECOND, epoch);
	struct dir_entry *entry = malloc(sizeof *entry);
	uint64_t cookie = from + 1;
	int r = 1;

	must(entry);
	for (size_t i = 0; i < count; i++) {
		if (all[i].epoch != epoch || all[i].seq < from)
			continue;
		for (int k = 0; k < times; k++) {
			works(r = dir_entry(dir, cookie, entry, &f.err), f.err);
			assert_int_equal(r, 1);
			assert_true(entry->node.position.seq == all[i].seq);
		}
		cookie = entry->cookie;
	}
	assert_int_equal(dir_entry(dir, cookie, entry, &f.err), 0);
	assert_int_equal(dir_entry(dir, cookie, entry, &f.err), 0);
	free(entry);
	dir_close(dir);
}

static void lines_of_a_second_are_listed_once_each_from_any_cookie(void **state)
{
	struct position *all;
	size_t count = positions(&all);

	(void)state;
	assert_true(fixture_segments(f.store) > 5);
	for (uint64_t epoch = fixture_second - 1; epoch < fixture_second + 11; epoch++)
		for (uint64_t from = 0; from < 30; from += 1 + from / 4)
			list_second(all, count, epoch, from, 1 + (int)(from % 2));
	free(all);
}

static void every_line_is_a_file_of_its_own(void **state)
{
	struct position *all;
	size_t count = positions(&all), len, off = 0;
	char *text = fixture_shown(f.store, &len), buf[300];

	(void)state;
	for (size_t i = 0; i < count; i++) {
		struct node node = {.kind = NODE_LINE, .position = all[i]};
		struct file *file;
		struct stat st;
		size_t line = (size_t)(strchr(text + off, '\n') - (text + off)) + 1;
		works(file_stat(&shown, &node, &st, &f.err), f.err);
		assert_int_equal(st.st_size, line);
		works(file_open(&file, &shown, &node, &f.err), f.err);
		assert_int_equal(file_read(file, 0, buf, sizeof buf, &f.err), line);
		assert_memory_equal(buf, text + off, line);
		assert_int_equal(file_read(file, line - 1, buf, sizeof buf, &f.err), 1);
		assert_int_equal(file_read(file, line, buf, sizeof buf, &f.err), 0);
		file_close(file);
		node.position.seq += 1000;
		assert_int_equal(file_stat(&shown, &node, &st, &f.err), -ENOENT);
		assert_int_equal(file_open(&file, &shown, &node, &f.err), -ENOENT);
		off += line;
	}
	free(text);
	free(all);
}

/* From a cookie on; fails where a name comes twice. */
static void list_names(struct dir *dir, uint64_t cookie, const char *wanted)
{
	struct dir_entry *entry = malloc(sizeof *entry);
	char names[3][8] = {""};
	size_t count = 0;

	must(entry);
	while (dir_entry(dir, cookie, entry, &f.err) == 1) {
		must(count < 3 && strlen(entry->name) == 3);
		strcpy(names[count++], entry->name);
		assert_true(entry->cookie > cookie);
		cookie = entry->cookie;
	}
	assert_int_equal(count, strlen(wanted));
	for (const char *at = wanted; *at; at++)
		must(names[0][0] == *at || names[1][0] == *at || names[2][0] == *at);
	free(entry);
}

static void tables_are_listed_once_each(void **state)
{
	struct dir *dir = open_dir(NODE_TABLES, 0);

	(void)state;
	list_names(dir, 0, "yz");
	list_names(dir, (uint64_t)1 << 60, "");
	list_names(dir, UINT64_MAX, "");
	dir_close(dir);
}

/* rewinddir(3) */
static void what_is_listed_again_is_what_is_there_by_now(void **state)
{
	struct dir *dir = open_dir(NODE_TABLES, 0);

	(void)state;
	list_names(dir, 0, "yz");
	fixture_put(&f, fixture_second + 10, "aaa", "1");
	list_names(dir, 0, "ayz");
	dir_close(dir);
}

/* As an NFS server does, which opens the folder for each piece of it. */
static void a_cookie_is_good_in_a_later_handle_whatever_came(void **state)
{
	struct dir *before = open_dir(NODE_TABLES, 0);
	struct dir_entry *first = malloc(sizeof *first), *second = malloc(sizeof *second);

	(void)state;
	must(first && second);
	assert_int_equal(dir_entry(before, 0, first, &f.err), 1);
	assert_int_equal(dir_entry(before, first->cookie, second, &f.err), 1);
	for (char name[] = "aaa"; *name < 'y'; name[0]++, name[1]++, name[2]++)
		fixture_put(&f, fixture_second + 10, name, "1");
	struct dir *after = open_dir(NODE_TABLES, 0);
	uint64_t cookie = first->cookie;
	bool found = false;
	while (dir_entry(after, cookie, first, &f.err) == 1 && !found) {
		found = strcmp(first->name, second->name) == 0 && first->cookie == second->cookie;
		cookie = first->cookie;
	}
	assert_true(found);
	free(first);
	free(second);
	dir_close(before);
	dir_close(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(seconds_are_listed_once_each_in_order),
	    TEST(lines_of_a_second_are_listed_once_each_from_any_cookie),
	    TEST(every_line_is_a_file_of_its_own),
	    TEST(tables_are_listed_once_each),
	    TEST(a_cookie_is_good_in_a_later_handle_whatever_came),
	    TEST(what_is_listed_again_is_what_is_there_by_now),
	};
	return cmocka_run_group_tests_name("dir", tests, NULL, NULL);
}
