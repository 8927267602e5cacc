/*
 * What tables, views and look-ups read is what a plain filter of the segments
 * gives: for random stores, and while they grow.
 */
#include "fixture.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>

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

enum { TABLES = 9 };
static const char *const table_pairs[TABLES] = {"_table\ta",
                                                "_table\tab",
                                                "_table\tA\\tb",
                                                "_schema\ts\t_table\ta",
                                                "_schema\ts\t_table\tab",
                                                "_table\trare",
                                                "_table\tlate",
                                                "_schema\tpublic2\t_table\tx\\\\y",
                                                "_table\tonce"};
static const char *const table_names[TABLES] = {"a",    "ab",   "A%09b",        "s.a", "s.ab",
                                                "rare", "late", "public2.x\\y", "once"};

/* A line of the naive answer. */
struct naive_line {
	struct position position;
	int table; /* -1: none of ours */
	size_t off, len;
};

/* The whole stream, read line by line. */
struct naive {
	char *text;
	size_t len, count;
	struct naive_line *lines;
	char *table[TABLES];
	size_t table_len[TABLES];
	size_t *table_at[TABLES]; /* [line]: the table's bytes before it */
};

static uint64_t seed = 1;

static uint64_t any(uint64_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (seed >> 11) % below;
}

static size_t any_len(void)
{
	switch (any(40)) {
	case 0: return 60000 + any(20000);
	case 1: return any(3000);
	case 2: return any(200) == 0 ? 256 * 1024 + any(300000) : any(10);
	default: return any(150);
	}
}

static int any_table(int i, int of)
{
	uint64_t pick = any(100);

	if (i == of / 3 && pick < 20)
		return 8;
	if (pick < 2)
		return 5;
	if (pick < 30 && i > of * 3 / 4)
		return 6;
	return (int)(any(5) < 2 ? any(5) : any(2)); /* runs of the same */
}

static void put_line(struct fixture *f, int table)
{
	size_t len = any_len();
	char *line = malloc(len + 200);
	struct line_head head;

	must(line);
	int n = sprintf(line, "%s\t_xid\t%u\t_action\tinsert\tv\t", table_pairs[table], f->xid);
	memset(line + n, 'a' + (int)any(26), len);
	len += (size_t)n;
	must(line_parse(line, len, &head));
	works(writer_line(f->writer, line, len, &head, &f->err), f->err);
	free(line);
}

static void put_transaction(struct fixture *f, int i, int of)
{
	fixture_begin(f, fixture_second + (uint64_t)i / 3 + any(3));
	int lines = any(30) == 0 ? 300 : (int)any(8);
	for (int k = 0; k < lines; k++)
		put_line(f, any_table(i, of));
	fixture_commit(f);
}

static int table_of(const struct line_head *head)
{
	for (int i = 0; i < TABLES && head->table_pairs.at; i++)
		if (span_is(head->table_pairs, table_pairs[i]))
			return i;
	return -1;
}

/* Reads a copy of the stream that store_read gave. */
static void naive_read(struct naive *n, char *text, size_t len)
{
	size_t cap = 0;

	*n = (struct naive){.text = text, .len = len};
	for (int t = 0; t < TABLES; t++)
		must((n->table[t] = malloc(len + 1)));
	for (size_t off = 0; off < len;) {
		char *end = memchr(text + off, '\n', len - off);
		struct line_head head;
		must(end && line_parse(text + off, (size_t)(end - text) - off, &head));
		if (n->count == cap) {
			cap = cap ? cap * 2 : 1024;
			must((n->lines = realloc(n->lines, cap * sizeof *n->lines)));
			for (int t = 0; t < TABLES; t++)
				must((n->table_at[t] = realloc(n->table_at[t], (cap + 1) * sizeof(size_t))));
		}
		struct naive_line *line = &n->lines[n->count];
		*line = (struct naive_line){head.position, table_of(&head), off, (size_t)(end - text) + 1 - off};
		for (int t = 0; t < TABLES; t++)
			n->table_at[t][n->count] = n->table_len[t];
		if (line->table >= 0) {
			memcpy(n->table[line->table] + n->table_len[line->table], text + off, line->len);
			n->table_len[line->table] += line->len;
		}
		off += line->len;
		n->count++;
	}
	for (int t = 0; t < TABLES; t++)
		n->table_at[t][n->count] = n->table_len[t];
}

static void naive_free(struct naive *n)
{
	for (int t = 0; t < TABLES; t++) {
		free(n->table[t]);
		free(n->table_at[t]);
	}
	free(n->lines);
	free(n->text);
}

/* The first line at or after the position. */
static size_t naive_find(const struct naive *n, struct position position)
{
	size_t i = 0;

	while (i < n->count && position_cmp(n->lines[i].position, position) < 0)
		i++;
	return i;
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

/* ---- while it grows ----------------------------------------------------- */

/*
 * The writer keeps what it has shown in memory, and so does each reader: a
 * reader checks that what it got does not change, and at the end that all is
 * what the filter of the whole stream gives.
 */
struct growth {
	struct view_set *views;
	struct fixture *f;
	struct table_set *tables;
	atomic_bool done;
	int transactions;
};

struct follower {
	struct growth *growth;
	int table; /* -1: /live */
	struct position start;
	char *text;
	size_t len;
	unsigned seed;
	const char *wrong;
};

static void *write_thread(void *arg)
{
	struct growth *g = arg;

	for (int i = 0; i < g->transactions; i++) {
		put_transaction(g->f, i, g->transactions);
		if (any(3) == 0)
			fixture_sync(g->f);
	}
	fixture_sync(g->f);
	atomic_store(&g->done, true);
	store_wake(g->f->store);
	return NULL;
}

/* Opens the view; NULL where the table is not there yet. */
static struct view *follower_view(struct follower *r)
{
	struct view *view;
	struct table *table = NULL;
	struct err err;

	if (r->table >= 0 && table_get(r->growth->tables, table_names[r->table], &table, &err) != 1)
		return NULL;
	if (view_open(&view, r->growth->views, &(struct view_key){.table = table, .start = r->start}, &err) < 0)
		r->wrong = "it cannot be opened";
	return view;
}

/* Reads a little at the end, and again somewhere in what it has. */
static const char *follow_once(struct follower *r, struct view *view, char *buf, size_t size)
{
	uint64_t before, after, epoch;
	struct err err;

	if (view_len(view, &before, &epoch, &err) < 0)
		return "no length";
	size_t want = (size_t)rand_r(&r->seed) % size;
	long n = view_read(view, r->len, buf, want, &err);
	if (n < 0)
		return "no bytes";
	if (r->len + (size_t)n < before && (size_t)n < want)
		return "fewer bytes than the length said";
	if (view_len(view, &after, &epoch, &err) < 0 || after < before || after < r->len + (size_t)n)
		return "the length went back";
	char *more = realloc(r->text, r->len + (size_t)n + 1);
	if (!more)
		return "out of memory";
	r->text = more;
	memcpy(r->text + r->len, buf, (size_t)n);
	r->len += (size_t)n;
	if (r->len == 0)
		return NULL;
	size_t off = (size_t)rand_r(&r->seed) % r->len;
	n = view_read(view, off, buf, size / 8, &err);
	size_t known = r->len - off < size / 8 ? r->len - off : size / 8;
	if (n < (long)known || memcmp(buf, r->text + off, known) != 0)
		return "the bytes changed";
	return NULL;
}

static void *follow_thread(void *arg)
{
	enum { SIZE = 300000 };
	struct follower *r = arg;
	struct view *view = NULL;
	char *buf = malloc(SIZE);
	bool last = false;

	while (buf && !r->wrong) {
		bool done = atomic_load(&r->growth->done);
		if (!view && !(view = follower_view(r))) {
			if (done)
				break;
			sched_yield();
			continue;
		}
		size_t had = r->len;
		r->wrong = follow_once(r, view, buf, SIZE);
		if (done && r->len == had && last)
			break;
		last = done && r->len == had;
		if (r->len == had && !done)
			store_wait(r->growth->f->store, store_len(r->growth->f->store), 1);
	}
	if (view)
		view_close(view);
	free(buf);
	return NULL;
}

static void *find_thread(void *arg)
{
	struct follower *r = arg;
	struct store *store = r->growth->f->store;

	while (!r->wrong && !atomic_load(&r->growth->done)) {
		struct store_end end;
		struct place place;
		struct err err;
		store_end(store, &end);
		struct position any_one = {fixture_second +
		                               (uint64_t)rand_r(&r->seed) % (end.last.epoch + 1 - fixture_second),
		                           (uint64_t)rand_r(&r->seed) % 20};
		if (position_cmp(any_one, end.last) > 0)
			any_one = end.last;
		if (find_line(store, any_one, &place, &err) != 1)
			r->wrong = "a position that is shown is not found";
		else if (position_cmp(place.position, any_one) < 0)
			r->wrong = "a line before the position";
		sched_yield();
	}
	return NULL;
}

static void check_follower(const struct follower *r, const struct naive *n)
{
	if (r->wrong)
		fail_msg("table %d from %lu: %s, at %zu", r->table, (unsigned long)r->start.epoch, r->wrong, r->len);
	size_t i = naive_find(n, r->start);
	const char *all = r->table < 0 ? n->text : n->table[r->table];
	size_t len = r->table < 0 ? n->len : n->table_len[r->table];
	size_t from = r->table >= 0 ? n->table_at[r->table][i] : i < n->count ? n->lines[i].off : n->len;
	assert_int_equal(r->len, len - from);
	assert_true(len == from || memcmp(r->text, all + from, len - from) == 0);
}

static void grow(uint64_t with_seed, uint64_t segment, int transactions)
{
	enum { FOLLOWERS = 10 };
	static const int tables[FOLLOWERS] = {-1, -1, 0, 0, 1, 3, 5, 6, -1, 1};
	struct fixture f;
	struct follower followers[FOLLOWERS + 1] = {0};
	pthread_t threads[FOLLOWERS + 2];
	struct naive naive;
	size_t len;

	seed = with_seed * 77 + 3;
	fixture_start(&f, segment);
	struct growth growth = {
	    .f = &f, .tables = table_set_new(f.store), .views = view_set_new(f.store), .transactions = transactions};
	for (int i = 0; i <= FOLLOWERS; i++) {
		followers[i] =
		    (struct follower){.growth = &growth, .table = i < FOLLOWERS ? tables[i] : -1, .seed = (unsigned)i};
		if (i >= 7)
			followers[i].start =
			    (struct position){fixture_second + (uint64_t)(transactions / 9 * (i - 6)), any(5)};
		must(pthread_create(&threads[i], NULL, i < FOLLOWERS ? follow_thread : find_thread, &followers[i]) ==
		     0);
	}
	must(pthread_create(&threads[FOLLOWERS + 1], NULL, write_thread, &growth) == 0);
	for (int i = 0; i < FOLLOWERS + 2; i++)
		pthread_join(threads[i], NULL);

	char *text = fixture_shown(f.store, &len);
	naive_read(&naive, text, len);
	for (int i = 0; i <= FOLLOWERS; i++) {
		if (i < FOLLOWERS)
			check_follower(&followers[i], &naive);
		else if (followers[i].wrong)
			fail_msg("%s", followers[i].wrong);
		free(followers[i].text);
	}
	naive_free(&naive);
	view_set_free(growth.views);
	table_set_free(growth.tables);
	fixture_end(&f);
}

static void readers_of_a_growing_store_get_the_right_bytes(void **state)
{
	(void)state;
	grow(1, 300000, 300);
	grow(2, FIXTURE_SEGMENT, 300);
	grow(3, 3000, 100);
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
	    cmocka_unit_test(readers_of_a_growing_store_get_the_right_bytes),
	};
	return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
