/* Of each row only the last state within a batch is written: what comes of it is what the lines come to one by one. */
#include "content.h"
#include "test_mirror_table.h"

/* Two mirrors of one stream: one takes line by line what the other keeps until the batch ends. */
struct pair {
	struct world *each, *last;
};

static int setup(void **state)
{
	struct pair *pair = calloc(1, sizeof *pair);
	void *one, *other;

	if (world_setup(&one) < 0 || world_setup(&other) < 0)
		return -1;
	*pair = (struct pair){one, other};
	apply_coalesce(pair->last->apply, true);
	*state = pair;
	return 0;
}

static int teardown(void **state)
{
	struct pair *pair = *state;
	void *one = pair->each, *other = pair->last;

	world_teardown(&one);
	world_teardown(&other);
	free(pair);
	return 0;
}

static void both_run(struct pair *pair, const char *sql)
{
	run(pair->each, sql);
	run(pair->last, sql);
}

static void both_line(struct pair *pair, const char *body)
{
	line(pair->each, body);
	line(pair->last, body);
}

static void both_define(struct pair *pair, const char *table, unsigned relid, const char *key, const char *columns)
{
	define(pair->each, table, relid, key, columns);
	define(pair->last, table, relid, key, columns);
}

static int end_batch(struct world *w)
{
	int rc = world_feed(w);

	if (rc == 0)
		rc = apply_commit(w->apply, &w->err);
	if (rc < 0) {
		struct err err;
		w->fed = w->stream.len;
		assert_int_equal(apply_rollback(w->apply, &err), 0);
	}
	return rc;
}

/* Ends the transaction and the batch, and compares; whether it was right. */
static bool both_commit(struct pair *pair)
{
	stream_commit(&pair->each->stream);
	stream_commit(&pair->last->stream);
	int one = end_batch(pair->each), other = end_batch(pair->last);
	if ((one < 0) != (other < 0))
		fail_msg("one by one: %d %s; at once: %d %s", one, pair->each->err.text, other, pair->last->err.text);
	uint64_t content = content_all(pair->each->database.sqlite);
	assert_int_not_equal(content, 0);
	if (content != content_all(pair->last->database.sqlite))
		fail_msg("at %u the rows differ", pair->last->stream.xid);
	assert_int_equal(position_cmp(pair->each->database.position, pair->last->database.position), 0);
	return one == 0;
}

/* ---- by chance */

static unsigned chance; /* the same in each run */

static unsigned pick(unsigned below)
{
	chance = chance * 1103515245u + 12345u;
	return (chance >> 16) % below;
}

enum { KEYS = 6, TABLES = 5 };

struct kind {
	const char *name, *key, *columns;
	const char *keys[KEYS];
	const char *others[4]; /* columns, and values by chance */
	bool whole;            /* none may be left out */
	bool there[KEYS];
};

static const struct kind kinds[TABLES] = {
    {"_table\tt",
     "id",
     ID "\t" A "\t" B "\tc\tnumber\\t4\\ttype\\tinteger",
     {"id\t1", "id\t-5", "id\t2", "id\t9000000000", "id\t0", "id\t300"},
     {"a", "b", "c"},
     false,
     {0}},
    {"_schema\tbank\t_table\tacc",
     "k,f",
     "k\tnumber\\t1\\ttype\\ttext\tf\tnumber\\t2\\ttype\\tboolean\tv\tnumber\\t3\\ttype\\tdouble precision",
     {"k\tsamesame1\tf\t1", "k\tsamesame1\tf\t0", "k\tsamesame2\tf\t1", "k\t\tf\t1", "k\tsame\tf\t1", "k\ta\\tb\tf\t0"},
     {"v"},
     false,
     {0}},
    {"_table\tfull",
     "*",
     "v\tnumber\\t2\\ttype\\ttext\t" ID,
     {"id\t1", "id\t2", "id\t3", "id\t4", "id\t5", "id\t6"},
     {"v"},
     true,
     {0}},
    {"_table\tkeys",
     "k",
     "k\tnumber\\t1\\ttype\\ttext",
     {"k\ta", "k\tb", "k\tc", "k\td", "k\te", "k\tf"},
     {0},
     false,
     {0}},
    {"_table\treals",
     "k",
     "k\tnumber\\t1\\ttype\\tdouble precision\ta\tnumber\\t2\\ttype\\ttext",
     {"k\t0", "k\t-0", "k\t1.5", "k\tNaN", "k\tInfinity", "k\t-1"},
     {"a"},
     false,
     {0}},
};

static void add_values(char *body, const struct kind *kind, bool whole)
{
	for (unsigned i = 0; i < 4 && kind->others[i]; i++) {
		if (!whole && !kind->whole && pick(2))
			continue;
		bool number = *kind->others[i] == 'c' || *kind->others[i] == 'v';
		if (pick(5) == 0)
			sprintf(body + strlen(body), "\t%s\t\\N", kind->others[i]);
		else
			sprintf(body + strlen(body), number ? "\t%s\t%u" : "\t%s\tval\\\\%u", kind->others[i],
			        pick(50));
	}
}

static void change_by_chance(struct pair *pair, struct kind *kind)
{
	char head[200], body[600];
	unsigned key = pick(KEYS), other = pick(KEYS), what = pick(100);
	/* Now and then one that cannot be. */
	bool there = kind->there[key] != (pick(400) == 0);

	snprintf(head, sizeof head, "%s\t_xid\t%u\t_action", kind->name, pair->each->stream.xid);
	if (what == 0) {
		sprintf(body, "%s\ttruncate", head);
		memset(kind->there, 0, sizeof kind->there);
	} else if (!there) {
		sprintf(body, "%s\tinsert\t%s", head, kind->keys[key]);
		add_values(body, kind, true);
		kind->there[key] = true;
	} else if (what < 30) {
		sprintf(body, "%s\tdelete\t%s", head, kind->keys[key]);
		if (kind->whole)
			add_values(body, kind, true);
		kind->there[key] = false;
	} else if (what < 40 && !kind->there[other]) {
		sprintf(body, "%s\treplace\t%s", head, kind->keys[key]);
		if (kind->whole)
			add_values(body, kind, true);
		both_line(pair, body);
		sprintf(body, "%s\tupdate\t%s", head, kind->keys[other]);
		add_values(body, kind, false);
		kind->there[key] = false;
		kind->there[other] = true;
	} else {
		sprintf(body, "%s\tupdate\t%s", head, kind->keys[key]);
		add_values(body, kind, pick(2));
	}
	both_line(pair, body);
}

static void by_chance(struct pair *pair, unsigned seed, bool exact)
{
	struct origin origin = {
	    .system = 7123, .timeline = 1, .generation = 1, .database = "bank", .slot = "daystream"};
	struct world *worlds[] = {pair->each, pair->last};
	struct kind now[TABLES], then[TABLES];
	unsigned wrong = 0, rounds = 400;

	chance = seed;
	memcpy(now, kinds, sizeof now);
	for (int i = 0; exact && i < 2; i++)
		if (apply_refill(worlds[i]->apply, &origin, &worlds[i]->err) < 0 ||
		    apply_refilled(worlds[i]->apply, &worlds[i]->err) < 0)
			fail_msg("%s", worlds[i]->err.text);
	for (unsigned i = 0; i < TABLES; i++)
		both_define(pair, kinds[i].name, i + 1, kinds[i].key, kinds[i].columns);
	assert_true(both_commit(pair));
	both_run(pair, "ALTER TABLE t ADD COLUMN note DEFAULT 'none'");
	for (unsigned round = 0; round < rounds; round++) {
		memcpy(then, now, sizeof then);
		for (unsigned lines = 1 + pick(round % 10 ? 20 : 200); lines > 0; lines--) {
			change_by_chance(pair, &now[pick(TABLES)]);
			if (pick(30) == 0) {
				stream_commit(&pair->each->stream);
				stream_commit(&pair->last->stream);
			}
			if (pick(100) == 0)
				both_define(pair, kinds[0].name, 1, kinds[0].key, kinds[0].columns);
		}
		if (!both_commit(pair)) {
			wrong++;
			memcpy(now, then, sizeof now);
			apply_coalesce(pair->last->apply, true);
		}
		both_run(pair, "UPDATE t SET note = 'seen' WHERE id > 0 AND c > 25");
	}
	assert_true(wrong < rounds / 2);
}

static void what_each_key_comes_to_is_the_same(void **state)
{
	for (unsigned seed = 1; seed <= 5; seed++) {
		by_chance(*state, seed, false);
		teardown(state);
		setup(state);
	}
}

static void so_it_is_where_all_rows_are_known(void **state)
{
	for (unsigned seed = 11; seed <= 15; seed++) {
		by_chance(*state, seed, true);
		teardown(state);
		setup(state);
	}
}

/* ---- on purpose */

static void both_start(struct pair *pair)
{
	start(pair->each);
	start(pair->last);
}

static void both_change(struct pair *pair, const char *table, const char *action)
{
	change(pair->each, table, action);
	change(pair->last, table, action);
}

static void a_trigger_sees_each_change(void **state)
{
	struct pair *pair = *state;

	both_start(pair);
	both_run(pair, "CREATE TABLE seen (a); CREATE TRIGGER see AFTER UPDATE ON t BEGIN INSERT INTO seen VALUES "
	               "(new.a); END");
	both_change(pair, T, "update\tid\t1\ta\tx\tb\ty");
	both_change(pair, T, "update\tid\t1\ta\ty\tb\ty");
	assert_true(both_commit(pair));
	assert_string_equal(ask(pair->last, "SELECT group_concat(a) FROM seen"), "x,y");
}

static void rows_exchange_what_a_unique_index_keeps_apart(void **state)
{
	struct pair *pair = *state;

	both_start(pair);
	both_run(pair, "CREATE UNIQUE INDEX apart ON t (a)");
	both_change(pair, T, "update\tid\t1\ta\tthree\tb\ty");
	both_change(pair, T, "update\tid\t2\ta\tone\tb\ty");
	both_change(pair, T, "update\tid\t1\ta\ttwo\tb\ty");
	assert_true(both_commit(pair));
	assert_string_equal(ask(pair->last, "SELECT group_concat(a) FROM (SELECT a FROM t ORDER BY id)"), "two,one");
}

static void a_long_row_goes_its_own_way(void **state)
{
	struct pair *pair = *state;
	char *body = malloc(200000);

	assert_non_null(body);
	both_start(pair);
	both_change(pair, T, "update\tid\t1\ta\tx\tb\ty");
	sprintf(body, T "\t_xid\t701\t_action\tupdate\tid\t1\tb\t%0100000d", 7);
	both_line(pair, body);
	both_change(pair, T, "update\tid\t1\ta\tz");
	assert_true(both_commit(pair));
	assert_string_equal(ask(pair->last, "SELECT a, length(b) FROM t WHERE id = 1"), "z|100000");
	free(body);
}

/* More than is kept, in one transaction. */
static void what_is_kept_has_a_bound(void **state)
{
	struct pair *pair = *state;
	char body[300];

	both_start(pair);
	for (unsigned i = 0; i < 150000; i++) {
		snprintf(body, sizeof body, i % 3 ? "update\tid\t%u\ta\t%0100u" : "insert\tid\t%u\ta\t%0100u\tb\tx",
		         10 + i / 3 * 7919 % 100003, i);
		both_change(pair, T, body);
	}
	assert_true(both_commit(pair));
	assert_string_equal(ask(pair->last, "SELECT count(*) FROM t"), "50002");
}

static void what_is_wrong_is_said_with_its_place_and_remedy(void **state)
{
	struct pair *pair = *state;

	both_start(pair);
	both_change(pair, T, "update\tid\t1\ta\tx");
	both_change(pair, T, "delete\tid\t2");
	both_change(pair, T, "update\tid\t2\ta\tx");
	assert_false(both_commit(pair));
	assert_non_null(
	    strstr(pair->last->err.text, "1507507201.1 table t: the row that this update speaks of (id 2)"));
	assert_non_null(strstr(pair->last->err.text, "--resync=t"));
	assert_string_equal(ask(pair->last, "SELECT group_concat(a) FROM t"), "one,two");
}

static void what_people_keep_is_put_back_into_rows_that_waited(void **state)
{
	struct pair *pair = *state;
	struct origin origin = {
	    .system = 7123, .timeline = 1, .generation = 1, .database = "bank", .slot = "daystream"};
	struct world *worlds[] = {pair->each, pair->last};

	both_start(pair);
	assert_true(both_commit(pair));
	both_run(pair, "ALTER TABLE t ADD COLUMN note; UPDATE t SET note = 'mine ' || id");
	for (int i = 0; i < 2; i++) {
		struct world *w = worlds[i];
		assert_int_equal(apply_refill(w->apply, &origin, &w->err), 0);
		define(w, T, 1, "id", ID "\t" A "\t" B);
		change(w, T, "insert\tid\t1\ta\tuno\tb\teins");
		change(w, T, "insert\tid\t2\ta\tdue\tb\tzwei");
		assert_int_equal(world_feed(w), 0);
		assert_int_equal(apply_refilled(w->apply, &w->err), 0);
	}
	assert_true(both_commit(pair));
	assert_string_equal(ask(pair->last, "SELECT group_concat(note) FROM t"), "mine 1,mine 2");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(what_each_key_comes_to_is_the_same),
	    TEST(so_it_is_where_all_rows_are_known),
	    TEST(a_trigger_sees_each_change),
	    TEST(rows_exchange_what_a_unique_index_keeps_apart),
	    TEST(a_long_row_goes_its_own_way),
	    TEST(what_is_kept_has_a_bound),
	    TEST(what_is_wrong_is_said_with_its_place_and_remedy),
	    TEST(what_people_keep_is_put_back_into_rows_that_waited),
	};

	return cmocka_run_group_tests_name("mirror: coalesced", tests, NULL, NULL);
}
