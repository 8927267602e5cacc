/* What readers and look-ups get while the store grows is what a plain filter of the whole stream gives. */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>

#include "naive.h"
#include "view.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(readers_of_a_growing_store_get_the_right_bytes),
	};
	return cmocka_run_group_tests_name("growing", tests, NULL, NULL);
}
