#include "recall.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "names.h"

struct recall {
	const struct shown *shown;
	struct tree *tree;
	uint64_t ino;
	struct position snapshot; /* whose names are tried */
	char *name;
	struct node *node;
};

static int try_node(struct recall *recall, struct node node)
{
	file_pin(recall->shown, &node);
	if (tree_peek(recall->tree, &node) != recall->ino)
		return 0;
	*recall->node = node;
	recall->node->table = strcpy(recall->name, node.table);
	return 1;
}

/* Which has no short number: what has one tells its position itself, and to ask for its number would take the place of a long one
 * (tree.h). */
static int try_long_since(struct recall *recall, struct position position, const char *name)
{
	struct node node = {NODE_SINCE_TABLE, position, name};

	return tree_short_ino(&node) == 0 && try_node(recall, node);
}

static int try_name(const char *name, void *ctx)
{
	return try_node(ctx, (struct node){.kind = NODE_TABLE, .table = name}) ||
	       try_node(ctx, (struct node){.kind = NODE_DEFINITION, .table = name}) ||
	       try_long_since(ctx, (struct position){0, 0}, name);
}

static int try_copy(const char *name, void *ctx)
{
	struct recall *recall = ctx;

	return try_node(recall, (struct node){.kind = NODE_COPY, .position = recall->snapshot, .table = name}) ||
	       try_long_since(recall, recall->snapshot, name);
}

static int try_snapshots(struct recall *recall, struct err *err)
{
	struct store *store = recall->shown->store;
	struct position *list;
	size_t count;
	int r = arrived_list(recall->shown->arrived, store, &list, &count, err);

	for (size_t i = count; i > 0 && r == 0; i--) {
		recall->snapshot = list[i - 1];
		r = snapshots_tables(store_dirfd(store), recall->snapshot, try_copy, recall, err);
		/* It went meanwhile, or is damaged, which another one need not suffer from. */
		r = r == -ENOENT || r == -EBADMSG || r == -EIO ? 0 : r;
	}
	free(list);
	return r;
}

static int try_since(const char *name, void *ctx)
{
	struct recall *recall = ctx;
	struct node node = {NODE_SINCE_TABLE, recall->node->position, name};

	if (tree_short_ino(&node) != recall->ino)
		return 0;
	if (recall->node->table) /* it may be the one or the other's */
		return -ESTALE;
	recall->node->table = strcpy(recall->name, name);
	return 0;
}

/* Its node is there but for the name. */
static int recall_since(struct recall *recall, struct err *err)
{
	int r = names_list(recall->shown->store, try_since, recall, err);

	return r < 0 ? r : recall->node->table && tree_peek(recall->tree, recall->node) == recall->ino;
}

int recall_node(const struct shown *shown, struct tree *tree, uint64_t ino, char name[NAME_PATH_MAX], struct node *node,
                struct err *err)
{
	struct recall recall = {.shown = shown, .tree = tree, .ino = ino, .name = name, .node = node};

	if (tree_short_node(ino, node))
		return recall_since(&recall, err);
	int r = names_list(shown->store, try_name, &recall, err);

	return r == 0 ? try_snapshots(&recall, err) : r;
}
