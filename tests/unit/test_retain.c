/* What a store gives up and when, and that who has a file open reads on. */
#include "fixture.h"

#include <pthread.h>
#include <stdatomic.h>

#include "dir.h"
#include "handmade.h"
#include "retain.h"
#include "shown.h"

enum { DAY = 86400 };

static struct fixture f;
static struct config config;
static struct shown shown;
static struct retain retain;

static void open_all(uint64_t segment_bytes)
{
	fixture_open(&f, segment_bytes);
	shown = shown_open(f.store);
	retain = (struct retain){.store = f.store, .tables = shown.tables, .views = shown.views, .config = &config};
}

static void close_all(void)
{
	shown_close(&shown);
	fixture_close(&f);
}

/* Each transaction is a segment of its own. */
static int setup(void **state)
{
	(void)state;
	config = (struct config){0};
	f = (struct fixture){0};
	fixture_folder(&f);
	fixture_origin(&f);
	open_all(1);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	close_all();
	nftw(f.path, fixture_remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return 0;
}

static int give_up(uint64_t now, bool may_pass)
{
	int r = retain_once(&retain, now, may_pass, &(struct position){0}, &f.err);

	works(r, f.err);
	return r;
}

/* Ten segments behind the first, a day after the other. */
static void ten_days(void)
{
	for (unsigned i = 1; i <= 10; i++)
		fixture_put(&f, fixture_second + i * DAY, i % 2 ? "zzz" : "yyy", "fox61");
}

static uint64_t day(unsigned i)
{
	return fixture_second + i * DAY;
}

static size_t files(const char *ending)
{
	char *names = fixture_names(&f, ending);
	size_t count = *names ? 1 : 0;

	for (char *at = names; *at; at++)
		count += *at == ' ';
	free(names);
	return count;
}

static struct position edge(void)
{
	return segments_edge(store_segments(f.store)).first;
}

/* ---- which -------------------------------------------------------------- */

static void without_limits_nothing_goes(void **state)
{
	(void)state;
	ten_days();
	assert_int_equal(give_up(day(10000), true), 0);
	assert_int_equal(files(".day"), 11);
	assert_int_equal(fixture_segments(f.store), 11);
}

static void by_days_goes_what_ended_before(void **state)
{
	(void)state;
	ten_days();
	config.keep_days = 3;
	give_up(day(10), true); /* day 6 ended on day 7, which is 3 days ago: it stays */
	assert_int_equal(edge().epoch, day(6));
	assert_int_equal(files(".day"), 5);
	assert_int_equal(files(".idx"), 4);
	give_up(day(10), true);
	assert_int_equal(files(".day"), 5);
}

static void a_stream_that_stands_still_loses_nothing(void **state)
{
	(void)state;
	ten_days();
	config.keep_days = 3;
	give_up(day(1000), true);
	assert_int_equal(edge().epoch, day(6));
}

static void a_server_whose_clock_is_ahead_takes_nothing_early(void **state)
{
	(void)state;
	ten_days();
	config.keep_days = 3;
	give_up(day(5), true);
	assert_int_equal(edge().epoch, day(1));
	give_up(day(2), true);
	assert_int_equal(edge().epoch, day(1));
}

static void by_bytes_goes_the_oldest_until_the_rest_fits(void **state)
{
	(void)state;
	ten_days();
	size_t all = (size_t)store_len(f.store), newest = fixture_size(&f, "*.day");
	config.keep_bytes = all;
	give_up(day(10), true);
	assert_int_equal(files(".day"), 11);
	config.keep_bytes = 3 * newest;
	give_up(day(10), true);
	assert_int_equal(files(".day"), 3);
	config.keep_bytes = 1; /* the newest stays */
	give_up(day(10), true);
	assert_int_equal(files(".day"), 1);
	assert_int_equal(edge().epoch, day(10));
	fixture_put(&f, day(11), "zzz", "hen62");
	give_up(day(11), true);
	assert_int_equal(edge().epoch, day(11));
}

static void before_the_oldest_line_all_is_stale(void **state)
{
	struct node line = {.kind = NODE_LINE, .position = {day(3), 0}};
	struct node second = {.kind = NODE_SECOND, .position = {day(3), 0}};
	struct node since = {.kind = NODE_SINCE_LIVE, .position = {day(3), 0}};
	struct node never = {.kind = NODE_LINE, .position = {day(8), 77}};
	struct stat st;

	(void)state;
	ten_days();
	works(file_stat(&shown, &line, &st, &f.err), f.err);
	works(file_stat(&shown, &second, &st, &f.err), f.err);
	works(file_stat(&shown, &since, &st, &f.err), f.err);
	config.keep_days = 3;
	give_up(day(10), true);
	assert_int_equal(file_stat(&shown, &line, &st, &f.err), -ESTALE);
	assert_int_equal(file_stat(&shown, &second, &st, &f.err), -ESTALE);
	assert_int_equal(file_stat(&shown, &since, &st, &f.err), -ESTALE);
	assert_int_equal(file_stat(&shown, &never, &st, &f.err), -ENOENT);
	since.position = (struct position){0, 0};
	assert_int_equal(file_stat(&shown, &since, &st, &f.err), -ESTALE);
	since.position = edge();
	works(file_stat(&shown, &since, &st, &f.err), f.err);

	close_all(); /* also for who starts then */
	open_all(1);
	since.position = (struct position){day(3), 0};
	assert_int_equal(file_stat(&shown, &line, &st, &f.err), -ESTALE);
	assert_int_equal(file_stat(&shown, &since, &st, &f.err), -ESTALE);
}

static void a_store_that_has_all_is_stale_nowhere(void **state)
{
	struct node since = {.kind = NODE_SINCE_LIVE, .position = {1, 0}};
	struct stat st;

	(void)state;
	ten_days();
	for (int i = 0; i < 2; i++) {
		works(file_stat(&shown, &since, &st, &f.err), f.err);
		assert_int_equal(st.st_size, store_len(f.store));
		close_all();
		open_all(1);
	}
}

static void a_store_whose_oldest_are_gone_opens_and_grows(void **state)
{
	size_t len;

	(void)state;
	ten_days();
	config.keep_days = 3;
	give_up(day(10), true);
	char *before = fixture_shown(f.store, &len);
	fixture_write(&f, "segments/1507507200.0.idx", "left by a crash", 15);
	close_all();
	open_all(1);
	assert_int_equal(files(".idx"), 4);
	char *after = fixture_shown(f.store, &len);
	assert_string_equal(before, after);
	fixture_put(&f, day(11), "zzz", "hen62");
	assert_int_equal(files(".day"), 6);
	free(before);
	free(after);
}

static void a_table_that_is_given_up_is_not_there(void **state)
{
	struct node node = {.kind = NODE_TABLE, .table = "old"};
	struct dir *dir;
	struct dir_entry *entry = malloc(sizeof *entry);
	struct stat st;

	(void)state;
	must(entry);
	fixture_put(&f, day(1), "old", "1");
	ten_days();
	file_pin(&shown, &node);
	works(file_stat(&shown, &node, &st, &f.err), f.err);
	config.keep_days = 3;
	give_up(day(10), true);
	file_pin(&shown, &node);
	assert_int_equal(file_stat(&shown, &node, &st, &f.err), -ENOENT);
	node = (struct node){.kind = NODE_TABLES};
	works(dir_open(&dir, &shown, &node, &f.err), f.err);
	assert_int_equal(dir_entry(dir, 0, entry, &f.err), 1);
	assert_string_equal(entry->name, "yyy");
	assert_int_equal(dir_entry(dir, 1, entry, &f.err), 1);
	assert_string_equal(entry->name, "zzz");
	assert_int_equal(dir_entry(dir, 2, entry, &f.err), 0);
	dir_close(dir);
	free(entry);
}

/* ---- snapshots ---------------------------------------------------------- */

static bool there(struct position position)
{
	char name[POSITION_TEXT_MAX], path[PATH_MAX];

	snprintf(path, sizeof path, "%s/snapshots/%s", f.path, position_print(name, position));
	return access(path, F_OK) == 0;
}

static void the_newest_snapshot_stays_until_there_is_a_newer_one(void **state)
{
	struct position four = {day(4), 2}, seven = {day(7), 2};

	(void)state;
	ten_days();
	config.keep_days = 1;
	snapshot_put(&f, four, 1, NULL);
	assert_int_equal(give_up(day(10), false), 1);
	assert_int_equal(edge().epoch, day(4));
	assert_true(there(four));
	snapshot_put(&f, seven, 1, (char[]){"zzz"}); /* of one table: that helps nobody else */
	assert_int_equal(give_up(day(10), false), 1);
	assert_true(there(four) && there(seven));

	snapshot_put(&f, seven, 1, NULL);
	assert_int_equal(give_up(day(10), false), 1);
	assert_int_equal(edge().epoch, day(7));
	assert_true(!there(four) && there(seven));
	fixture_put(&f, day(11), "zzz", "1");
	snapshot_put(&f, (struct position){day(11), 2}, 1, NULL);
	assert_int_equal(give_up(day(11), false), 0);
	assert_int_equal(edge().epoch, day(9));
	assert_false(there(seven));
}

static void where_none_can_be_taken_the_disk_comes_first(void **state)
{
	struct position four = {day(4), 2};

	(void)state;
	ten_days();
	config.keep_days = 1;
	snapshot_put(&f, four, 1, NULL);
	assert_int_equal(give_up(day(10), true), 0);
	assert_int_equal(edge().epoch, day(8));
	assert_false(there(four));
	snapshot_put(&f, four, 1, NULL); /* given up already: it keeps nothing */
	config.keep_bytes = 1;
	assert_int_equal(give_up(day(10), false), 0);
	assert_int_equal(edge().epoch, day(10));
	assert_false(there(four));
}

static void snapshots_of_an_older_generation_go(void **state)
{
	struct origin origin = {.system = 7123, .timeline = 1, .generation = 2, .database = "app", .slot = "daystream"};
	struct position four = {day(4), 2}, eight = {day(11), 2};
	struct store_end end;

	(void)state;
	ten_days();
	snapshot_put(&f, four, 1, NULL);
	snapshot_parts(&f, "1507507300.12.new"); /* being written */
	assert_int_equal(give_up(day(10), false), 0);
	assert_true(there(four));
	store_end(f.store, &end);
	works(writer_origin(store_segments_dirfd(f.store), end.last, day(11), &origin, 99, end.lsn + 1,
	                    "2017-10-20 00:00:00+00", &f.err),
	      f.err);
	close_all();
	open_all(1);
	snapshot_put(&f, eight, 2, NULL);
	give_up(day(11), false);
	assert_true(!there(four) && there(eight));
	char *left = fixture_path(&f, "snapshots/1507507300.12.new/tables/zzz");
	assert_int_equal(access(left, F_OK), 0);
	free(left);
	left = fixture_path(&f, "snapshots/removed");
	assert_int_equal(access(left, F_OK), -1);
	free(left);
}

static void a_removal_that_broke_off_is_ended_by_the_next(void **state)
{
	struct position one = {day(1), 2}, two = {day(2), 2};

	(void)state;
	ten_days();
	snapshot_put(&f, one, 1, NULL);
	snapshot_put(&f, two, 1, NULL);
	char *from = fixture_path(&f, "snapshots/1507593600.2"), *to = fixture_path(&f, "snapshots/removed");
	must(rename(from, to) == 0);
	config.keep_days = 3;
	give_up(day(10), true);
	assert_false(there(two));
	assert_int_equal(access(to, F_OK), -1);
	free(from);
	free(to);
}

/* ---- open files --------------------------------------------------------- */

static struct file *open_node(struct node *node)
{
	struct file *file;

	file_pin(&shown, node);
	works(file_open(&file, &shown, node, &f.err), f.err);
	return file;
}

static uint64_t stat_len(const struct node *node)
{
	struct stat st;

	works(file_stat(&shown, node, &st, &f.err), f.err);
	return (uint64_t)st.st_size;
}

/* Of what was given up. */
static void nothing_is_left(void)
{
	struct segments_range range = segments_range(store_segments(f.store));

	assert_int_equal(range.readable, range.oldest);
}

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

/* The index of the sealed segment with that number, unreadable, and its lines too. */
static void spoil(size_t number)
{
	struct position first = segments_start(store_segments(f.store), number).first;
	char name[SEGMENT_NAME_MAX], path[PATH_MAX];

	snprintf(path, sizeof path, "segments/%s", segment_index_name(name, first));
	fixture_unlink(&f, path);
	snprintf(path, sizeof path, "segments/%s", segment_name(name, first));
	fixture_write(&f, path, "spoilt\n", 7);
}

static void damage_does_not_keep_the_disk_full(void **state)
{
	struct node node = {.kind = NODE_TABLE, .table = "zzz"};
	char buf[1000];

	(void)state;
	fixture_put(&f, day(1), "zzz", "1");
	fixture_put(&f, day(1), "zzz", "2");
	struct file *file = open_node(&node);
	uint64_t len = stat_len(&node);
	assert_int_equal(file_read(file, 0, buf, sizeof buf, &f.err), len);
	ten_days();
	spoil(5); /* which nobody has looked at yet */
	struct stat st;
	assert_true(file_stat(&shown, &node, &st, &f.err) < 0);
	config.keep_days = 3;
	give_up(day(10), true);
	nothing_is_left();
	assert_int_equal(files(".day"), 5);
	assert_int_equal(file_read(file, len, buf, sizeof buf, &f.err), -ESTALE);
	assert_true(stat_len(&node) > len);
	file_close(file);
	file = open_node(&node); /* anew it has what is retained */
	assert_int_equal(file_read(file, 0, buf, sizeof buf, &f.err), stat_len(&node));
	assert_non_null(memmem(buf, stat_len(&node), "fox61", 5));
	file_close(file);
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
	    TEST(without_limits_nothing_goes),
	    TEST(by_days_goes_what_ended_before),
	    TEST(a_stream_that_stands_still_loses_nothing),
	    TEST(a_server_whose_clock_is_ahead_takes_nothing_early),
	    TEST(by_bytes_goes_the_oldest_until_the_rest_fits),
	    TEST(before_the_oldest_line_all_is_stale),
	    TEST(a_store_that_has_all_is_stale_nowhere),
	    TEST(a_store_whose_oldest_are_gone_opens_and_grows),
	    TEST(a_table_that_is_given_up_is_not_there),
	    TEST(the_newest_snapshot_stays_until_there_is_a_newer_one),
	    TEST(where_none_can_be_taken_the_disk_comes_first),
	    TEST(snapshots_of_an_older_generation_go),
	    TEST(a_removal_that_broke_off_is_ended_by_the_next),
	    TEST(an_open_file_goes_on_where_it_is),
	    TEST(what_is_read_on_is_bounded),
	    TEST(a_table_at_its_end_keeps_nothing),
	    TEST(damage_does_not_keep_the_disk_full),
	    TEST(of_many_segments_some_hundred_are_open),
	    TEST(followers_miss_nothing_while_segments_go),
	};
	return cmocka_run_group_tests_name("retain", tests, NULL, NULL);
}
