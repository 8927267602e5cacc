/*
 * fuzz_tree.c - any path, component by component: a node that is found has a number, which leads back to it, and
 * no two nodes share one. And any number, as a stale NFS handle brings it.
 */
#include <string.h>

#include "property.h"
#include "tree.h"

static bool same(const struct node *a, const struct node *b)
{
	return a->kind == b->kind && position_cmp(a->position, b->position) == 0 && !a->table == !b->table &&
	       (!a->table || strcmp(a->table, b->table) == 0);
}

static void check_number(struct tree *tree, uint64_t ino)
{
	struct node node, back;

	if (!tree_node(tree, ino, &node))
		return;
	uint64_t again = tree_ino(tree, &node);
	must(again && tree_node(tree, again, &back) && same(&node, &back));
	must(tree_peek(tree, &node) == again);
	tree_forget(tree, again, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum { DEEP = 16 };
	struct tree *tree = tree_new();
	struct node node = {.kind = NODE_ROOT}, nodes[DEEP];
	uint64_t inos[DEEP], number = 0;
	char *path = malloc(size + 1), *rest = path, *name;
	int count = 0;

	must(tree && path);
	if (size)
		memcpy(path, data, size);
	path[size] = 0;
	memcpy(&number, path, size < sizeof number ? size : sizeof number);
	check_number(tree, number);
	while ((name = strsep(&rest, "/")) && count < DEEP && tree_child(&node, name, &nodes[count])) {
		node = nodes[count];
		must(!node.table || (*node.table && !strchr(node.table, '/') && strcmp(node.table, "..") != 0));
		inos[count] = tree_ino(tree, &node);
		must(inos[count] > 1 && inos[count] < 1ull << 63 && tree_peek(tree, &node) == inos[count]);
		count++;
		if (!node_is_dir(&node))
			break;
	}
	for (int i = 0; i < count; i++) {
		struct node back;
		must(tree_node(tree, inos[i], &back) && same(&back, &nodes[i]));
		for (int j = 0; j < i; j++)
			must((inos[i] == inos[j]) == same(&nodes[i], &nodes[j]));
	}
	for (int i = 0; i < count; i++)
		tree_forget(tree, inos[i], 1);
	tree_free(tree);
	free(path);
	return 0;
}
