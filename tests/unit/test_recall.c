/* Inode numbers from before a restart -> their nodes. */
#include "fixture.h"

#include "handmade.h"
#include "recall.h"
#include "shown.h"

static struct fixture f;
static struct shown shown;
static struct tree *tree;

static int setup(void **state)
{
	(void)state;
	fixture_start(&f, FIXTURE_SEGMENT);
	fixture_put(&f, fixture_second, "zzz", "1");
	shown = shown_open(f.store);
	tree = tree_new();
	return tree ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	tree_free(tree);
	shown_close(&shown);
	fixture_end(&f);
	return 0;
}

static struct node since(uint64_t epoch, uint64_t seq, const char *name)
{
	return (struct node){NODE_SINCE_TABLE, {epoch, seq}, name};
}

static int recalled(uint64_t ino, char name[NAME_PATH_MAX], struct node *node)
{
	return recall_node(&shown, tree, ino, name, node, &f.err);
}

static void leads_to(const struct node *wanted)
{
	char name[NAME_PATH_MAX];
	struct node node;

	assert_int_equal(recalled(tree_peek(tree, wanted), name, &node), 1);
	assert_int_equal(node.kind, wanted->kind);
	assert_int_equal(position_cmp(node.position, wanted->position), 0);
	assert_string_equal(node.table, wanted->table);
}

static void leads_nowhere(uint64_t ino, int why)
{
	char name[NAME_PATH_MAX];
	struct node node;

	assert_int_equal(recalled(ino, name, &node), why);
}

static void names_that_are_there_are_tried(void **state)
{
	struct node table = {.kind = NODE_TABLE, .table = "zzz"},
	            definition = {.kind = NODE_DEFINITION, .table = "zzz"};
	struct node absent = {.kind = NODE_TABLE, .table = "yyy"};

	(void)state;
	file_pin(&shown, &table);
	file_pin(&shown, &absent);
	leads_to(&table);
	leads_to(&definition);
	leads_nowhere(tree_peek(tree, &absent), 0);
}

static void a_short_number_has_its_position(void **state)
{
	struct node one = since(fixture_second, 0, "zzz"), another = since(fixture_second + 7, 32767, "zzz"),
	            absent = since(fixture_second, 0, "yyy"), beyond = since(fixture_second, 32768, "zzz");

	(void)state;
	leads_to(&one);
	leads_to(&another);
	leads_nowhere(tree_peek(tree, &absent), 0);
	leads_nowhere(tree_peek(tree, &beyond), 0);
	fixture_put(&f, fixture_second, "yyy", "1");
	leads_to(&absent);
}

/* What is not short is found where readers begin: at 0.0, and behind a snapshot, which may be far within a second. */
static void long_numbers_of_beginnings_are_tried(void **state)
{
	struct position snapshot = {fixture_second, 40000};
	struct node zero = since(0, 0, "zzz"), behind = since(fixture_second, 40000, "zzz"),
	            other = since(fixture_second, 40001, "zzz"), absent = since(0, 0, "yyy");

	(void)state;
	leads_to(&zero);
	leads_nowhere(tree_peek(tree, &absent), 0);
	leads_nowhere(tree_peek(tree, &behind), 0);
	snapshot_put(&f, snapshot, 1, (char[]){""});
	leads_to(&behind);
	leads_nowhere(tree_peek(tree, &other), 0);
}

/* A name with the short hash of zzz. */
static void meet(char name[20])
{
	struct node zzz = since(fixture_second, 0, "zzz"), other = since(fixture_second, 0, name);
	unsigned i = 0;

	do
		snprintf(name, 20, "t%u", i++);
	while (tree_short_ino(&other) != tree_short_ino(&zzz));
}

static void a_short_number_of_two_names_is_nobodys(void **state)
{
	struct node zzz = since(fixture_second, 0, "zzz");
	char name[20];

	(void)state;
	meet(name);
	leads_to(&zzz);
	fixture_put(&f, fixture_second, name, "1");
	leads_nowhere(tree_short_ino(&zzz), -ESTALE);
}

/* It comes later, and goes before it: who has it by now has it as long as we live. */
static void a_short_number_is_nobody_elses(void **state)
{
	char name[20];
	struct node zzz = since(fixture_second, 0, "zzz"), other = since(fixture_second, 0, name);

	(void)state;
	meet(name);
	uint64_t ino = tree_ino(tree, &other);
	assert_int_equal(ino, tree_short_ino(&zzz));
	tree_forget(tree, ino, 1);
	leads_nowhere(ino, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(names_that_are_there_are_tried),       TEST(a_short_number_has_its_position),
	    TEST(long_numbers_of_beginnings_are_tried), TEST(a_short_number_of_two_names_is_nobodys),
	    TEST(a_short_number_is_nobody_elses),
	};
	return cmocka_run_group_tests_name("recall", tests, NULL, NULL);
}
