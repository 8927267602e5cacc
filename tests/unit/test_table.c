/* What tables, views and look-ups read is what a plain filter of the segments gives, for random stores. */
#include <stdatomic.h>
#include <sys/syscall.h>

#include "naive.h"
#include "names.h"
#include "view.h"

static _Atomic uint64_t bytes_read;

ssize_t pread(int fd, void *buf, size_t len, off_t off)
{
	ssize_t n = syscall(SYS_pread64, fd, buf, len, off);

	if (n > 0)
		bytes_read += (uint64_t)n;
	return n;
}

/* ---- a store that stands still ------------------------------------------ */

struct random_store {
	struct fixture f;
	struct naive naive;
	struct table_set *tables;
};

static void random_start(struct random_store *r, uint64_t with_seed)
{
	seed = with_seed * 0x9e3779b97f4a7c15u + 1;
	uint64_t segment = (uint64_t[]){2000, 100000, 400000, FIXTURE_SEGMENT}[with_seed % 4];
	int transactions = segment == 2000 ? 60 : 400;
	size_t len;

	fixture_start(&r->f, segment);
	for (int i = 0; i < transactions; i++) {
		put_transaction(&r->f, i, transactions);
		if (any(4) == 0)
			fixture_sync(&r->f);
	}
	fixture_sync(&r->f);
	char *text = fixture_shown(r->f.store, &len);
	naive_read(&r->naive, text, len);
	must((r->tables = table_set_new(r->f.store)));
}

static void random_end(struct random_store *r)
{
	table_set_free(r->tables);
	naive_free(&r->naive);
	fixture_end(&r->f);
}

static struct table *table_named(struct random_store *r, int t)
{
	struct table *table;
	int found = table_get(r->tables, table_names[t], &table, &r->f.err);

	works(found, r->f.err);
	assert_int_equal(found, r->naive.table_len[t] > 0);
	return table;
}

static size_t any_offset(size_t len)
{
	switch (any(8)) {
	case 0: return 0;
	case 1: return len;
	case 2: return len + any(5);
	default: return any(len + 1);
	}
}

static size_t any_size(void)
{
	return (size_t)(any(4) == 0 ? any(600000) : any(3) == 0 ? 1 + any(3) : any(5000));
}

static void same_bytes(const char *have, long n, const char *all, size_t len, size_t off, size_t size)
{
	size_t want = off >= len ? 0 : len - off < size ? len - off : size;

	assert_int_equal(n, want);
	if (memcmp(have, all + (off < len ? off : len), want) != 0)
		fail_msg("wrong bytes at %zu, %zu of them", off, want);
}

static void read_randomly(struct table *table, const char *all, size_t len)
{
	struct table_cursor cursors[3] = {{0}};
	char *buf = malloc(600000);
	struct err err = {""};
	size_t follow = 0;

	must(buf);
	for (int i = 0; i < 120; i++) {
		size_t off = i % 2 ? follow : any_offset(len), size = any_size();
		long n = table_read(table, &cursors[i % 2 ? 0 : 1 + any(2)], off, buf, size, &err);
		same_bytes(buf, n, all, len, off, size);
		if (i % 2)
			follow = off + (size_t)n < len ? off + (size_t)n : 0;
	}
	free(buf);
}

static void a_table_reads_as_the_filter_of_the_stream(void **state)
{
	struct random_store r;

	(void)state;
	for (uint64_t s = 0; s < 8; s++) {
		random_start(&r, s);
		for (int t = 0; t < TABLES; t++) {
			struct table *table = table_named(&r, t);
			uint64_t len, epoch;
			if (!table)
				continue;
			works(table_len(table, &len, &epoch, &r.f.err), r.f.err);
			assert_int_equal(len, r.naive.table_len[t]);
			size_t last = r.naive.count;
			while (r.naive.lines[--last].table != t)
				;
			assert_true(epoch == r.naive.lines[last].position.epoch);
			read_randomly(table, r.naive.table[t], r.naive.table_len[t]);
		}
		random_end(&r);
	}
}

/* Existing, between, before, beyond. */
static struct position any_position(const struct naive *n)
{
	struct position position = n->lines[any(n->count)].position;

	switch (any(6)) {
	case 0: return (struct position){position.epoch, position.seq + any(3)};
	case 1: return (struct position){position.epoch + any(3), 0};
	case 2: return (struct position){position.epoch, UINT64_MAX};
	case 3: return (struct position){any(2) ? 0 : fixture_second - 1, any(2)};
	case 4: return any(4) ? position : (struct position){UINT64_MAX, any(2) ? UINT64_MAX : 0};
	default: return position;
	}
}

static void check_place(struct random_store *r, struct position position)
{
	const struct naive *n = &r->naive;
	struct place place;
	size_t i = naive_find(n, position);
	int found = find_line(r->f.store, position, &place, &r->f.err);

	assert_int_equal(found, i < n->count);
	if (!found)
		return;
	assert_int_equal(position_cmp(place.position, n->lines[i].position), 0);
	assert_int_equal(place.at, n->lines[i].off);
	assert_int_equal(place.len, n->lines[i].len);
	for (int t = 0; t < TABLES; t++) {
		struct table *table = table_named(r, t);
		uint64_t off;
		if (!table)
			continue;
		works(table_offset(table, &place, &off, &r->f.err), r->f.err);
		assert_int_equal(off, n->table_at[t][i]);
	}
}

static void look_ups_find_what_a_search_from_the_start_finds(void **state)
{
	struct random_store r;

	(void)state;
	for (uint64_t s = 0; s < 8; s++) {
		random_start(&r, s);
		for (int i = 0; i < 300; i++)
			check_place(&r, any_position(&r.naive));
		for (size_t i = 0; i < r.naive.count; i += 1 + r.naive.count / 300)
			check_place(&r, r.naive.lines[i].position);
		random_end(&r);
	}
}

static void check_view(struct random_store *r, int t, struct position start)
{
	const struct naive *n = &r->naive;
	size_t i = naive_find(n, start);
	const char *all = t < 0 ? n->text : n->table[t];
	size_t from = t >= 0 ? n->table_at[t][i] : i < n->count ? n->lines[i].off : n->len;
	size_t len = (t < 0 ? n->len : n->table_len[t]) - from, size = any_size(), off = any_offset(len);
	struct view_key key = {.table = t < 0 ? NULL : table_named(r, t), .start = start};
	struct view_set *views = view_set_new(r->f.store);
	struct view *view;
	uint64_t have, epoch;
	char *buf = malloc(size + 1);

	must(buf && views);
	works(view_stat(views, &key, &have, &epoch, &r->f.err), r->f.err);
	assert_int_equal(have, len);
	works(view_open(&view, views, &key, &r->f.err), r->f.err);
	same_bytes(buf, view_read(view, off, buf, size, &r->f.err), all + from, len, off, size);
	works(view_len(view, &have, &epoch, &r->f.err), r->f.err);
	assert_int_equal(have, len);
	view_close(view);
	view_set_free(views);
	free(buf);
}

static void views_read_from_their_start_on(void **state)
{
	struct random_store r;

	(void)state;
	for (uint64_t s = 0; s < 8; s++) {
		random_start(&r, s);
		for (int i = 0; i < 200; i++) {
			int t = (int)any(TABLES + 2) - 2;
			check_view(&r, t < 0 || r.naive.table_len[t] == 0 ? -1 : t, any_position(&r.naive));
		}
		random_end(&r);
	}
}

static int count_name(const char *name, void *ctx)
{
	for (int t = 0; t < TABLES; t++)
		if (strcmp(name, table_names[t]) == 0)
			((int *)ctx)[t]++;
	return 0;
}

static void the_list_of_tables_has_each_once(void **state)
{
	struct random_store r;
	int seen[TABLES] = {0};

	(void)state;
	random_start(&r, 1);
	works(names_list(r.f.store, count_name, seen, &r.f.err), r.f.err);
	for (int t = 0; t < TABLES; t++)
		assert_int_equal(seen[t], r.naive.table_len[t] > 0);
	random_end(&r);
}

static void names_that_no_table_can_have_are_not_there(void **state)
{
	static const char *const wrong[] = {"nothere", "",   ".",    "..",  "public.a", "a.b.c",
	                                    "s.",      ".a", "A\tb", "%41", "a%"};
	struct random_store r;
	struct table *table;

	(void)state;
	random_start(&r, 3);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_int_equal(table_get(r.tables, wrong[i], &table, &r.f.err), 0);
	random_end(&r);
}

/* ---- indexes on the disk ------------------------------------------------ */

static void spoil(struct fixture *f, const char *name, int how)
{
	size_t len;
	char *bytes = fixture_read(f, name, &len);

	switch (how) {
	case 0: fixture_unlink(f, name); break;
	case 1: fixture_write(f, name, "", 0); break;
	case 2: fixture_write(f, name, "short", 5); break;
	case 3: fixture_cut(f, name, len - 1); break;
	case 4: fixture_append(f, name, "x", 1); break;
	default: fixture_flip(f, name, (size_t)(how - 5) * 97 % len); break;
	}
	free(bytes);
}

static void an_index_that_is_missing_or_wrong_is_built_again(void **state)
{
	struct random_store r;

	(void)state;
	random_start(&r, 1);
	char *names = fixture_names(&r.f, ".idx"), name[128];
	assert_non_null(strchr(names, ' '));
	*strchr(names, ' ') = 0;
	snprintf(name, sizeof name, "segments/%s", names);
	size_t len, len_now;
	char *want = fixture_read(&r.f, name, &len);
	for (int how = 0; how < 40; how++) {
		spoil(&r.f, name, how);
		table_set_free(r.tables);
		fixture_close(&r.f);
		fixture_open(&r.f, FIXTURE_SEGMENT);
		must((r.tables = table_set_new(r.f.store)));
		read_randomly(table_named(&r, 0), r.naive.table[0], r.naive.table_len[0]);
		char *now = fixture_read(&r.f, name, &len_now);
		assert_int_equal(len_now, len);
		assert_memory_equal(now, want, len);
		free(now);
	}
	/* That of another segment, or of the same one when it was longer. */
	uint64_t other = 12345;
	memcpy(want + 16, &other, sizeof other);
	fixture_write(&r.f, name, want, len);
	free(want);
	free(names);
	table_set_free(r.tables);
	fixture_close(&r.f);
	works(store_open(&r.f.store, r.f.path, STORE_READ, &r.f.err), r.f.err); /* a reader cannot save it */
	must((r.tables = table_set_new(r.f.store)));
	read_randomly(table_named(&r, 0), r.naive.table[0], r.naive.table_len[0]);
	random_end(&r);
}

static void an_index_built_while_growing_is_the_one_built_later(void **state)
{
	struct random_store r;

	(void)state;
	random_start(&r, 1);
	char *names = fixture_names(&r.f, ".idx"), *save = NULL;
	for (char *one = strtok_r(names, " ", &save); one; one = strtok_r(NULL, " ", &save)) {
		char name[128], segment[128];
		size_t len, again_len, segment_len;
		snprintf(name, sizeof name, "segments/%s", one);
		snprintf(segment, sizeof segment, "segments/%.*s.day", (int)strlen(one) - 4, one);
		char *grown = fixture_read(&r.f, name, &len);
		struct index *index = index_new();
		uint64_t from = 0;
		char *path = fixture_path(&r.f, segment);
		int fd = open(path, O_RDONLY);
		segment_len = fixture_size(&r.f, segment);
		works(segment_index(fd, &from, segment_len, index, &r.f.err), r.f.err);
		index_show(index);
		works(index_save(index, store_dirfd(r.f.store), "again", segment_len, &r.f.err), r.f.err);
		char *again = fixture_read(&r.f, "again", &again_len);
		assert_int_equal(again_len, len);
		assert_memory_equal(again, grown, len);
		index_free(index);
		close(fd);
		free(path);
		free(grown);
		free(again);
	}
	free(names);
	random_end(&r);
}

/* ---- odd files ---------------------------------------------------------- */

static void a_line_longer_than_all_buffers_is_read(void **state)
{
	struct fixture f;
	struct table *table;
	struct table_cursor cursor = {0};
	uint64_t len, epoch;
	size_t size = 5 << 20, off = 0;
	char *value = malloc(size + 1), *got = malloc(2 * size);

	(void)state;
	must(value && got);
	memset(value, 'x', size);
	value[size] = 0;
	fixture_start(&f, FIXTURE_SEGMENT);
	struct table_set *tables = table_set_new(f.store);
	fixture_put(&f, fixture_second + 1, "other", "1");
	fixture_begin(&f, fixture_second + 2);
	fixture_insert(&f, "other", value);
	fixture_insert(&f, "zzz", value);
	fixture_insert(&f, "other", "2");
	fixture_commit(&f);
	fixture_sync(&f);
	assert_int_equal(table_get(tables, "zzz", &table, &f.err), 1);
	works(table_len(table, &len, &epoch, &f.err), f.err);
	assert_in_range(len, size + 30, size + 100);
	for (long n; (n = table_read(table, &cursor, off, got + off, 100000, &f.err)) != 0; off += (size_t)n)
		works(n, f.err);
	assert_int_equal(off, len);
	assert_int_equal(got[off - 1], '\n');
	assert_memory_equal(got + off - 1 - size, value, size);
	fixture_close(&f);
	table_set_free(tables);
	fixture_open(&f, FIXTURE_SEGMENT); /* recovery reads it as well */
	fixture_end(&f);
	free(value);
	free(got);
}

/* As tail -n does. What is read from the file is about what is asked for, not the line again and again. */
static void a_long_line_is_read_backwards_and_ahead_as_well(void **state)
{
	struct fixture f;
	struct table *table;
	struct table_cursor cursor = {0}, other = {0};
	enum { SIZE = 3 << 20, STEP = 4096 };
	char *value = malloc(SIZE + 1), got[STEP], same[STEP];
	uint64_t len, epoch;

	(void)state;
	must(value);
	for (int i = 0; i < SIZE; i++)
		value[i] = (char)('a' + i / 7 % 26);
	value[SIZE] = 0;
	fixture_start(&f, FIXTURE_SEGMENT);
	struct table_set *tables = table_set_new(f.store);
	fixture_begin(&f, fixture_second + 1);
	for (int i = 0; i < 3; i++) {
		fixture_insert(&f, "zzz", value);
		fixture_insert(&f, "other", "1");
	}
	fixture_commit(&f);
	fixture_sync(&f);
	assert_int_equal(table_get(tables, "zzz", &table, &f.err), 1);
	works(table_len(table, &len, &epoch, &f.err), f.err);
	assert_in_range(len, 3 * SIZE, 3 * SIZE + 300);
	bytes_read = 0;
	for (uint64_t off = len; off > STEP; off -= STEP)
		assert_int_equal(table_read(table, &cursor, off - STEP, got, STEP, &f.err), STEP);
	for (uint64_t off = 0; off + STEP <= len; off += 3 * STEP)
		assert_int_equal(table_read(table, &cursor, off, got, STEP, &f.err), STEP);
	/* Each read takes a chunk of 256 KiB at most: eighty times the line, not a thousand times. */
	assert_in_range(bytes_read, 3 * SIZE, 300ull * 3 * SIZE);
	for (int i = 0; i < 300; i++) {
		uint64_t off = any(len - STEP);
		other.valid = false;
		assert_int_equal(table_read(table, &cursor, off, got, STEP, &f.err), STEP);
		assert_int_equal(table_read(table, &other, off, same, STEP, &f.err), STEP);
		assert_memory_equal(got, same, STEP);
	}
	table_set_free(tables);
	fixture_end(&f);
	free(value);
}

/* Cut under our feet: an error, never zeros or fewer bytes than were told. */
static void a_segment_that_is_cut_while_it_is_read_gives_an_error(void **state)
{
	struct fixture f;
	struct table *table;
	struct table_cursor cursor = {0};
	char buf[4096];

	(void)state;
	fixture_start(&f, FIXTURE_SEGMENT);
	struct table_set *tables = table_set_new(f.store);
	for (int i = 0; i < 5; i++)
		fixture_put(&f, fixture_second + 1, "zzz", "1");
	assert_int_equal(table_get(tables, "zzz", &table, &f.err), 1);
	size_t len = fixture_size(&f, "*.day");
	for (size_t cut = 0; cut < len; cut += 7) {
		size_t had;
		char *text = fixture_read(&f, "*.day", &had);
		fixture_cut(&f, "*.day", cut);
		assert_int_equal(store_read(f.store, 0, buf, sizeof buf, &f.err), -EBADMSG);
		cursor.valid = false;
		assert_int_equal(table_read(table, &cursor, 0, buf, sizeof buf, &f.err), -EBADMSG);
		fixture_write(&f, "*.day", text, had);
		free(text);
	}
	assert_int_equal(store_read(f.store, 0, buf, sizeof buf, &f.err), len);
	table_set_free(tables);
	fixture_end(&f);
}

/* The start of the name in the n-th line of the table. */
static size_t name_at(struct fixture *f, const char *file, const char *pair, int nth)
{
	size_t len;
	char *text = fixture_read(f, file, &len), *at = text;

	for (int i = 0; i < nth; i++)
		must((at = memmem(at + 1, len - (size_t)(at + 1 - text), pair, strlen(pair))));
	size_t off = (size_t)(at - text) + strlen("_table\t");
	free(text);
	return off;
}

static void a_line_that_lost_its_table_is_damage_and_no_endless_search(void **state)
{
	char buf[4096];

	(void)state;
	for (int nth = 1; nth <= 3; nth++) {
		struct fixture f;
		struct table *table;
		struct table_cursor cursor = {0};
		fixture_start(&f, FIXTURE_SEGMENT);
		struct table_set *tables = table_set_new(f.store);
		for (int i = 0; i < 3; i++)
			fixture_put(&f, fixture_second + 1, "zzz", "1");
		assert_int_equal(table_get(tables, "zzz", &table, &f.err), 1);
		fixture_flip(&f, "*.day", name_at(&f, "*.day", "_table\tzzz", nth));
		assert_int_equal(table_read(table, &cursor, 0, buf, sizeof buf, &f.err), -EBADMSG);
		assert_non_null(strstr(f.err.text, "segments/"));
		table_set_free(tables);
		fixture_end(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_table_reads_as_the_filter_of_the_stream),
	    cmocka_unit_test(look_ups_find_what_a_search_from_the_start_finds),
	    cmocka_unit_test(views_read_from_their_start_on),
	    cmocka_unit_test(the_list_of_tables_has_each_once),
	    cmocka_unit_test(names_that_no_table_can_have_are_not_there),
	    cmocka_unit_test(an_index_that_is_missing_or_wrong_is_built_again),
	    cmocka_unit_test(an_index_built_while_growing_is_the_one_built_later),
	    cmocka_unit_test(a_line_longer_than_all_buffers_is_read),
	    cmocka_unit_test(a_long_line_is_read_backwards_and_ahead_as_well),
	    cmocka_unit_test(a_segment_that_is_cut_while_it_is_read_gives_an_error),
	    cmocka_unit_test(a_line_that_lost_its_table_is_damage_and_no_endless_search),
	};
	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
