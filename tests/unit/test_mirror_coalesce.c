/* Of each row only the last state within a batch is written: what comes of it is what the lines come to one by one. */
#include "test_mirror_pair.h"

#include "cache.h"

/* ---- by chance */

enum { KEYS = 6, TABLES = 7 };

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
    {"_table\tExcluded",
     "c0",
     "c0\tnumber\\t1\\ttype\\tinteger\ta\tnumber\\t2\\ttype\\ttext\tc1\tnumber\\t3\\ttype\\tinteger\t"
     "excluded\tnumber\\t4\\ttype\\ttext",
     {"c0\t1", "c0\t2", "c0\t3", "c0\t4", "c0\t5", "c0\t6"},
     {"a", "c1", "excluded"},
     false,
     {0}},
    {"_table\t_daystream_row",
     "rows",
     "rows\tnumber\\t1\\ttype\\ttext\t_daystream_row\tnumber\\t2\\ttype\\ttext\t"
     "_daystream_rows\tnumber\\t3\\ttype\\ttext",
     {"rows\ta", "rows\tb", "rows\tc", "rows\td", "rows\te", "rows\tf"},
     {"_daystream_row", "_daystream_rows"},
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
		else if (!number && pick(12) == 0) /* more than is copied for some columns */
			sprintf(body + strlen(body), "\t%s\t%0*u", kind->others[i], 500 + (int)pick(600), pick(50));
		else
			sprintf(body + strlen(body), number ? "\t%s\t%u" : "\t%s\tval\\\\%u", kind->others[i],
			        pick(50));
	}
}

static void change_by_chance(struct pair *pair, struct kind *kind)
{
	char head[200], body[5000];
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
	struct kind now[TABLES], then[TABLES];
	unsigned wrong = 0, rounds = 400;

	chance = seed;
	memcpy(now, kinds, sizeof now);
	if (exact)
		both_know_all(pair);
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

/* Lines of so many keys, which come in no order. */
static void change_keys(struct pair *pair, unsigned from, unsigned to)
{
	char body[2000];

	for (unsigned i = 2 * from; i < 2 * to; i++) {
		snprintf(body, sizeof body,
		         i % 20 == 7 ? "delete\tid\t%u"
		         : i % 2     ? "update\tid\t%u\ta\t%0900u"
		                     : "insert\tid\t%u\ta\t%0900u\tb\t%0900u",
		         10 + i / 2 * 7919 % 100003, i, i);
		both_change(pair, T, body);
	}
	assert_int_equal(world_feed(pair->last), 0);
	assert_true(apply_taken(pair->last->apply).lines >= 2 * (to - from));
}

/* More than is kept, in one transaction: what waits may take the room of SQLite's pages, which then have little when it is
 * written. */
static void what_is_kept_has_a_bound(void **state)
{
	struct pair *pair = *state;

	both_start(pair);
	change_keys(pair, 0, 20000);
	assert_true(apply_written(pair->last->apply).lines < 100);
	change_keys(pair, 20000, 40000);
	assert_in_range(apply_written(pair->last->apply).lines, 40000, 60000);
	assert_in_range(cache_bytes(pair->last->database.sqlite), 1, 20 << 20);
	assert_true(both_commit(pair));
	assert_string_equal(ask(pair->last, "SELECT count(*) FROM t"), "36002");
}

/* Which it does not take where these are come back to. */
static void so_it_has_where_rows_are_in_another_order(void **state)
{
	struct pair *pair = *state;

	both_start(pair);
	both_run(pair, "CREATE INDEX own ON t (a)");
	change_keys(pair, 0, 20000);
	assert_in_range(apply_written(pair->last->apply).lines, 20000, 40000);
	assert_true(both_commit(pair));
	assert_string_equal(ask(pair->last, "SELECT count(*) FROM t"), "18002");
}

/* Nor where rows of another table need them, which are not kept. */
static void nor_beside_rows_that_are_not_kept(void **state)
{
	struct pair *pair = *state;

	both_start(pair);
	both_define(pair, kinds[4].name, 41, kinds[4].key, kinds[4].columns);
	change_keys(pair, 0, 20000);
	assert_true(apply_written(pair->last->apply).lines < 100);
	both_change(pair, kinds[4].name, "insert\tk\t1.5\ta\tx");
	assert_int_equal(world_feed(pair->last), 0);
	assert_in_range(apply_written(pair->last->apply).lines, 40000, 40100);
	both_change(pair, T, "update\tid\t1\ta\tz");
	both_change(pair, kinds[4].name, "insert\tk\t2.5\ta\tx");
	change_keys(pair, 20000, 40000);
	assert_in_range(apply_written(pair->last->apply).lines, 60000, 80000);
	assert_true(both_commit(pair));
	assert_string_equal(ask(pair->last, "SELECT count(*) FROM t"), "36002");
}

/* Of a large batch, what is changed by itself is written like what goes together. */
static void a_large_batch_is_undone_where_a_row_is_wrong(void **state)
{
	struct pair *pair = *state;

	both_start(pair);
	change_keys(pair, 0, 20000);
	both_change(pair, T, "update\tid\t99999999\ta\tx");
	assert_false(both_commit(pair));
	assert_string_equal(ask(pair->last, "SELECT count(*) FROM t"), "2");
}

/* More bytes than that. */
static void of_few_keys_any_number_of_lines_waits(void **state)
{
	struct pair *pair = *state;
	char body[2000];

	both_start(pair);
	for (unsigned i = 0; i < 40000; i++) {
		snprintf(body, sizeof body, i % 5 ? "update\tid\t%u\ta\t%0*u\tb\tx" : "update\tid\t%u\ta\t%0*u",
		         1 + i % 2, 900 + (int)(i % 64), i);
		both_change(pair, T, body);
	}
	assert_int_equal(world_feed(pair->last), 0);
	assert_true(apply_written(pair->last->apply).lines < 100);
	assert_true(both_commit(pair));
	assert_string_equal(ask(pair->last, "SELECT sum(a + 0), min(b) FROM t"), "79997|x");
}

/* All in one transaction: the lines begin alike, and are of another table each time. */
static void a_table_of_the_same_name_is_another_one(void **state)
{
	struct pair *pair = *state;
	char body[200];

	both_start(pair);
	for (unsigned relid = 30; relid < 40; relid++) {
		unsigned xid = pair->each->stream.xid;
		both_define(pair, "_table\tagain", relid, "id", relid % 2 ? ID "\t" A : ID);
		for (unsigned i = 0; i < 3; i++) {
			snprintf(body, sizeof body, "_table\tagain\t_xid\t%u\t_action\tinsert\tid\t%u%s", xid,
			         relid + i, relid % 2 ? "\ta\tx" : "");
			both_line(pair, body);
		}
		if (relid == 39)
			break;
		snprintf(body, sizeof body, "_table\tagain\t_xid\t%u\t_action\tdrop", xid);
		both_line(pair, body);
	}
	assert_true(both_commit(pair));
	assert_string_equal(ask(pair->last, "SELECT group_concat(id || a) FROM again"), "39x,40x,41x");
}

/* Keys in order need not be looked for, until one is not. */
static void keys_in_order_meet_their_like(void **state)
{
	struct pair *pair = *state;
	char body[200];

	both_start(pair);
	for (unsigned i = 0; i < 3000; i++) {
		unsigned key = i % 100 < 90 ? i : i % 7 ? i - 50 : i - 90;
		snprintf(body, sizeof body,
		         i % 100 < 90 ? "insert\tid\t%u\ta\t%u\tb\tx"
		         : i % 3      ? "update\tid\t%u\ta\t%u"
		                      : "delete\tid\t%u",
		         10 + key, i);
		both_change(pair, T, body);
	}
	assert_true(both_commit(pair));
}

/* Keys enough that one statement takes many, until one comes that is also deleted or changed in part. */
static void many_rows(struct pair *pair)
{
	static const struct {
		const char *table, *key, *values;
	} forms[] = {{T, "id\t%u", "a\tnew%u\tb\t\\N"}, {"_schema\tbank\t_table\tacc", "k\tsamesame%u\tf\t1", "v\t%u"}};
	enum { MANY = 1009 };
	bool there[MANY] = {0};
	char key[100], values[100], body[300];

	both_start(pair);
	both_define(pair, kinds[1].name, 2, kinds[1].key, kinds[1].columns);
	both_run(pair, "ALTER TABLE t ADD COLUMN note DEFAULT 'none'");
	for (unsigned i = 0; i < 6000; i++) {
		unsigned n = i * 7919 % MANY, what = there[n] ? i % 7 : 9;
		for (int form = 0; form < 2; form++) {
			snprintf(key, sizeof key, forms[form].key, 10 + n);
			snprintf(values, sizeof values, forms[form].values, i);
			snprintf(body, sizeof body, "%s\t%s%s%s",
			         what == 9   ? "insert"
			         : what == 0 ? "delete"
			                     : "update",
			         key, what == 0 ? "" : "\t",
			         what == 0                ? ""
			         : what == 1 && form == 0 ? "b\tpart"
			                                  : values);
			both_change(pair, forms[form].table, body);
		}
		there[n] = what != 0;
		if (i % 1500 == 1499) {
			assert_true(both_commit(pair));
			both_run(pair, "UPDATE t SET note = 'seen' WHERE id % 3 = 0");
		}
	}
	assert_string_equal(ask(pair->last, "SELECT count(*) > 500 FROM t WHERE note = 'none'"), "1");
}

static void many_rows_go_together(void **state)
{
	many_rows(*state);
}

static void so_they_do_where_all_rows_are_known(void **state)
{
	both_know_all(*state);
	many_rows(*state);
}

static void none_is_made_up(struct pair *pair, const char *rebuilt)
{
	char body[100];

	both_know_all(pair);
	both_start(pair);
	if (rebuilt)
		both_run(pair, rebuilt);
	for (unsigned i = 0; i < 40; i++) {
		snprintf(body, sizeof body, "insert\tid\t%u\ta\tx\tb\ty", 10 + i);
		both_change(pair, T, body);
	}
	assert_true(both_commit(pair));
	/* The last one, too. */
	for (unsigned missing = 30; missing <= 39; missing += 9) {
		snprintf(body, sizeof body, "DELETE FROM t WHERE id = %u", 10 + missing);
		both_run(pair, body);
		for (unsigned i = 0; i < 40; i++) {
			snprintf(body, sizeof body, "update\tid\t%u\ta\tz\tb\tz", 10 + i);
			both_change(pair, T, body);
		}
		assert_false(both_commit(pair));
		snprintf(body, sizeof body, "this update speaks of (id %u) is not there", 10 + missing);
		assert_non_null(strstr(pair->last->err.text, body));
		snprintf(body, sizeof body, ".%u table t: the row", missing);
		assert_non_null(strstr(pair->last->err.text, body));
		both_run(pair, "INSERT OR IGNORE INTO t VALUES (40, 'x', 'y')");
		apply_coalesce(pair->last->apply, true);
	}
	assert_string_equal(ask(pair->last, "SELECT count(*) FROM t WHERE a = 'z'"), "0");
}

static void of_rows_that_go_together_none_is_made_up(void **state)
{
	none_is_made_up(*state, NULL);
}

/* For such a table SQLite does not tell what is inserted. */
static void nor_is_one_without_rowids(void **state)
{
	none_is_made_up(*state, "DROP TABLE t; CREATE TABLE t (id INTEGER PRIMARY KEY, a, b) WITHOUT ROWID");
}

/* What people keep beside a row makes it right, which a new one with the same values would not be. */
static void rows_that_are_there_go_together_as_they_are(void **state)
{
	struct pair *pair = *state;
	char body[100];

	both_start(pair);
	for (unsigned i = 0; i < 40; i++) {
		snprintf(body, sizeof body, "insert\tid\t%u\ta\tx\tb\told", 10 + i);
		both_change(pair, T, body);
	}
	assert_true(both_commit(pair));
	both_run(pair,
	         "ALTER TABLE t ADD COLUMN note DEFAULT 0 CHECK (b <> 'new' OR note > 0); UPDATE t SET note = id");
	for (unsigned i = 0; i < 40; i++) {
		snprintf(body, sizeof body, "update\tid\t%u\ta\ty\tb\t%s", 10 + i, i % 4 ? "old" : "new");
		both_change(pair, T, body);
	}
	assert_true(both_commit(pair));
	assert_string_equal(ask(pair->last, "SELECT count(*), sum(b = 'new') FROM t WHERE a = 'y' AND note = id"),
	                    "40|10");
}

static void of_rows_that_go_together_the_wrong_one_is_named(void **state)
{
	struct pair *pair = *state;
	char body[100];

	both_start(pair);
	assert_true(both_commit(pair));
	both_run(pair, "ALTER TABLE t ADD COLUMN note DEFAULT 1 CHECK (b <> 'bad')");
	for (unsigned i = 0; i < 40; i++) {
		snprintf(body, sizeof body, "insert\tid\t%u\ta\tx\tb\t%s", 10 + i, i == 30 ? "bad" : "good");
		both_change(pair, T, body);
	}
	assert_false(both_commit(pair));
	assert_non_null(strstr(pair->last->err.text, ".30 table t: cannot insert the row: CHECK"));
	assert_string_equal(ask(pair->last, "SELECT count(*) FROM t"), "2");
}

/* A new row with these values would do. */
static void nor_does_a_wrong_update_hide_among_them(void **state)
{
	struct pair *pair = *state;
	char body[100];

	both_start(pair);
	for (unsigned i = 0; i < 40; i++) {
		snprintf(body, sizeof body, "insert\tid\t%u\ta\tx\tb\told", 10 + i);
		both_change(pair, T, body);
	}
	assert_true(both_commit(pair));
	both_run(pair, "ALTER TABLE t ADD COLUMN note DEFAULT 1 CHECK (b <> 'bad' OR note = 1); UPDATE t SET note = 2");
	for (unsigned i = 0; i < 40; i++) {
		snprintf(body, sizeof body, "update\tid\t%u\ta\ty\tb\t%s", 10 + i, i == 30 ? "bad" : "good");
		both_change(pair, T, body);
	}
	assert_false(both_commit(pair));
	assert_non_null(strstr(pair->last->err.text, ".30 table t: cannot update the row: CHECK"));
	assert_string_equal(ask(pair->last, "SELECT count(*) FROM t WHERE b = 'old'"), "40");
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
	both_define(pair, "_table\tkept", 2, "id", ID "\t" A);
	both_change(pair, "_table\tkept", "insert\tid\t1\ta\tuno");
	assert_true(both_commit(pair));
	both_run(pair, "ALTER TABLE t ADD COLUMN note; UPDATE t SET note = 'mine ' || id");
	both_run(pair, "ALTER TABLE kept ADD COLUMN note; UPDATE kept SET note = 'kept'");
	for (int i = 0; i < 2; i++) {
		struct world *w = worlds[i];
		assert_int_equal(apply_refill(w->apply, &origin, &w->err), 0);
		define(w, T, 1, "id", ID "\t" A "\t" B);
		change(w, T, "insert\tid\t1\ta\tuno\tb\teins");
		change(w, T, "insert\tid\t2\ta\tdue\tb\tzwei");
		define(w, "_table\tkept", 2, "id", ID "\t" A);
		change(w, "_table\tkept", "insert\tid\t1\ta\tuno");
		assert_int_equal(world_feed(w), 0);
		if (apply_refilled(w->apply, &w->err) < 0)
			fail_msg("%s", w->err.text);
	}
	assert_true(both_commit(pair));
	assert_string_equal(ask(pair->last, "SELECT group_concat(note) FROM t"), "mine 1,mine 2");
	assert_string_equal(ask(pair->last, "SELECT note FROM kept"), "kept");
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
	    TEST(so_it_has_where_rows_are_in_another_order),
	    TEST(nor_beside_rows_that_are_not_kept),
	    TEST(a_large_batch_is_undone_where_a_row_is_wrong),
	    TEST(of_few_keys_any_number_of_lines_waits),
	    TEST(keys_in_order_meet_their_like),
	    TEST(a_table_of_the_same_name_is_another_one),
	    TEST(many_rows_go_together),
	    TEST(so_they_do_where_all_rows_are_known),
	    TEST(of_rows_that_go_together_none_is_made_up),
	    TEST(nor_is_one_without_rowids),
	    TEST(rows_that_are_there_go_together_as_they_are),
	    TEST(of_rows_that_go_together_the_wrong_one_is_named),
	    TEST(nor_does_a_wrong_update_hide_among_them),
	    TEST(what_is_wrong_is_said_with_its_place_and_remedy),
	    TEST(what_people_keep_is_put_back_into_rows_that_waited),
	};

	return cmocka_run_group_tests_name("mirror: coalesced", tests, NULL, NULL);
}
