/* Paths and inode numbers <-> nodes. */
#include "fixture.h"

#include "tree.h"

static struct tree *tree;

static int setup(void **state)
{
	(void)state;
	tree = tree_new();
	return tree ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	tree_free(tree);
	return 0;
}

/* Walks a path; false where a part of it is none. `node`'s strings borrow `path`. */
static bool walk(char *path, struct node *node)
{
	char *save = NULL;

	*node = (struct node){.kind = NODE_ROOT};
	for (char *part = strtok_r(path, "/", &save); part; part = strtok_r(NULL, "/", &save)) {
		struct node child;
		if (!tree_child(node, part, &child))
			return false;
		struct node back = tree_parent(&child);
		assert_int_equal(tree_peek(tree, &back), tree_peek(tree, node));
		*node = child;
	}
	return true;
}

static void leads_to(const char *path, enum node_kind kind, uint64_t epoch, uint64_t seq, const char *table)
{
	char copy[2000];
	struct node node, back;

	snprintf(copy, sizeof copy, "%s", path);
	if (!walk(copy, &node))
		fail_msg("%s is not there", path);
	assert_int_equal(node.kind, kind);
	assert_true(node.position.epoch == epoch && node.position.seq == seq);
	if (table)
		assert_string_equal(node.table, table);
	else
		assert_null(node.table);

	uint64_t ino = tree_ino(tree, &node);
	assert_true(ino != 0 && ino < 1ull << 63);
	assert_true(ino == tree_peek(tree, &node));
	assert_true(kind == NODE_ROOT ? ino == 1 : ino > 1);
	assert_true(tree_node(tree, ino, &back));
	assert_int_equal(back.kind, kind);
	assert_true(back.position.epoch == epoch && back.position.seq == seq);
	if (table)
		assert_string_equal(back.table, table);
	else
		assert_null(back.table);
	char again[TREE_PATH_MAX];
	bool lines = kind == NODE_LIVE || kind == NODE_TABLE || kind == NODE_SECOND_ALL || kind == NODE_DAY ||
	             kind == NODE_SINCE_LIVE || kind == NODE_SINCE_TABLE;
	assert_int_equal(tree_path(&node, again), lines);
	if (lines)
		assert_string_equal(again, path);
}

static void leads_nowhere(const char *path)
{
	char copy[2000];
	struct node node;

	snprintf(copy, sizeof copy, "%s", path);
	if (walk(copy, &node))
		fail_msg("%s is there", path);
}

static void every_path_leads_to_its_node_and_back(void **state)
{
	(void)state;
	leads_to("", NODE_ROOT, 0, 0, NULL);
	leads_to("live", NODE_LIVE, 0, 0, NULL);
	leads_to("status", NODE_STATUS, 0, 0, NULL);
	leads_to("metrics", NODE_METRICS, 0, 0, NULL);
	leads_to("by-time/1507507200/all", NODE_SECOND_ALL, 1507507200, 0, NULL);
	leads_to("days", NODE_DAYS, 0, 0, NULL);
	leads_to("days/1970-01-01", NODE_DAY, 0, 0, NULL);
	leads_to("days/2017-10-09", NODE_DAY, 1507507200, 0, NULL);
	leads_to("days/2500-02-28", NODE_DAY, 16730236800, 0, NULL);
	leads_to("tables", NODE_TABLES, 0, 0, NULL);
	leads_to("tables/zzz", NODE_TABLE, 0, 0, "zzz");
	leads_to("tables/s.a%2Eb", NODE_TABLE, 0, 0, "s.a%2Eb");
	leads_to("by-time", NODE_BY_TIME, 0, 0, NULL);
	leads_to("by-time/1507507200", NODE_SECOND, 1507507200, 0, NULL);
	leads_to("by-time/1507507200/10", NODE_LINE, 1507507200, 10, NULL);
	leads_to("since", NODE_SINCE, 0, 0, NULL);
	leads_to("since/0", NODE_SINCE_SECOND, 0, 0, NULL);
	leads_to("since/0/0", NODE_SINCE_DIR, 0, 0, NULL);
	leads_to("since/1507507200/10/live", NODE_SINCE_LIVE, 1507507200, 10, NULL);
	leads_to("since/1507507200/10/tables", NODE_SINCE_TABLES, 1507507200, 10, NULL);
	leads_to("since/1507507200/10/tables/s.a", NODE_SINCE_TABLE, 1507507200, 10, "s.a");
	leads_to("schema", NODE_SCHEMA, 0, 0, NULL);
	leads_to("schema/s.a%2Eb", NODE_DEFINITION, 0, 0, "s.a%2Eb");
	leads_to("snapshots", NODE_SNAPSHOTS, 0, 0, NULL);
	leads_to("snapshots/latest", NODE_LATEST, 0, 0, NULL);
	leads_to("snapshots/1507507200.10", NODE_SNAPSHOT, 1507507200, 10, NULL);
	leads_to("snapshots/1507507200.10/manifest", NODE_MANIFEST, 1507507200, 10, NULL);
	leads_to("snapshots/1507507200.10/overlap", NODE_OVERLAP, 1507507200, 10, NULL);
	leads_to("snapshots/1507507200.10/tables", NODE_COPIES, 1507507200, 10, NULL);
	leads_to("snapshots/1507507200.10/tables/s.a", NODE_COPY, 1507507200, 10, "s.a");
}

static void huge_positions_come_back(void **state)
{
	static const char *const numbers[] = {"16777215",
	                                      "16777216",
	                                      "8589934591",
	                                      "8589934592",
	                                      "4611686018427387904",
	                                      "9223372036854775808",
	                                      "18446744073709551615"};

	(void)state;
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
			uint64_t epoch = strtoull(numbers[i], NULL, 10), seq = strtoull(numbers[k], NULL, 10);
			char path[128];
			snprintf(path, sizeof path, "by-time/%s/%s", numbers[i], numbers[k]);
			leads_to(path, NODE_LINE, epoch, seq, NULL);
			snprintf(path, sizeof path, "since/%s/%s/tables/zzz", numbers[i], numbers[k]);
			leads_to(path, NODE_SINCE_TABLE, epoch, seq, "zzz");
			snprintf(path, sizeof path, "snapshots/%s.%s/overlap", numbers[i], numbers[k]);
			leads_to(path, NODE_OVERLAP, epoch, seq, NULL);
			snprintf(path, sizeof path, "snapshots/%s.%s/tables/zzz", numbers[i], numbers[k]);
			leads_to(path, NODE_COPY, epoch, seq, "zzz");
		}
}

static void what_is_no_name_leads_nowhere(void **state)
{
	static const char *const wrong[] = {"nothere",
	                                    "live/x",
	                                    "status/x",
	                                    "by-time/x",
	                                    "by-time/all",
	                                    "days/1",
	                                    "days/2017-10-9",
	                                    "days/2017-13-01",
	                                    "days/2017-02-29",
	                                    "days/1969-12-31",
	                                    "days/2017-10-09 ",
	                                    "days/ 2017-10-09",
	                                    "days/2017-10-09/x",
	                                    "days/02017-10-09",
	                                    "by-time/01",
	                                    "by-time/-1",
	                                    "by-time/1/01",
	                                    "by-time/1/ 1",
	                                    "by-time/1/1/1",
	                                    "since/1/1/x",
	                                    "since/1/1/tables/a/b",
	                                    "by-time/18446744073709551616",
	                                    "since/1/all/live",
	                                    "tables/public.a",
	                                    "tables/a.b.c",
	                                    "tables/%41",
	                                    "tables/a%",
	                                    "tables/-a",
	                                    "tables/.",
	                                    "tables/a,b",
	                                    "snapshots/1",
	                                    "snapshots/1.",
	                                    "snapshots/1.01",
	                                    "snapshots/1.2.new",
	                                    "snapshots/latest/tables",
	                                    "snapshots/1.2/x",
	                                    "snapshots/1.2/tables/..",
	                                    "snapshots/1.2/tables/a%2f",
	                                    "snapshots/1.2/tables/a/b",
	                                    ".",
	                                    "..",
	                                    "LIVE",
	                                    "live "};

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		leads_nowhere(wrong[i]);
}

static void a_table_has_one_number_wherever_it_is_asked(void **state)
{
	struct node a = {NODE_TABLE, {0, 0}, "zzz"}, b = {NODE_TABLE, {0, 0}, "zzy"},
	            c = {NODE_SINCE_TABLE, {0, 0}, "zzz"};
	struct tree *other = tree_new();

	(void)state;
	uint64_t ino = tree_ino(tree, &a);
	assert_true(tree_ino(tree, &a) == ino);
	assert_true(tree_ino(tree, &b) != ino && tree_ino(tree, &c) != ino);
	assert_true(tree_ino(other, &a) == ino); /* as after a restart */
	tree_free(other);
}

static void a_kept_node_lives_until_its_last_look_up_is_forgotten(void **state)
{
	struct node a = {NODE_TABLE, {0, 0}, "zzz"}, back;

	(void)state;
	uint64_t ino = tree_peek(tree, &a);
	assert_false(tree_node(tree, ino, &back)); /* peeking keeps nothing */
	for (int i = 0; i < 5; i++)
		assert_true(tree_ino(tree, &a) == ino);
	tree_forget(tree, ino, 2);
	tree_forget(tree, ino, 2);
	assert_true(tree_node(tree, ino, &back));
	tree_forget(tree, ino, 1);
	assert_false(tree_node(tree, ino, &back));
	tree_forget(tree, ino, 1); /* once more than it was looked up: nothing */
	assert_true(tree_ino(tree, &a) == ino);
	tree_forget(tree, ino, 100);
	assert_false(tree_node(tree, ino, &back));
}

static void what_its_number_tells_needs_no_keeping(void **state)
{
	struct node line = {NODE_LINE, {1507507200, 16777215}, NULL}, back;

	(void)state;
	uint64_t ino = tree_peek(tree, &line);
	assert_true(tree_node(tree, ino, &back));
	tree_forget(tree, ino, 1);
	assert_true(tree_node(tree, ino, &back));
}

static void numbers_that_were_not_given_out_are_no_nodes(void **state)
{
	struct node node;

	(void)state;
	assert_false(tree_node(tree, 0, &node));
	assert_false(tree_node(tree, 2, &node));
	assert_true(tree_node(tree, (uint64_t)NODE_SCHEMA << 57, &node));
	assert_false(tree_node(tree, (uint64_t)NODE_TABLE << 57, &node));
	assert_false(tree_node(tree, (uint64_t)NODE_SINCE_TABLE << 57, &node));
	assert_false(tree_node(tree, (uint64_t)NODE_COPY << 57, &node));
	for (uint64_t kind = NODE_SCHEMA + 1; kind < 32; kind++)
		assert_false(tree_node(tree, kind << 57, &node));
	assert_false(tree_node(tree, 1ull << 62, &node));
	assert_false(tree_node(tree, UINT64_MAX, &node));
}

static void folders_list_what_always_stands_in_them(void **state)
{
	static const struct {
		enum node_kind kind;
		const char *names;
	} folders[] = {{NODE_ROOT, "by-time days live metrics schema since snapshots status tables "},
	               {NODE_SINCE_DIR, "live tables "},
	               {NODE_SECOND, "all "},
	               {NODE_BY_TIME, ""},
	               {NODE_TABLES, ""},
	               {NODE_SINCE, ""},
	               {NODE_SCHEMA, ""},
	               {NODE_SNAPSHOTS, "latest "},
	               {NODE_SNAPSHOT, "manifest overlap tables "},
	               {NODE_COPIES, ""},
	               {NODE_LIVE, ""}};

	(void)state;
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		struct node dir = {.kind = folders[i].kind, .position = {7, 8}}, child;
		char names[200] = "";
		const char *name;
		for (unsigned k = 0; (name = tree_fixed_name(&dir, k)); k++) {
			assert_true(tree_child(&dir, name, &child));
			strcat(strcat(names, name), " ");
		}
		assert_string_equal(names, folders[i].names);
	}
}

static void folders_are_folders(void **state)
{
	(void)state;
	for (int kind = NODE_ROOT; kind <= NODE_DEFINITION; kind++) {
		struct node node = {.kind = (enum node_kind)kind, .table = "zzz"};
		bool file = kind == NODE_LIVE || kind == NODE_STATUS || kind == NODE_METRICS || kind == NODE_TABLE ||
		            kind == NODE_LINE || kind == NODE_SECOND_ALL || kind == NODE_DAY ||
		            kind == NODE_SINCE_LIVE || kind == NODE_SINCE_TABLE || kind == NODE_LATEST ||
		            kind == NODE_MANIFEST || kind == NODE_OVERLAP || kind == NODE_COPY ||
		            kind == NODE_DEFINITION;
		assert_int_equal(node_is_dir(&node), !file);
	}
}

static uint64_t ino_since(uint64_t seq)
{
	return tree_ino(tree, &(struct node){NODE_SINCE_TABLE, {1507507200, seq}, "zzz"});
}

static void what_is_kept_is_no_more_than_may_be(void **state)
{
	(void)state;
	struct node node;
	uint64_t first = ino_since(0), held = ino_since(1), second = ino_since(2);

	assert_true(tree_hold(tree, held, &node));
	for (uint64_t seq = 3; seq < 3 * TREE_KEPT; seq++) {
		assert_true(ino_since(seq));
		assert_true(ino_since(2) == second);
	}
	assert_false(tree_node(tree, first, &node));
	assert_true(tree_node(tree, second, &node));
	assert_true(tree_node(tree, held, &node));
	assert_string_equal(node.table, "zzz");
	assert_true(ino_since(0) == first); /* the name leads to the same number */
	assert_true(tree_node(tree, first, &node));
	assert_int_equal(node.position.seq, 0);
	tree_release(tree, held);
	tree_forget(tree, held, 1);
	assert_false(tree_node(tree, held, &node));
}

static void what_is_held_stays_whatever_the_kernel_forgets(void **state)
{
	(void)state;
	struct node node;
	uint64_t ino = ino_since(7);

	assert_true(tree_hold(tree, ino, &node));
	tree_forget(tree, ino, 100);
	assert_true(tree_node(tree, ino, &node));
	tree_release(tree, ino);
	assert_false(tree_node(tree, ino, &node));
	tree_release(tree, ino);
	tree_release(tree, 1); /* the root is nobody's to free */
	assert_true(tree_node(tree, 1, &node));
}

/* ---- numbers of /since/<epoch>/<seq>/tables */

static struct node since(uint64_t epoch, uint64_t seq, const char *name)
{
	return (struct node){NODE_SINCE_TABLE, {epoch, seq}, name};
}

/* A handle may be years old. */
static void numbers_are_for_good(void **state)
{
	static const struct {
		struct node node;
		uint64_t ino;
	} nodes[] = {{{NODE_LINE, {1507507200, 10}, NULL}, 1178213278522802186},
	             {{NODE_LINE, {1507507200, 16777216}, NULL}, 9095423409836112187},
	             {{NODE_SINCE_LIVE, {1507507200, 10}, NULL}, 2187019595053793290},
	             {{NODE_TABLE, {0, 0}, "zzz"}, 8605170763834565090},
	             {{NODE_TABLE, {1507507200, 0}, "zzz"}, 6834959158740275999},
	             {{NODE_COPY, {1507507200, 10}, "zzz"}, 6735743171247862876},
	             {{NODE_DEFINITION, {0, 0}, "s.a"}, 4942297840249999404},
	             {{NODE_SINCE_TABLE, {1507507200, 10}, "zzz"}, 4151663272627619956},
	             {{NODE_SINCE_TABLE, {1507507200, 32768}, "zzz"}, 6770374919441841492}};

	(void)state;
	for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++)
		assert_int_equal(tree_peek(tree, &nodes[i].node), nodes[i].ino);
}

static void a_short_number_holds_the_position_where_it_fits(void **state)
{
	static const struct {
		uint64_t epoch, seq;
		bool fits;
	} positions[] = {{1073741824, 0, true},  {1073741823, 0, false},         {3221225471, 32767, true},
	                 {3221225472, 0, false}, {1507507200, 32768, false},     {UINT64_MAX, 0, false},
	                 {0, 0, false},          {1507507200, UINT64_MAX, false}};

	(void)state;
	for (size_t i = 0; i < sizeof positions / sizeof *positions; i++) {
		struct node node = since(positions[i].epoch, positions[i].seq, "zzz"), told;
		uint64_t ino = tree_ino(tree, &node);
		assert_int_equal(ino >> 62, !positions[i].fits);
		assert_int_equal(tree_short_ino(&node), positions[i].fits ? ino : 0);
		assert_int_equal(tree_short_node(ino, &told), positions[i].fits);
		assert_int_equal(tree_generation(ino, &node) != 0, positions[i].fits);
		if (positions[i].fits) {
			assert_int_equal(told.kind, NODE_SINCE_TABLE);
			assert_int_equal(position_cmp(told.position, node.position), 0);
			assert_null(told.table);
		}
	}
	struct node table = {NODE_TABLE, {1507507200, 0}, "zzz"}, live = {NODE_SINCE_LIVE, {1507507200, 0}, NULL};
	assert_int_equal(tree_short_ino(&table), 0);
	assert_int_equal(tree_short_ino(&live), 0);
	assert_int_equal(tree_generation(tree_ino(tree, &table), &table), 0);
	assert_int_equal(tree_generation(tree_ino(tree, &live), &live), 0);
}

/* Two names with the same short hash. */
static void meet(char a[20], char b[20])
{
	strcpy(a, "zzz");
	struct node first = since(1507507200, 0, a), second = since(1507507200, 0, b);
	unsigned i = 0;

	do
		snprintf(b, 20, "t%u", i++);
	while (tree_short_ino(&first) != tree_short_ino(&second));
}

static void of_names_with_one_hash_the_first_has_the_short_number(void **state)
{
	char a[20], b[20];
	struct node back;

	(void)state;
	meet(a, b);
	for (int turn = 0; turn < 2; turn++) {
		struct tree *other = tree_new();
		struct node first = since(1507507200, 0, turn ? b : a), second = since(1507507200, 0, turn ? a : b),
		            elsewhere = since(1507507300, 0, second.table);
		uint64_t ino = tree_peek(other, &first), longer = tree_ino(other, &second);
		assert_true(ino == tree_short_ino(&first) && ino == tree_short_ino(&second));
		assert_true(longer != ino && longer >> 62 == 1);
		assert_true(tree_generation(ino, &first) != tree_generation(ino, &second));
		assert_int_equal(tree_generation(longer, &second), 0);
		assert_true(tree_ino(other, &first) == ino);
		assert_true(tree_node(other, ino, &back));
		assert_string_equal(back.table, first.table);
		/* The kernel may know it still, after it was forgotten here. */
		tree_forget(other, ino, 1);
		tree_forget(other, longer, 1);
		assert_true(tree_ino(other, &second) == longer);
		assert_true(tree_ino(other, &elsewhere) >> 62 == 1);
		assert_true(tree_ino(other, &first) == ino);
		tree_free(other);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	    TEST(every_path_leads_to_its_node_and_back),
	    TEST(huge_positions_come_back),
	    TEST(what_is_no_name_leads_nowhere),
	    TEST(a_table_has_one_number_wherever_it_is_asked),
	    TEST(a_kept_node_lives_until_its_last_look_up_is_forgotten),
	    TEST(what_its_number_tells_needs_no_keeping),
	    TEST(numbers_that_were_not_given_out_are_no_nodes),
	    TEST(folders_list_what_always_stands_in_them),
	    TEST(folders_are_folders),
	    TEST(what_is_kept_is_no_more_than_may_be),
	    TEST(what_is_held_stays_whatever_the_kernel_forgets),
	    TEST(numbers_are_for_good),
	    TEST(a_short_number_holds_the_position_where_it_fits),
	    TEST(of_names_with_one_hash_the_first_has_the_short_number),
	};
	return cmocka_run_group_tests_name("tree", tests, NULL, NULL);
}
