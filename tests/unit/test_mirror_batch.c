/* Many keys of all kinds within a batch: each is told from all others, and found at once. */
#include "test_mirror_pair.h"

#include "batch.h"
#include "coalesce.h"
#include "registry.h"

/* ---- by chance */

enum { KEYS = 500, KINDS = 6, VALUE_MOST = 1500 };

struct kind {
	const char *name, *key, *columns;
	const char *form; /* of a key's number */
	unsigned parts;   /* that are made of it */
};

#define C "\tc\tnumber\\t5\\ttype\\ttext\td\tnumber\\t6\\ttype\\tinteger"

static const struct kind kinds[KINDS] = {
    {"_table\tints", "id", "id\tnumber\\t1\\ttype\\tinteger" C, "id\t%u", 1},
    {"_table\tbigints", "id", "id\tnumber\\t1\\ttype\\tbigint" C, "id\t-92233720368547%05u", 1},
    {"_schema\tbank\t_table\ttexts", "id", "id\tnumber\\t1\\ttype\\ttext" C, "id\tall alike%u\\t", 1},
    {"_table\tbytes", "id", "id\tnumber\\t1\\ttype\\tbytea" C, "id\t\\\\x00000000000000%06u", 1},
    {"_table\ttwo", "k,n", "n\tnumber\\t1\\ttype\\tboolean" C "\tk\tnumber\\t2\\ttype\\ttext", "n\t%u\tk\tkey%u", 2},
    {"_table\tlong", "k", "k\tnumber\\t1\\ttype\\ttext" C, "k\t%0700u", 1},
};

struct table {
	const struct kind *kind;
	unsigned relid, added, last_number; /* the column that was added, if it is there */
	bool there[KEYS];
};

static void define_now(struct pair *pair, const struct table *table)
{
	char columns[500];

	strcpy(columns, table->kind->columns);
	if (table->added)
		sprintf(columns + strlen(columns), "\tadded\tnumber\\t%u\\ttype\\ttext", table->added);
	both_define(pair, table->kind->name, table->relid, table->kind->key, columns);
}

/* Its definition comes again, maybe another one, or it goes and is made anew: in the middle of a batch. */
static void redefine(struct pair *pair, struct table *table)
{
	unsigned what = pick(3);

	if (what == 0)
		table->added = table->added ? 0 : ++table->last_number;
	if (what == 1) {
		char body[200];
		sprintf(body, "%s\t_xid\t%u\t_action\tdrop", table->kind->name, pair->each->stream.xid);
		both_line(pair, body);
		table->relid += KINDS;
		memset(table->there, 0, sizeof table->there);
	}
	define_now(pair, table);
}

static void add_key(char *body, const struct kind *kind, unsigned key)
{
	if (kind->parts == 2)
		sprintf(body + strlen(body), kind->form, key % 2, key / 2);
	else
		sprintf(body + strlen(body), kind->form, key);
}

static void add_values(char *body, const struct table *table, bool whole)
{
	static const char *const names[] = {"c", "d", "added"};

	for (unsigned i = 0; i < (table->added ? 3u : 2u); i++) {
		if (!whole && pick(2))
			continue;
		if (pick(6) == 0)
			sprintf(body + strlen(body), "\t%s\t\\N", names[i]);
		else
			sprintf(body + strlen(body), "\t%s\t%0*u", names[i],
			        i == 1 ? 1 : (int)pick(pick(8) ? 30 : VALUE_MOST), 1 + pick(9));
	}
}

static void change_key(struct pair *pair, struct table *table, unsigned key, unsigned what)
{
	const struct kind *kind = table->kind;
	char body[20000];

	const char *action = !table->there[key] ? "insert" : what == 0 ? "delete" : "update";
	table->there[key] = *action != 'd';
	sprintf(body, "%s\t_xid\t%u\t_action\t%s\t", kind->name, pair->each->stream.xid, action);
	add_key(body, kind, key);
	if (*action != 'd')
		add_values(body, table, *action == 'i' || what < 3);
	both_line(pair, body);
}

/* Changes of one key, of keys that go up or down one by one, or of any. */
static void some_changes(struct pair *pair, struct table *table)
{
	unsigned key = pick(KEYS), way = pick(8), what = pick(6);

	for (unsigned n = 1 + pick(way < 3 ? 200 : 4); n > 0; n--) {
		change_key(pair, table, key, pick(8) ? what : pick(6));
		key = way == 0 ? key : way == 1 ? key + 1 : way == 2 ? key + KEYS - 1 : pick(KEYS);
		key %= KEYS;
	}
}

static void what_many_keys_come_to_is_the_same(void **state)
{
	struct pair *pair = *state;
	struct table tables[KINDS];

	chance = 20;
	for (unsigned i = 0; i < KINDS; i++) {
		tables[i] = (struct table){.kind = &kinds[i], .relid = 1 + i, .last_number = 10};
		define_now(pair, &tables[i]);
	}
	for (unsigned round = 0; round < 30; round++) {
		for (unsigned n = 1 + pick(round % 3 ? 30 : 300); n > 0; n--) {
			some_changes(pair, &tables[pick(KINDS)]);
			if (pick(40) == 0)
				redefine(pair, &tables[pick(KINDS)]);
		}
		if (!both_commit(pair))
			fail_msg("%s", pair->last->err.text);
	}
}

/* ---- found at once */

static struct relation *find_table(struct pair *pair, unsigned number)
{
	struct line_head head;
	struct relation *table = NULL;
	struct err err;
	char text[100];
	int len = sprintf(text, "_table\tt%u\t_xid\t1\t_action\tinsert", number);

	assert_true(line_parse(text, (size_t)len, &head));
	assert_int_equal(registry_find(apply_registry(pair->last->apply), &head, &table, &err), 0);
	assert_non_null(table);
	return table;
}

/* So many are looked at, at most, until a key is found that is not there. */
static size_t longest_run(const struct batch *batch)
{
	size_t longest = 0, run = 0;

	for (size_t i = 0; i < 2 * batch->slot_count; i++) {
		run = batch->slots[i % batch->slot_count] ? run + 1 : 0;
		longest = run > longest ? run : longest;
	}
	return longest;
}

static void tables_with_the_same_numbers_are_not_in_each_others_way(void **state)
{
	enum { TABLES = 100, ROWS = 300 };
	struct pair *pair = *state;
	struct relation *tables[TABLES];
	struct coalesce coalesce = {.lines = 0};
	struct position position = {.epoch = 1};
	struct err err;
	char name[40], row[40];

	for (unsigned i = 0; i < TABLES; i++) {
		sprintf(name, "_table\tt%u", i);
		both_define(pair, name, 1 + i, "id", ID);
	}
	assert_true(both_commit(pair));
	for (unsigned i = 0; i < TABLES; i++)
		tables[i] = find_table(pair, i);
	for (unsigned i = ROWS; i > 0; i--)
		for (unsigned j = 0; j < TABLES; j++) {
			struct span pairs = {row, (size_t)sprintf(row, "id\t%u", i)};
			assert_int_equal(coalesce_add(&coalesce, tables[j], RELATION_INSERT, pairs, position, &err), 1);
		}
	assert_int_equal(coalesce.batch.keys, TABLES * ROWS);
	assert_true(longest_run(&coalesce.batch) < 150);
	coalesce_fini(&coalesce);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(what_many_keys_come_to_is_the_same),
	    TEST(tables_with_the_same_numbers_are_not_in_each_others_way),
	};

	return cmocka_run_group_tests_name("mirror: batch", tests, NULL, NULL);
}
