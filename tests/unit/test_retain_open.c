/* Who has a file open reads on, whatever the store gives up meanwhile, and costs it little. */
#include <pthread.h>
#include <stdatomic.h>

#include "retained.h"

static void an_open_file_goes_on_where_it_is(void **state)
{
	struct node before = {.kind = NODE_LIVE}, behind = {.kind = NODE_LIVE};
	struct node line = {.kind = NODE_LINE, .position = {day(2), 1}};
	size_t len, known = 100;

	(void)state;
	ten_days();
	char *all = fixture_shown(f.store, &len), *buf = malloc(len);
	must(buf);
	struct file *file = open_node(&before), *one = open_node(&line);
	assert_int_equal(file_read(file, 0, buf, known, &f.err), known);
	config.keep_days = 3;
	give_up(day(10), true);
	assert_int_equal(files(".day"), 5);

	struct file *later = open_node(&behind);
	assert_true(position_cmp(before.position, behind.position) < 0);
	assert_int_equal(stat_len(&before), len);
	assert_true(stat_len(&behind) < len);
	assert_int_equal(file_read(later, 0, buf, len, &f.err), stat_len(&behind));
	assert_memory_equal(buf, all + len - stat_len(&behind), stat_len(&behind));
	assert_int_equal(file_read(file, known, buf, len, &f.err), len - known);
	assert_memory_equal(buf, all + known, len - known);
	long line_len = file_read(one, 0, buf, len, &f.err);
	assert_true(line_len > 0);
	assert_non_null(memmem(all, len, buf, (size_t)line_len));

	/* It is at the end: what is before can go, and its length stays. */
	file_close(one);
	give_up(day(10), true);
	nothing_is_left();
	assert_int_equal(stat_len(&before), len);
	assert_int_equal(file_read(file, 0, buf, len, &f.err), -ESTALE);
	fixture_put(&f, day(11), "zzz", "1");
	assert_true(stat_len(&before) > len);
	assert_true(file_read(file, len, buf, len, &f.err) > 0);
	file_close(file);
	file_close(later);
	struct stat st;
	assert_int_equal(file_stat(&shown, &before, &st, &f.err), -ESTALE);
	free(all);
	free(buf);
}

static void what_is_read_on_is_bounded(void **state)
{
	struct node node = {.kind = NODE_LIVE};
	struct segments *segments = store_segments(f.store);
	size_t len;
	char buf[100];

	(void)state;
	ten_days();
	free(fixture_shown(f.store, &len));
	struct file *file = open_node(&node);
	segments_give_up(segments, 8);
	size_t needed = view_set_needed(shown.views);
	assert_int_equal(needed, 0);
	uint64_t held = segments_start(segments, 8).base;
	works(segments_sweep(segments, needed, held, &f.err), f.err);
	assert_int_equal(segments_range(segments).readable, 0);
	assert_int_equal(files(".day"), 3);
	works(segments_sweep(segments, needed, held / 2, &f.err), f.err);
	assert_in_range(segments_range(segments).readable, 3, 6);
	assert_int_equal(file_read(file, 0, buf, sizeof buf, &f.err), -ESTALE);
	assert_int_equal(file_read(file, held, buf, sizeof buf, &f.err), sizeof buf);
	assert_int_equal(stat_len(&node), len);
	file_close(file);
}

/* The writer has begun the next one, which retention sees before this one is sealed. */
static void what_grew_until_now_is_sealed_before_it_goes(void **state)
{
	struct segments *segments = store_segments(f.store);

	(void)state;
	fixture_put(&f, day(1), "zzz", "fox61");
	struct segment *before = segments_last(segments);
	size_t number = before->number;
	struct index *index = index_new();
	works(segments_add_growing(segments, (struct position){day(2), 0}, dup(before->fd), index, &f.err), f.err);
	segments_give_up(segments, number + 1);
	works(segments_sweep(segments, number + 1, 0, &f.err), f.err);
	assert_int_equal(segments_range(segments).readable, number);
	segments_seal(segments, before);
	works(segments_sweep(segments, number + 1, 0, &f.err), f.err);
	assert_int_equal(segments_range(segments).readable, number + 1);
	assert_int_equal(files(".idx"), 0);
}

static void a_table_at_its_end_keeps_nothing(void **state)
{
	struct node node = {.kind = NODE_TABLE, .table = "old"};
	char buf[1000];

	(void)state;
	fixture_put(&f, day(1), "old", "1");
	ten_days();
	struct file *file = open_node(&node);
	uint64_t len = stat_len(&node);
	config.keep_days = 3;
	give_up(day(10), true); /* it has not read it yet */
	assert_int_equal(file_read(file, 0, buf, sizeof buf, &f.err), len);
	give_up(day(10), true);
	nothing_is_left();
	assert_int_equal(stat_len(&node), len);
	fixture_put(&f, day(11), "old", "2");
	give_up(day(11), true);
	assert_true(stat_len(&node) > len);
	assert_int_equal(file_read(file, len, buf, sizeof buf, &f.err), stat_len(&node) - len);
	file_close(file);
}

/* Whether it was looked at since, or not. */
static void a_day_that_is_open_ends_where_it_ended(void **state)
{
	struct node known = {.kind = NODE_DAY, .position = {day(2) - day(2) % DAY, 0}};
	struct node unasked = {.kind = NODE_DAY, .position = {day(4) - day(4) % DAY, 0}};
	char buf[1000];

	(void)state;
	for (unsigned i = 1; i <= 4; i++)
		fixture_put(&f, day(i), "zzz", "fox61");
	uint64_t len = stat_len(&known);
	struct file *over = open_node(&known), *today = open_node(&unasked);
	for (unsigned i = 5; i <= 10; i++)
		fixture_put(&f, day(i), "zzz", "fox61");
	config.keep_days = 3;
	give_up(day(10), true);
	assert_true(position_cmp(edge(), (struct position){day(5), 0}) > 0);
	assert_int_equal(stat_len(&known), len);
	assert_int_equal(stat_len(&unasked), len);
	assert_int_equal(file_read(over, 0, buf, sizeof buf, &f.err), len);
	assert_int_equal(file_read(today, 0, buf, sizeof buf, &f.err), len);
	file_close(over);
	file_close(today);
}

/* ---- many --------------------------------------------------------------- */

static size_t open_descriptors(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t count = 0;

	must(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static void of_many_segments_some_hundred_are_open(void **state)
{
	enum { MANY = SEGMENTS_OPEN + 100 };
	struct node node = {.kind = NODE_TABLE, .table = "zzz"};
	size_t len, before = open_descriptors();
	char buf[4096];

	(void)state;
	for (unsigned i = 1; i <= MANY; i++)
		fixture_put(&f, fixture_second + i, "zzz", "fox61");
	close_all();
	open_all(1);
	assert_int_equal(fixture_segments(f.store), MANY + 1);
	free(fixture_shown(f.store, &len));
	struct file *file = open_node(&node);
	uint64_t off = 0;
	long n;
	while ((n = file_read(file, off, buf, sizeof buf, &f.err)) > 0)
		off += (uint64_t)n;
	assert_int_equal(n, 0);
	assert_int_equal(off, stat_len(&node));
	for (unsigned i = 1; i <= MANY; i += 7) {
		struct node line = {.kind = NODE_LINE, .position = {fixture_second + i, 1}};
		struct file *one = open_node(&line);
		assert_true(file_read(one, 0, buf, sizeof buf, &f.err) > 0);
		file_close(one);
	}
	assert_true(open_descriptors() <= before + SEGMENTS_OPEN + 5);
	file_close(file);
}

/* ---- at the same time --------------------------------------------------- */

static atomic_bool writing;

struct follower {
	const char *table; /* NULL: all */
	struct position start;
	char *text;
	size_t len;
	unsigned seed;
	const char *wrong;
};

static void *write_lines(void *ctx)
{
	const unsigned *transactions = ctx;

	for (unsigned i = 0; i < *transactions; i++) {
		fixture_begin(&f, fixture_second + i);
		for (unsigned k = 0; k <= i % 5; k++)
			fixture_insert(&f, (i + k) % 3 ? "zzz" : "yyy", "fox61 and hen62");
		fixture_commit(&f);
		fixture_sync(&f);
	}
	writing = false;
	return NULL;
}

static void *give_up_all_the_time(void *ctx)
{
	const char **wrong = ctx;
	struct err err;

	while (writing) {
		if (retain_once(&retain, 0, true, &(struct position){0}, &err) < 0)
			*wrong = "retention failed";
		usleep(200);
	}
	return NULL;
}

/* Reads a little, at a pace of its own; sizes never go back. */
static const char *follow(struct follower *r, struct file *file, const struct node *node)
{
	char buf[3000];
	uint64_t seen = 0;

	for (bool last = false;; last = !writing) {
		struct stat st;
		struct err err;
		if (file_stat(&shown, node, &st, &err) < 0)
			return "no attributes";
		if ((uint64_t)st.st_size < seen)
			return "the size went back";
		seen = (uint64_t)st.st_size;
		long n = file_read(file, r->len, buf, 1 + (size_t)rand_r(&r->seed) % sizeof buf, &err);
		if (n < 0)
			return "no bytes";
		char *more = realloc(r->text, r->len + (size_t)n + 1);
		if (!more)
			return "out of memory";
		r->text = more;
		memcpy(r->text + r->len, buf, (size_t)n);
		r->len += (size_t)n;
		if (last && n == 0)
			return r->len == seen ? NULL : "the size is not what was read";
		if (rand_r(&r->seed) % 4 == 0)
			usleep(100);
	}
}

static void *follow_thread(void *ctx)
{
	struct follower *r = ctx;
	struct node node = {.kind = r->table ? NODE_TABLE : NODE_LIVE, .table = r->table};
	struct file *file;
	struct err err;
	int result;

	do { /* as the kernel does: a name that went stale meanwhile is looked up again */
		file_pin(&shown, &node);
		result = file_open(&file, &shown, &node, &err);
		if (result == -ENOENT)
			usleep(100);
	} while (result == -ESTALE || result == -ENOENT);
	if (result < 0) {
		r->wrong = "it cannot be opened";
		return NULL;
	}
	r->start = node.position;
	r->wrong = follow(r, file, &node);
	file_close(file);
	return NULL;
}

static void *look_thread(void *ctx)
{
	struct follower *r = ctx;
	struct dir_entry *entry = malloc(sizeof *entry);

	while (writing && entry && !r->wrong) {
		struct node second = {.kind = NODE_SECOND,
		                      .position = {fixture_second + (unsigned)rand_r(&r->seed) % 300, 0}};
		struct stat st;
		struct dir *dir;
		struct err err;
		uint64_t cookie = 0;
		int result = file_stat(&shown, &second, &st, &err);
		if (result < 0 && result != -ENOENT && result != -ESTALE)
			r->wrong = err.text[0] ? "a second" : "a second, without a reason";
		if (result == 0 && dir_open(&dir, &shown, &second, &err) == 0) {
			while ((result = dir_entry(dir, cookie, entry, &err)) == 1)
				cookie = entry->cookie;
			if (result < 0)
				r->wrong = "a listing";
			dir_close(dir);
		}
	}
	free(entry);
	return NULL;
}

/* What a follower should have: the lines of `all` from its start on. */
static void check_follower(const struct follower *r, const char *all, const char *end)
{
	size_t off = 0;

	if (r->wrong)
		fail_msg("%s from %lu: %s", r->table ? r->table : "live", (unsigned long)r->start.epoch, r->wrong);
	for (const char *at = all, *next; at < end; at = next) {
		struct line_head head;
		next = (char *)memchr(at, '\n', (size_t)(end - at)) + 1;
		must(line_parse(at, (size_t)(next - at) - 1, &head));
		char pairs[40];
		snprintf(pairs, sizeof pairs, "_table\t%s", r->table ? r->table : "");
		if (position_cmp(head.position, r->start) < 0 || (r->table && !span_is(head.table_pairs, pairs)))
			continue;
		must(off + (size_t)(next - at) <= r->len);
		assert_memory_equal(r->text + off, at, (size_t)(next - at));
		off += (size_t)(next - at);
	}
	assert_int_equal(off, r->len);
}

static void followers_miss_nothing_while_segments_go(void **state)
{
	enum { FOLLOWERS = 7 };
	unsigned transactions = 1500;
	struct follower followers[FOLLOWERS] = {{.table = NULL},  {.table = NULL}, {.table = "zzz"},
	                                        {.table = "yyy"}, {.table = NULL}, {.table = "zzz"}};
	pthread_t threads[FOLLOWERS + 2];
	const char *wrong = NULL;

	(void)state;
	fixture_put(&f, fixture_second, "zzz", "1");
	close_all();
	open_all(1500); /* fewer segments than one may read on in */
	config.keep_bytes = 4000;
	writing = true;
	/* The first has all: from the start on. */
	struct node live = {.kind = NODE_LIVE};
	struct file *all = open_node(&live);
	must(pthread_create(&threads[0], NULL, write_lines, &transactions) == 0);
	must(pthread_create(&threads[1], NULL, give_up_all_the_time, &wrong) == 0);
	for (unsigned i = 0; i < FOLLOWERS; i++) {
		followers[i].seed = i + 1;
		must(pthread_create(&threads[2 + i], NULL, i + 1 < FOLLOWERS ? follow_thread : look_thread,
		                    &followers[i]) == 0);
		usleep(10000);
	}
	for (int i = 0; i < FOLLOWERS + 2; i++)
		pthread_join(threads[i], NULL);
	if (wrong)
		fail_msg("%s", wrong);

	size_t len = stat_len(&live);
	char *text = malloc(len + 1);
	must(text);
	assert_int_equal(file_read(all, 0, text, len + 1, &f.err), len);
	for (unsigned i = 0; i + 1 < FOLLOWERS; i++)
		check_follower(&followers[i], text, text + len);
	assert_null(followers[FOLLOWERS - 1].wrong);
	give_up(0, true); /* what came since it last looked */
	assert_true(files(".day") < 20);
	assert_in_range(segments_range(store_segments(f.store)).newest, 100, SEGMENTS_OPEN);
	for (unsigned i = 0; i < FOLLOWERS; i++)
		free(followers[i].text);
	free(text);
	file_close(all);
	give_up(0, true);
	nothing_is_left();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(an_open_file_goes_on_where_it_is),
	    TEST(what_is_read_on_is_bounded),
	    TEST(what_grew_until_now_is_sealed_before_it_goes),
	    TEST(a_table_at_its_end_keeps_nothing),
	    TEST(a_day_that_is_open_ends_where_it_ended),
	    TEST(of_many_segments_some_hundred_are_open),
	    TEST(followers_miss_nothing_while_segments_go),
	};
	return cmocka_run_group_tests_name("retain_open", tests, NULL, NULL);
}
