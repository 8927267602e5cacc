#include "recall.h"

#include <string.h>

#include "names.h"

struct recall {
	const struct shown *shown;
	struct tree *tree;
	uint64_t ino;
	char *name;
	struct node *node;
};

static int try_name(const char *name, void *ctx)
{
	static const enum node_kind kinds[] = {NODE_TABLE, NODE_DEFINITION};
	struct recall *recall = ctx;

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		struct node node = {.kind = kinds[i], .table = name};
		file_pin(recall->shown, &node);
		if (tree_peek(recall->tree, &node) != recall->ino)
			continue;
		*recall->node = node;
		recall->node->table = strcpy(recall->name, name);
		return 1;
	}
	return 0;
}

int recall_node(const struct shown *shown, struct tree *tree, uint64_t ino, char name[NAME_PATH_MAX], struct node *node,
                struct err *err)
{
	struct recall recall = {shown, tree, ino, name, node};

	return names_list(shown->store, try_name, &recall, err);
}
