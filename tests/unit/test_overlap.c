/* What a snapshot does not have of the stream, against a plain filter of all that is stored. */
#include "fixture.h"

#include "crc32c.h"
#include "overlap.h"

enum { SMALL_SEGMENT = 1500 };

static struct fixture f;
static struct visible visible;
static struct overlap *overlap;
static struct overlap_end end;
static int out;

static int setup_with(uint64_t segment_bytes)
{
	fixture_start(&f, segment_bytes);
	overlap = NULL;
	char *path = fixture_path(&f, "overlap");
	out = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	free(path);
	return out < 0 ? -1 : 0;
}

static int setup(void **state)
{
	(void)state;
	return setup_with(SMALL_SEGMENT);
}

static int teardown(void **state)
{
	(void)state;
	overlap_close(overlap);
	visible_fini(&visible);
	close(out);
	fixture_end(&f);
	return 0;
}

/* ---- what is done to both ------------------------------------------------ */

static void see(const char *snapshot)
{
	visible_fini(&visible);
	works(visible_parse(&visible, snapshot, &f.err), f.err);
}

static int try_open(uint64_t generation)
{
	int dirfd = open(f.path, O_RDONLY | O_DIRECTORY);

	must(dirfd >= 0);
	overlap_close(overlap);
	int r = overlap_open(&overlap, dirfd, generation, &visible, out, &f.err);
	must((r == 0) == (overlap != NULL));
	close(dirfd);
	return r;
}

static void begin(const char *snapshot)
{
	must(ftruncate(out, 0) == 0 && lseek(out, 0, SEEK_SET) == 0);
	see(snapshot);
	works(try_open(1), f.err);
}

static int step(uint64_t marker_xid)
{
	int r = overlap_step(overlap, marker_xid, &end, &f.err);

	works(r, f.err);
	return r;
}

/* A transaction of `lines` lines. */
static void transact(uint64_t second, unsigned xid, unsigned lines)
{
	char value[64];

	fixture_begin(&f, second);
	f.xid = xid;
	for (unsigned i = 0; i < lines; i++) {
		snprintf(value, sizeof value, "%u-%u", xid, i);
		fixture_insert(&f, i % 2 ? "zzz" : "other.table", value);
	}
	fixture_commit(&f);
}

/* All that is committed is on disk, and the store tells so. */
static void mark(void)
{
	fixture_sync(&f);
	works(durable_mark(writer_durable(f.writer), &f.err), f.err);
}

/* ---- what is right ------------------------------------------------------- */

static bool naive_visible(const char *snapshot, uint64_t xid)
{
	unsigned long long xmin, xmax;
	int n = 0;

	must(sscanf(snapshot, "%llu:%llu:%n", &xmin, &xmax, &n) == 2 && n > 0);
	if (xid < xmin || xid >= xmax)
		return xid < xmin;
	for (const char *at = snapshot + n; *at; at += strcspn(at, ",") + (strchr(at, ',') != NULL))
		if (strtoull(at, NULL, 10) == xid)
			return false;
	return true;
}

/* Everything shown that is not seen, up to the marker's commit. */
static char *naive_overlap(const char *snapshot, uint64_t marker_xid, size_t *len)
{
	size_t stored_len, since = 0;
	char *stored = fixture_shown(f.store, &stored_len), *want = malloc(stored_len + 1);
	bool marked = false;

	must(want);
	*len = 0;
	for (char *at = stored; !marked && at < stored + stored_len;) {
		struct line_head head;
		size_t line_len = (size_t)(strchr(at, '\n') - at);
		must(line_parse(at, line_len, &head));
		uint64_t xid = head.xid.at ? strtoull(head.xid.at, NULL, 10) : 0;
		bool commit = span_is(head.action, "commit");
		if (xid && (xid == marker_xid || !naive_visible(snapshot, xid))) {
			memcpy(want + *len, at, line_len + 1);
			*len += line_len + 1;
			if (commit) {
				char digits[9];
				size_t covered = *len - strlen("crc\t01234567\n") - since;
				snprintf(digits, sizeof digits, "%08x", crc32c(0, want + since, covered));
				memcpy(want + *len - 9, digits, 8);
				since = *len;
				marked = xid == marker_xid;
			}
		}
		at += line_len + 1;
	}
	free(stored);
	return want;
}

/* By docs/FORMAT.md alone. */
static void check_format(const char *text, size_t len, uint64_t marker_xid)
{
	struct position last = {0};
	struct line_head head;
	struct commit commit = {0};
	size_t since = 0;

	for (size_t at = 0; at < len;) {
		const char *newline = memchr(text + at, '\n', len - at);
		must(newline && line_parse(text + at, (size_t)(newline - text) - at, &head) && head.stamped);
		assert_true(position_cmp(head.position, last) > 0);
		assert_non_null(head.xid.at);
		last = head.position;
		if (commit_parse(&head, &commit)) {
			assert_true(commit.has_crc);
			assert_int_equal(commit.crc, crc32c(0, text + since, (size_t)(commit.crc_at - text) - since));
			since = (size_t)(newline - text) + 1;
		}
		at = (size_t)(newline - text) + 1;
	}
	assert_int_equal(since, len);
	assert_true(strtoull(head.xid.at, NULL, 10) == marker_xid);
	assert_true(end.position.epoch == last.epoch && end.position.seq == last.seq + 1);
	assert_true(end.lsn == commit.lsn);
}

static void check_overlap(const char *snapshot, uint64_t marker_xid)
{
	size_t len, want_len;
	char *text = fixture_read(&f, "overlap", &len), *want = naive_overlap(snapshot, marker_xid, &want_len);

	assert_int_equal(len, want_len);
	assert_memory_equal(text, want, len);
	check_format(text, len, marker_xid);
	assert_true(end.bytes == len);
	assert_int_equal(end.crc, crc32c(0, text, len));
	assert_true(end.origin.generation == 1 && end.origin.system == 7123);
	assert_string_equal(end.origin.database, "app");
	free(text);
	free(want);
}

/* ---- random stores ------------------------------------------------------- */

static unsigned below(unsigned *seed, unsigned n)
{
	return (unsigned)rand_r(seed) % n;
}

/* xids as commits bring them: nearly in order. */
static void shuffle(unsigned *seed, unsigned *xids, unsigned count, unsigned far)
{
	for (unsigned i = 0; i < count; i++)
		xids[i] = 100 + i;
	for (unsigned i = 0; i < count; i++) {
		unsigned j = i + below(seed, far) < count ? i + below(seed, far) : i;
		unsigned other = xids[j < count ? j : i];
		xids[j < count ? j : i] = xids[i];
		xids[i] = other;
	}
}

static void random_snapshot(unsigned *seed, unsigned count, char *text, size_t size)
{
	unsigned xmin = 100 + below(seed, count), xmax = xmin + below(seed, 30);
	int n = snprintf(text, size, "%u:%u:", xmin, xmax);

	for (unsigned xid = xmin, listed = 0; xid < xmax; xid++)
		if (xid == xmin || below(seed, 3) == 0)
			n += snprintf(text + n, size - (size_t)n, "%s%u", listed++ ? "," : "", xid);
}

/* The store grows, rolls and is marked at any time between the steps. */
static void random_store(unsigned seed)
{
	enum { COUNT = 60 };
	unsigned xids[COUNT], second = 0, from = below(&seed, COUNT), i = 0;
	char snapshot[512];
	int r = 0;

	setup_with(below(&seed, 4) ? SMALL_SEGMENT : FIXTURE_SEGMENT);
	shuffle(&seed, xids, COUNT, 1 + below(&seed, 20));
	random_snapshot(&seed, COUNT, snapshot, sizeof snapshot);
	for (; i < COUNT; i++) {
		if (i == from)
			begin(snapshot);
		second += below(&seed, 3) == 0;
		transact(fixture_second + second, xids[i], below(&seed, 5));
		if (below(&seed, 8) == 0)
			mark();
		if (i > from && below(&seed, 4) == 0)
			assert_int_equal(step(0), 0);
	}
	fixture_begin(&f, fixture_second + second);
	f.xid = 100 + COUNT;
	works(fixture_try_line(&f, "_xid\t160\t_action\tmessage\tprefix\tdaystream\tcontent\tx"), f.err);
	fixture_commit(&f);
	if (below(&seed, 2)) {
		mark();
		r = step(100 + COUNT);
	}
	for (unsigned more = 0; more < 5; more++) /* what comes behind it is not of interest */
		transact(fixture_second + second, 100 + COUNT + 1 + more, 3);
	mark();
	if (r == 0)
		r = step(100 + COUNT);
	assert_int_equal(r, 1);
	check_overlap(snapshot, 100 + COUNT);
	teardown(NULL);
}

static void random_stores_give_what_a_plain_filter_gives(void **state)
{
	(void)state;
	for (unsigned seed = 1; seed <= 40; seed++)
		random_store(seed);
}

/* ---- where it begins and ends -------------------------------------------- */

/* Segments of one transaction each: days differ. The first is the generation's start. */
static void put_days(const unsigned *xids, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		transact(fixture_second + 86400 * (i + 1), xids[i], 2);
	mark();
}

static void it_begins_at_the_first_segment_that_holds_xmin_or_later(void **state)
{
	static const unsigned xids[] = {20, 21, 30, 22, 31};

	(void)state;
	fixture_begin(&f, fixture_second);
	fixture_define(&f, "zzz", 16384, "text");
	fixture_commit(&f);
	put_days(xids, 5);
	fixture_flip(&f, "segments/1507507200.0.day", 150); /* neither is read further */
	fixture_flip(&f, "segments/1507680000.0.day", fixture_size(&f, "segments/1507680000.0.day") - 30);
	begin("30:31:30");
	assert_int_equal(step(31), 1);
	fixture_flip(&f, "segments/1507507200.0.day", 150);
	fixture_flip(&f, "segments/1507680000.0.day", fixture_size(&f, "segments/1507680000.0.day") - 30);
	check_overlap("30:31:30", 31);
	fixture_flip(&f, "segments/1507852800.0.day", fixture_size(&f, "segments/1507852800.0.day") - 30);
	begin("30:31:30"); /* what is visible is checked, too */
	assert_int_equal(overlap_step(overlap, 31, &end, &f.err), -EBADMSG);
	assert_non_null(strstr(f.err.text, "segments/1507852800.0.day at "));
	fixture_flip(&f, "segments/1507852800.0.day", fixture_size(&f, "segments/1507852800.0.day") - 30);
}

static void missing_indexes_change_nothing_and_are_not_written(void **state)
{
	static const unsigned xids[] = {20, 30, 22, 31};

	(void)state;
	put_days(xids, 4);
	char *names = fixture_names(&f, ".idx"), *save = NULL, path[128];
	for (char *one = strtok_r(names, " ", &save); one; one = strtok_r(NULL, " ", &save)) {
		snprintf(path, sizeof path, "segments/%s", one);
		fixture_unlink(&f, path);
	}
	free(names);
	begin("30:31:30");
	assert_int_equal(step(31), 1);
	names = fixture_names(&f, ".idx");
	assert_string_equal(names, "");
	free(names);
	check_overlap("30:31:30", 31);
}

static void the_marker_may_be_first_or_last_or_in_a_new_segment(void **state)
{
	(void)state;
	mark();
	begin("9:9:"); /* the transaction that started the generation */
	assert_int_equal(step(9), 1);
	check_overlap("9:9:", 9);

	transact(fixture_second, 20, 1);
	mark();
	begin("20:20:");
	assert_int_equal(step(20), 1);
	check_overlap("20:20:", 20);

	fixture_begin(&f, fixture_second);
	f.xid = 21;
	fixture_define(&f, "zzz", 16384, "text");
	fixture_commit(&f);
	begin("22:22:");
	mark();
	assert_int_equal(step(22), 0);
	assert_int_equal(step(22), 0);
	transact(fixture_second + 86400, 22, 1); /* its segment opens with lines that are left out */
	mark();
	assert_int_equal(step(22), 1);
	check_overlap("22:22:", 22);
	size_t len, segment_len;
	char *text = fixture_read(&f, "overlap", &len), *segment = fixture_read(&f, "*.day", &segment_len);
	assert_non_null(strstr(segment, "\t_relid\t16384\t"));
	assert_null(strstr(text, "\t_relid\t"));
	assert_true(segment_len > len && memcmp(segment + segment_len - 9, text + len - 9, 8) != 0);
	free(text);
	free(segment);
}

static void a_visible_marker_is_taken(void **state)
{
	(void)state;
	transact(fixture_second, 20, 1);
	mark();
	begin("21:21:");
	assert_int_equal(step(20), 1);
	check_overlap("21:21:", 20);
}

/* ---- the mark ------------------------------------------------------------ */

static void nothing_behind_the_mark_is_taken(void **state)
{
	(void)state;
	mark();
	begin("20:20:");
	transact(fixture_second, 20, 3);
	works(writer_flush(f.writer, &f.err), f.err);
	must(fixture_size(&f, "*.day") > 300);
	assert_int_equal(step(20), 0);
	assert_int_equal(fixture_size(&f, "overlap"), 0);
	mark();
	assert_int_equal(step(20), 1);
	check_overlap("20:20:", 20);
}

static void the_mark_comes_though_nothing_follows_the_last_commit(void **state)
{
	(void)state;
	mark();
	transact(fixture_second, 20, 1);
	fixture_sync(&f); /* the mark is younger than a second */
	begin("20:20:");
	for (int tries = 0; tries < 3 && step(20) == 0; tries++)
		works(durable_sync(writer_durable(f.writer), 1500, &f.err), f.err);
	check_overlap("20:20:", 20);
}

static void what_was_read_ahead_and_taken_back_is_read_again(void **state)
{
	(void)state;
	transact(fixture_second, 20, 1);
	mark();
	begin("20:20:");
	fixture_begin(&f, fixture_second);
	fixture_insert(&f, "zzz", "the source breaks off");
	works(writer_flush(f.writer, &f.err), f.err);
	assert_int_equal(step(0), 0);
	works(writer_rollback(f.writer, &f.err), f.err);
	transact(fixture_second, 21, 4);
	mark();
	assert_int_equal(step(21), 1);
	check_overlap("20:20:", 21);
}

static void a_torn_end_behind_the_mark_does_no_harm(void **state)
{
	(void)state;
	transact(fixture_second, 20, 1);
	mark();
	fixture_append(&f, "*.day", "_c\t1507", 7);
	begin("20:20:");
	assert_int_equal(step(21), 0);
	fixture_cut(&f, "*.day", fixture_size(&f, "*.day") - 7);
	assert_int_equal(step(21), 0);
	transact(fixture_second, 21, 1);
	mark();
	assert_int_equal(step(21), 1);
	check_overlap("20:20:", 21);
}

static void a_segment_that_is_just_being_made_is_not_looked_at(void **state)
{
	(void)state;
	transact(fixture_second, 20, 1);
	mark();
	fixture_write(&f, "segments/1507593600.0.day", "", 0);
	begin("20:20:");
	assert_int_equal(step(21), 0);
	assert_true(fixture_size(&f, "overlap") > 0);
}

static void a_store_that_tells_nothing_durable_is_an_error(void **state)
{
	(void)state;
	transact(fixture_second, 20, 1);
	mark();
	char *path = fixture_path(&f, "confirmed");
	char zeros[1024] = {0};
	fixture_write(&f, "confirmed", zeros, sizeof zeros);
	see("20:20:");
	assert_int_equal(try_open(1), -ENOENT);
	must(unlink(path) == 0);
	assert_int_equal(try_open(1), -ENOENT);
	free(path);
}

/* ---- what goes wrong ----------------------------------------------------- */

static void a_flipped_byte_is_found_wherever_it_is(void **state)
{
	static const unsigned xids[] = {20, 21};
	static const char *const files[] = {"segments/1507593600.0.day", "segments/1507680000.0.day"};

	(void)state;
	fixture_begin(&f, fixture_second);
	fixture_define(&f, "zzz", 16384, "text");
	fixture_commit(&f);
	put_days(xids, 2);
	see("20:21:20");
	for (int i = 0; i < 2; i++) {
		size_t len;
		char *text = fixture_read(&f, files[i], &len);
		size_t origin_len = strcspn(text, "\n");
		for (size_t off = 0; off < len; off++) {
			fixture_flip(&f, files[i], off);
			int opened = try_open(1), r = opened;
			if (opened == 0)
				r = overlap_step(overlap, 21, &end, &f.err);
			bool other_generation = opened == -ESTALE && i == 1 && off < origin_len; /* of the newest */
			if (r != -EBADMSG && !other_generation)
				fail_msg("a flipped byte at %zu of %s: %d", off, files[i], r);
			if (r == -EBADMSG && !strstr(f.err.text, files[i]))
				fail_msg("a flipped byte at %zu of %s: %s", off, files[i], f.err.text);
			fixture_flip(&f, files[i], off);
		}
		free(text);
	}
	begin("20:21:20");
	assert_int_equal(step(21), 1);
	check_overlap("20:21:20", 21);
}

static void a_segment_that_is_cut_or_lost_is_found(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 40; i++)
		transact(fixture_second, 20 + i, 3);
	mark();
	char *names = fixture_names(&f, ".day"), name[128], moved[256], from[256];
	must(strtok(names, " ") && strtok(NULL, " "));
	snprintf(name, sizeof name, "segments/%s", strtok(NULL, " "));
	snprintf(from, sizeof from, "%s/%s", f.path, name);
	snprintf(moved, sizeof moved, "%s/away", f.path);
	free(names);

	size_t len;
	char *text = fixture_read(&f, name, &len);
	static const size_t cut[] = {1, 20, 200};
	for (int i = 0; i < 3; i++) {
		fixture_cut(&f, name, len - cut[i]);
		begin("20:20:");
		assert_int_equal(overlap_step(overlap, 59, &end, &f.err), -EBADMSG);
		fixture_write(&f, name, text, len);
	}
	free(text);
	must(rename(from, moved) == 0);
	begin("20:20:");
	assert_int_equal(overlap_step(overlap, 59, &end, &f.err), -EBADMSG);
	must(rename(moved, from) == 0);
	begin("20:20:");
	assert_int_equal(step(59), 1);
	check_overlap("20:20:", 59);
}

static void a_newest_segment_that_is_lost_is_found(void **state)
{
	static const unsigned xids[] = {20, 21};

	(void)state;
	put_days(xids, 2);
	fixture_unlink(&f, "*.day");
	begin("20:20:");
	assert_int_equal(overlap_step(overlap, 21, &end, &f.err), -EBADMSG);
	assert_non_null(strstr(f.err.text, "what came behind this is missing"));
}

static void what_retention_gives_up_once_it_is_open_is_read(void **state)
{
	static const unsigned xids[] = {20, 21, 22};
	size_t len, want_len;

	(void)state;
	put_days(xids, 3);
	char *want = naive_overlap("20:20:", 22, &want_len);
	begin("20:20:");
	fixture_unlink(&f, "segments/1507507200.0.day");
	fixture_unlink(&f, "segments/1507593600.0.day");
	fixture_unlink(&f, "segments/1507680000.0.day");
	assert_int_equal(step(22), 1);
	char *text = fixture_read(&f, "overlap", &len);
	assert_int_equal(len, want_len);
	assert_memory_equal(text, want, len);
	free(text);
	free(want);
}

static void what_retention_gives_up_before_it_is_open_is_no_silent_gap(void **state)
{
	static const unsigned xids[] = {20, 21, 22};

	(void)state;
	put_days(xids, 1);
	begin("20:20:");
	assert_int_equal(step(0), 0);
	transact(fixture_second + 3 * 86400, 21, 1);
	transact(fixture_second + 5 * 86400, 22, 1);
	mark();
	fixture_unlink(&f, "segments/1507593600.0.day"); /* the newest that is open, and the next */
	fixture_unlink(&f, "segments/1507766400.0.day");
	assert_int_equal(overlap_step(overlap, 22, &end, &f.err), -ESTALE);
	assert_non_null(strstr(f.err.text, "segments/1507593600.0.day"));
}

static void a_new_generation_ends_it(void **state)
{
	struct origin origin = {.system = 7123, .timeline = 1, .generation = 2, .database = "app", .slot = "daystream"};

	(void)state;
	transact(fixture_second, 20, 1);
	mark();
	struct store_end last;
	store_end(f.store, &last);
	begin("20:20:");
	assert_int_equal(step(0), 0);
	works(writer_origin(store_segments_dirfd(f.store), last.last, fixture_second, &origin, 21, f.lsn + 0x100,
	                    "2017-10-09 00:00:00+00", &f.err),
	      f.err);
	assert_int_equal(step(22), 0); /* not known to be on disk */
	fixture_close(&f);
	fixture_open(&f, SMALL_SEGMENT);
	assert_int_equal(overlap_step(overlap, 22, &end, &f.err), -ESTALE);
	assert_non_null(strstr(f.err.text, "generation 2"));
	assert_int_equal(try_open(1), -ESTALE);
	assert_int_equal(try_open(3), -ESTALE);
	works(try_open(2), f.err);
	must(ftruncate(out, 0) == 0 && lseek(out, 0, SEEK_SET) == 0);
	transact(fixture_second, 22, 1);
	mark();
	assert_int_equal(step(22), 1); /* of the former generation nothing, though 20 is not visible */
	size_t len;
	char *text = fixture_read(&f, "overlap", &len);
	assert_null(strstr(text, "\t_xid\t20\t"));
	assert_non_null(strstr(text, "\t_xid\t21\t"));
	check_format(text, len, 22);
	assert_true(end.origin.generation == 2);
	free(text);
}

static void a_transaction_larger_than_the_buffers_is_taken(void **state)
{
	enum { LINE = 700 << 10 };
	char *value = malloc(LINE + 1);

	(void)state;
	must(value);
	memset(value, 'x', LINE);
	value[LINE] = 0;
	transact(fixture_second, 20, 1);
	fixture_begin(&f, fixture_second);
	f.xid = 21;
	for (int i = 0; i < 12; i++) {
		fixture_insert(&f, "zzz", value + (i % 3 ? LINE - 60000 : 0));
		fixture_insert(&f, "zzz", "1");
	}
	fixture_commit(&f);
	transact(fixture_second, 22, 1);
	mark();
	begin("21:21:");
	assert_int_equal(step(22), 1);
	check_overlap("21:21:", 22);
	free(value);
}

static void a_full_disk_names_the_file(void **state)
{
	(void)state;
	transact(fixture_second, 20, 1);
	mark();
	close(out);
	must((out = open("/dev/full", O_WRONLY)) >= 0);
	see("20:20:");
	works(try_open(1), f.err);
	assert_int_equal(overlap_step(overlap, 20, &end, &f.err), -ENOSPC);
	assert_non_null(strstr(f.err.text, "overlap"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    cmocka_unit_test(random_stores_give_what_a_plain_filter_gives),
	    TEST(it_begins_at_the_first_segment_that_holds_xmin_or_later),
	    TEST(missing_indexes_change_nothing_and_are_not_written),
	    TEST(the_marker_may_be_first_or_last_or_in_a_new_segment),
	    TEST(a_visible_marker_is_taken),
	    TEST(nothing_behind_the_mark_is_taken),
	    TEST(the_mark_comes_though_nothing_follows_the_last_commit),
	    TEST(what_was_read_ahead_and_taken_back_is_read_again),
	    TEST(a_torn_end_behind_the_mark_does_no_harm),
	    TEST(a_segment_that_is_just_being_made_is_not_looked_at),
	    TEST(a_store_that_tells_nothing_durable_is_an_error),
	    TEST(a_flipped_byte_is_found_wherever_it_is),
	    TEST(a_segment_that_is_cut_or_lost_is_found),
	    TEST(a_newest_segment_that_is_lost_is_found),
	    TEST(what_retention_gives_up_once_it_is_open_is_read),
	    TEST(what_retention_gives_up_before_it_is_open_is_no_silent_gap),
	    TEST(a_new_generation_ends_it),
	    TEST(a_transaction_larger_than_the_buffers_is_taken),
	    TEST(a_full_disk_names_the_file),
	};
	return cmocka_run_group_tests_name("overlap", tests, NULL, NULL);
}
