/* /days/<YYYY-MM-DD> and /by-time/<epoch>/all: exactly the lines of that day, of that second. */
#include "fixture.h"

#include "dir.h"
#include "retain.h"
#include "shown.h"

enum { DAYS = 5 };

static struct fixture f;
static struct shown shown;

static void put(uint64_t second, unsigned i)
{
	char value[2] = {(char)('a' + i % 26), 0};

	fixture_put(&f, second, i % 3 ? "zzz" : "yyy", value);
}

static int setup(void **state)
{
	(void)state;
	fixture_start(&f, 2000); /* days and seconds go on over the segments' ends */
	for (unsigned i = 0; i < 40 * DAYS; i++)
		if (i / 40 != 2) /* nothing happened on the third day */
			put(fixture_second + i / 40 * DAY_SECONDS + i % 40 / 7, i);
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

static struct node node_at(const char *day, uint64_t second)
{
	struct node root = {.kind = NODE_ROOT}, folder, node;
	char text[32];

	if (day) {
		must(tree_child(&root, "days", &folder) && tree_child(&folder, day, &node));
		return node;
	}
	snprintf(text, sizeof text, "%llu", (unsigned long long)second);
	must(tree_child(&root, "by-time", &folder) && tree_child(&folder, text, &node));
	folder = node;
	must(tree_child(&folder, "all", &node));
	return node;
}

static const char *day_of(char *text, int day)
{
	return tree_day_name(text, fixture_second + (uint64_t)day * DAY_SECONDS);
}

/* Its whole text, which the attributes tell of as well; "" where there is no such file. */
static char *text_of(const struct node *node)
{
	char *text = calloc(1, 1 << 20);
	struct file *file;
	struct stat st;
	uint64_t len;
	int r = file_stat(&shown, node, &st, &f.err);

	must(text);
	assert_int_equal(file_open(&file, &shown, node, &f.err), r);
	if (r == -ENOENT)
		return text;
	assert_int_equal(r, 0);
	long n = file_read(file, 0, text, 1 << 20, &f.err);
	works(n, f.err);
	works(file_len(file, &len, &f.err), f.err);
	assert_int_equal(n, len);
	assert_int_equal(n, st.st_size);
	assert_int_equal(file_read(file, len, text + len, 10, &f.err), 0);
	assert_int_equal(file_read(file, len + 5, text + len, 10, &f.err), 0);
	for (uint64_t off = 0; off < len; off += 777) { /* the same from anywhere */
		char part[500];
		long got = file_read(file, off, part, sizeof part, &f.err);
		assert_int_equal(got, len - off < sizeof part ? len - off : sizeof part);
		assert_memory_equal(part, text + off, (size_t)got);
	}
	file_close(file);

	/* st_mtime is the second of the last line. */
	char *last = text + n - 1;
	while (last > text && last[-1] != '\n')
		last--;
	assert_int_equal(strtoull(last + strlen("_c\t"), NULL, 10), st.st_mtime);
	return text;
}

static void the_files_are_the_stream_cut_in_pieces(void **state)
{
	size_t len;
	char *all = fixture_shown(f.store, &len), *days = calloc(1, len + 1), *seconds = calloc(1, len + 1), name[32];

	(void)state;
	must(days && seconds);
	for (int day = -1; day <= DAYS; day++) {
		struct node node = node_at(day_of(name, day), 0);
		char *text = text_of(&node);
		assert_true((*text != 0) == (day >= 0 && day != 2 && day < DAYS));
		strcat(days, text);
		free(text);
		for (uint64_t second = 0; second < 10; second++) {
			node = node_at(NULL, fixture_second + (uint64_t)day * DAY_SECONDS + second);
			text = text_of(&node);
			strcat(seconds, text);
			free(text);
		}
	}
	assert_string_equal(days, all);
	assert_string_equal(seconds, all);
	free(all);
	free(days);
	free(seconds);
}

static void the_newest_goes_on_until_the_next_begins(void **state)
{
	char name[32], buf[4096];
	struct node day = node_at(day_of(name, DAYS), 0);
	struct node second = node_at(NULL, day.position.epoch + 5);
	struct file *files[2];
	uint64_t len[2], before[2] = {0};

	(void)state;
	char *nothing = text_of(&day);
	assert_string_equal(nothing, "");
	free(nothing);
	put(day.position.epoch + 5, 0);
	works(file_open(&files[0], &shown, &day, &f.err), f.err);
	works(file_open(&files[1], &shown, &second, &f.err), f.err);
	put(day.position.epoch + 5, 1);
	for (int i = 0; i < 2; i++) {
		works(file_len(files[i], &len[i], &f.err), f.err);
		assert_true(len[i] > before[i]);
		before[i] = len[i];
		assert_int_equal(file_read(files[i], 0, buf, sizeof buf, &f.err), len[i]);
	}
	put(day.position.epoch + 6, 2); /* of the day, and not of that second */
	for (int i = 0; i < 2; i++)
		works(file_len(files[i], &len[i], &f.err), f.err);
	assert_true(len[0] > before[0]);
	assert_true(len[1] == before[1]);
	before[0] = len[0];
	put(day.position.epoch + DAY_SECONDS, 3);
	works(file_len(files[0], &len[0], &f.err), f.err);
	assert_true(len[0] == before[0]);
	assert_int_equal(file_read(files[0], len[0], buf, sizeof buf, &f.err), 0);
	file_close(files[0]);
	file_close(files[1]);
	free(text_of(&day));
	free(text_of(&second));
}

/* The names in /days, separated by blanks. */
static char *listed(void)
{
	struct node days = {.kind = NODE_DAYS};
	struct dir_entry *entry = malloc(sizeof *entry);
	char *names = calloc(1, 1000);
	struct dir *dir;
	uint64_t cookie = 0;
	int r;

	must(entry && names);
	works(dir_open(&dir, &shown, &days, &f.err), f.err);
	while ((r = dir_entry(dir, cookie, entry, &f.err)) == 1) {
		assert_int_equal(entry->node.kind, NODE_DAY);
		strcat(strcat(names, *names ? " " : ""), entry->name);
		cookie = entry->cookie;
	}
	works(r, f.err);
	dir_close(dir);
	free(entry);
	return names;
}

static void days_with_lines_are_listed(void **state)
{
	char *names = listed();

	(void)state;
	assert_string_equal(names, "2017-10-09 2017-10-10 2017-10-12 2017-10-13 2017-10-14 2017-10-15");
	free(names);
}

static void a_day_that_retention_has_cut_is_given_up(void **state)
{
	struct node first = node_at("2017-10-09", 0), second = node_at("2017-10-10", 0),
	            third = node_at("2017-10-12", 0);
	struct segments *segments = store_segments(f.store);
	struct file *open;
	struct stat st;
	char buf[100];

	(void)state;
	char *before = text_of(&second);
	works(file_open(&open, &shown, &second, &f.err), f.err);
	/* The oldest segment is then one within the second day. */
	size_t oldest = segments_find(segments, (struct position){second.position.epoch + 3, 0});
	segments_give_up(segments, oldest);
	works(segments_sweep(segments, view_set_needed(shown.views), 1 << 20, &f.err), f.err);
	assert_true(segments_edge(segments).first.epoch > second.position.epoch);

	assert_int_equal(file_stat(&shown, &first, &st, &f.err), -ESTALE);
	struct shown afresh = shown_open(f.store);
	assert_int_equal(file_stat(&afresh, &second, &st, &f.err), -ESTALE);
	shown_close(&afresh);
	works(file_stat(&shown, &third, &st, &f.err), f.err);
	char *names = listed();
	assert_string_equal(names, "2017-10-12 2017-10-13 2017-10-14 2017-10-15");
	free(names);
	/* Who has it open reads on. */
	assert_int_equal(file_read(open, 10, buf, sizeof buf, &f.err), sizeof buf);
	assert_memory_equal(buf, before + 10, sizeof buf);
	file_close(open);
	free(before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_files_are_the_stream_cut_in_pieces),
	    cmocka_unit_test(the_newest_goes_on_until_the_next_begins),
	    cmocka_unit_test(days_with_lines_are_listed),
	    cmocka_unit_test(a_day_that_retention_has_cut_is_given_up),
	};
	return cmocka_run_group_tests_name("days", tests, setup, teardown);
}
