#include "tree.h"

#include <isa-l/crc64.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hash.h"
#include "name.h"

enum { SEQ_BITS = 24, EPOCH_BITS = 33, KIND_SHIFT = SEQ_BITS + EPOCH_BITS };
enum { SHORT_HASH_BITS = 13, SHORT_SEQ_BITS = 15, SHORT_EPOCH_BITS = 31, SHORT_SHIFT = 59 };
static const uint64_t short_bits = 7ull << SHORT_SHIFT; /* as kinds from 28 on would have them */
static const uint64_t short_since = 1ull << 30;         /* 2004 */
_Static_assert(NODE_DEFINITION < 28, "numbers of nodes and short ones");
static const uint64_t kept_bit = 1ull << 62;
static const uint64_t root_ino = 1; /* FUSE_ROOT_ID */

struct kept {
	uint64_t ino;
	struct node node;
	uint64_t lookups, holds;
	UT_hash_handle hh;
};

struct tree {
	pthread_mutex_t lock;
	struct kept *kept;                     /* the one that was looked up last comes last */
	uint32_t owners[1 << SHORT_HASH_BITS]; /* the generation of the name that has this hash; 0: nobody yet */
};

static const struct fixed {
	enum node_kind parent;
	const char *name;
	enum node_kind kind;
} fixed[] = {
    {NODE_ROOT, "by-time", NODE_BY_TIME},      {NODE_ROOT, "days", NODE_DAYS},
    {NODE_SECOND, "all", NODE_SECOND_ALL},     {NODE_ROOT, "live", NODE_LIVE},
    {NODE_ROOT, "metrics", NODE_METRICS},      {NODE_ROOT, "schema", NODE_SCHEMA},
    {NODE_ROOT, "since", NODE_SINCE},          {NODE_ROOT, "snapshots", NODE_SNAPSHOTS},
    {NODE_ROOT, "status", NODE_STATUS},        {NODE_ROOT, "tables", NODE_TABLES},
    {NODE_SINCE_DIR, "live", NODE_SINCE_LIVE}, {NODE_SINCE_DIR, "tables", NODE_SINCE_TABLES},
    {NODE_SNAPSHOTS, "latest", NODE_LATEST},   {NODE_SNAPSHOT, "manifest", NODE_MANIFEST},
    {NODE_SNAPSHOT, "overlap", NODE_OVERLAP},  {NODE_SNAPSHOT, "tables", NODE_COPIES},
};
enum { FIXED_COUNT = sizeof fixed / sizeof *fixed };

bool node_is_dir(const struct node *node)
{
	switch (node->kind) {
	case NODE_ROOT:
	case NODE_TABLES:
	case NODE_BY_TIME:
	case NODE_SECOND:
	case NODE_DAYS:
	case NODE_SINCE:
	case NODE_SINCE_SECOND:
	case NODE_SINCE_DIR:
	case NODE_SINCE_TABLES:
	case NODE_SNAPSHOTS:
	case NODE_SNAPSHOT:
	case NODE_COPIES:
	case NODE_SCHEMA: return true;
	default: return false;
	}
}

bool node_in_snapshot(const struct node *node)
{
	return node->kind >= NODE_SNAPSHOT && node->kind <= NODE_COPY;
}

const char *tree_fixed_name(const struct node *dir, unsigned i)
{
	for (unsigned k = 0; k < FIXED_COUNT; k++)
		if (fixed[k].parent == dir->kind && i-- == 0)
			return fixed[k].name;
	return NULL;
}

static bool number_child(enum node_kind kind, const struct node *parent, const char *name, struct node *child)
{
	uint64_t number;
	size_t len = strlen(name);

	if (len == 0 || position_parse_number(name, len, &number) != len)
		return false;
	*child = (struct node){.kind = kind, .position = parent->position};
	if (kind == NODE_SECOND || kind == NODE_SINCE_SECOND)
		child->position.epoch = number;
	else
		child->position.seq = number;
	return true;
}

static bool table_child(enum node_kind kind, const struct node *parent, const char *name, struct node *child)
{
	char schema[NAME_RAW_MAX], table[NAME_RAW_MAX];

	if (!name_split(name, strlen(name), schema, table))
		return false;
	*child = (struct node){kind, parent->position, name};
	return true;
}

char *tree_day_name(char *text, uint64_t epoch)
{
	time_t first = (time_t)(epoch - epoch % DAY_SECONDS);
	struct tm tm;

	if (!gmtime_r(&first, &tm) || strftime(text, DAY_TEXT_MAX, "%04Y-%m-%d", &tm) == 0)
		*text = 0;
	return text;
}

/* Spelt as it is listed, and in no other way. */
static bool day_child(const char *name, struct node *child)
{
	char text[DAY_TEXT_MAX];
	struct tm tm = {0};
	const char *end = strptime(name, "%Y-%m-%d", &tm);
	time_t first = end && !*end ? timegm(&tm) : -1;

	if (first < 0 || strcmp(tree_day_name(text, (uint64_t)first), name) != 0)
		return false;
	*child = (struct node){.kind = NODE_DAY, .position = {(uint64_t)first, 0}};
	return true;
}

static bool snapshot_child(const char *name, struct node *child)
{
	*child = (struct node){.kind = NODE_SNAPSHOT};
	return position_parse(name, strlen(name), &child->position);
}

bool tree_child(const struct node *parent, const char *name, struct node *child)
{
	switch (parent->kind) {
	case NODE_TABLES: return table_child(NODE_TABLE, parent, name, child);
	case NODE_SINCE_TABLES: return table_child(NODE_SINCE_TABLE, parent, name, child);
	case NODE_COPIES: return table_child(NODE_COPY, parent, name, child);
	case NODE_SCHEMA: return table_child(NODE_DEFINITION, parent, name, child);
	case NODE_BY_TIME: return number_child(NODE_SECOND, parent, name, child);
	case NODE_SECOND:
		if (number_child(NODE_LINE, parent, name, child))
			return true;
		break;
	case NODE_DAYS: return day_child(name, child);
	case NODE_SINCE: return number_child(NODE_SINCE_SECOND, parent, name, child);
	case NODE_SINCE_SECOND: return number_child(NODE_SINCE_DIR, parent, name, child);
	default: break;
	}
	for (unsigned i = 0; i < FIXED_COUNT; i++)
		if (fixed[i].parent == parent->kind && strcmp(fixed[i].name, name) == 0) {
			*child = (struct node){.kind = fixed[i].kind, .position = parent->position};
			return true;
		}
	return parent->kind == NODE_SNAPSHOTS && snapshot_child(name, child);
}

/* Of what has no fixed name. */
static enum node_kind parent_kind(enum node_kind kind)
{
	switch (kind) {
	case NODE_TABLE: return NODE_TABLES;
	case NODE_SECOND: return NODE_BY_TIME;
	case NODE_LINE: return NODE_SECOND;
	case NODE_DAY: return NODE_DAYS;
	case NODE_SINCE_SECOND: return NODE_SINCE;
	case NODE_SINCE_DIR: return NODE_SINCE_SECOND;
	case NODE_SINCE_TABLE: return NODE_SINCE_TABLES;
	case NODE_SNAPSHOT: return NODE_SNAPSHOTS;
	case NODE_COPY: return NODE_COPIES;
	case NODE_DEFINITION: return NODE_SCHEMA;
	default: return NODE_ROOT;
	}
}

struct node tree_parent(const struct node *node)
{
	struct node parent = {.kind = parent_kind(node->kind), .position = node->position};

	for (unsigned i = 0; i < FIXED_COUNT; i++)
		if (fixed[i].kind == node->kind)
			parent.kind = fixed[i].parent;
	switch (parent.kind) {
	case NODE_SECOND:
	case NODE_SINCE_SECOND: parent.position.seq = 0; break;
	case NODE_SINCE_DIR:
	case NODE_SINCE_TABLES:
	case NODE_SNAPSHOT:
	case NODE_COPIES: break;
	default: parent.position = (struct position){0}; break;
	}
	return parent;
}

bool tree_path(const struct node *node, char path[TREE_PATH_MAX])
{
	unsigned long long epoch = node->position.epoch, seq = node->position.seq;
	char day[DAY_TEXT_MAX];

	switch (node->kind) {
	case NODE_LIVE: strcpy(path, "live"); return true;
	case NODE_TABLE: snprintf(path, TREE_PATH_MAX, "tables/%s", node->table); return true;
	case NODE_SECOND_ALL: snprintf(path, TREE_PATH_MAX, "by-time/%llu/all", epoch); return true;
	case NODE_DAY: snprintf(path, TREE_PATH_MAX, "days/%s", tree_day_name(day, epoch)); return true;
	case NODE_SINCE_LIVE: snprintf(path, TREE_PATH_MAX, "since/%llu/%llu/live", epoch, seq); return true;
	case NODE_SINCE_TABLE:
		snprintf(path, TREE_PATH_MAX, "since/%llu/%llu/tables/%s", epoch, seq, node->table);
		return true;
	default: return false;
	}
}

struct tree *tree_new(void)
{
	struct tree *tree = calloc(1, sizeof *tree);

	if (tree)
		pthread_mutex_init(&tree->lock, NULL);
	return tree;
}

static void free_kept(struct tree *tree, struct kept *kept)
{
	HASH_DEL(tree->kept, kept);
	free((char *)(uintptr_t)kept->node.table);
	free(kept);
}

void tree_free(struct tree *tree)
{
	struct kept *kept, *next;

	if (!tree)
		return;
	HASH_ITER(hh, tree->kept, kept, next)
	free_kept(tree, kept);
	pthread_mutex_destroy(&tree->lock);
	free(tree);
}

static bool has_name(enum node_kind kind)
{
	return kind == NODE_TABLE || kind == NODE_SINCE_TABLE || kind == NODE_COPY || kind == NODE_DEFINITION;
}

static bool fits(const struct node *node)
{
	return !node->table && node->position.epoch >> EPOCH_BITS == 0 && node->position.seq >> SEQ_BITS == 0;
}

static uint64_t packed(const struct node *node)
{
	if (node->kind == NODE_ROOT)
		return root_ino;
	return (uint64_t)node->kind << KIND_SHIFT | node->position.epoch << SEQ_BITS | node->position.seq;
}

static bool same(const struct node *a, const struct node *b)
{
	return a->kind == b->kind && position_cmp(a->position, b->position) == 0 && !a->table == !b->table &&
	       (!a->table || strcmp(a->table, b->table) == 0);
}

static uint64_t name_hash(const struct node *node)
{
	return crc64_ecma_refl(0, (const unsigned char *)node->table, strlen(node->table));
}

static uint64_t low_bits(uint64_t value, int bits)
{
	return value & ((1ull << bits) - 1);
}

static bool is_short(uint64_t ino)
{
	return ino >> SHORT_SHIFT == short_bits >> SHORT_SHIFT;
}

/* A number that does not tell its node. */
static bool is_kept(uint64_t ino)
{
	return ino & kept_bit || is_short(ino);
}

uint64_t tree_short_ino(const struct node *node)
{
	uint64_t epoch = node->position.epoch - short_since, seq = node->position.seq; /* before 2004: wraps */

	if (node->kind != NODE_SINCE_TABLE || epoch >> SHORT_EPOCH_BITS != 0 || seq >> SHORT_SEQ_BITS != 0)
		return 0;
	return short_bits | (epoch << SHORT_SEQ_BITS | seq) << SHORT_HASH_BITS |
	       low_bits(name_hash(node), SHORT_HASH_BITS);
}

bool tree_short_node(uint64_t ino, struct node *node)
{
	uint64_t seq = ino >> SHORT_HASH_BITS, epoch = seq >> SHORT_SEQ_BITS;

	*node =
	    (struct node){.kind = NODE_SINCE_TABLE,
	                  .position = {low_bits(epoch, SHORT_EPOCH_BITS) + short_since, low_bits(seq, SHORT_SEQ_BITS)}};
	return is_short(ino);
}

uint32_t tree_generation(uint64_t ino, const struct node *node)
{
	return is_short(ino) ? (uint32_t)(name_hash(node) >> 32) | 1 : 0;
}

/* The first name to come has the hash for good, so that nothing which the kernel still knows changes its meaning. */
static bool has_hash(struct tree *tree, const struct node *node, uint64_t ino)
{
	uint32_t *owner = &tree->owners[low_bits(ino, SHORT_HASH_BITS)], generation = tree_generation(ino, node);

	if (!*owner)
		*owner = generation;
	return *owner == generation;
}

/* The number that a kept node has, or will have. */
static uint64_t kept_ino(struct tree *tree, const struct node *node, struct kept **found)
{
	uint64_t ino = tree_short_ino(node);

	if (ino && has_hash(tree, node, ino)) {
		HASH_FIND(hh, tree->kept, &ino, sizeof ino, *found);
		if (!*found || same(&(*found)->node, node))
			return ino;
	}
	uint64_t key[3] = {(uint64_t)node->kind, node->position.epoch, node->position.seq};
	uint64_t hash = crc64_ecma_refl(0, (const unsigned char *)key, sizeof key);

	if (node->table)
		hash = crc64_ecma_refl(hash, (const unsigned char *)node->table, strlen(node->table));
	for (;; hash++) { /* the next one, should two nodes ever meet in one number */
		ino = kept_bit | (hash & (kept_bit - 1));
		HASH_FIND(hh, tree->kept, &ino, sizeof ino, *found);
		if (!*found || same(&(*found)->node, node))
			return ino;
	}
}

static void to_the_end(struct tree *tree, struct kept *kept)
{
	HASH_DEL(tree->kept, kept);
	HASH_ADD(hh, tree->kept, ino, sizeof kept->ino, kept);
}

/* A few steps each time, so that many that are held cost little. */
static void make_room(struct tree *tree)
{
	for (int i = 0; i < 8 && HASH_COUNT(tree->kept) >= TREE_KEPT; i++) {
		if (tree->kept->holds)
			to_the_end(tree, tree->kept);
		else
			free_kept(tree, tree->kept);
	}
}

static struct kept *keep(struct tree *tree, const struct node *node, uint64_t ino)
{
	struct kept *kept = calloc(1, sizeof *kept);

	if (!kept)
		return NULL;
	kept->ino = ino;
	kept->node = *node;
	if (node->table && !(kept->node.table = strdup(node->table))) {
		free(kept);
		return NULL;
	}
	make_room(tree);
	HASH_ADD(hh, tree->kept, ino, sizeof kept->ino, kept);
	return kept;
}

uint64_t tree_ino(struct tree *tree, const struct node *node)
{
	struct kept *kept;

	if (fits(node))
		return packed(node);
	pthread_mutex_lock(&tree->lock);
	uint64_t ino = kept_ino(tree, node, &kept);
	if (kept)
		to_the_end(tree, kept);
	else
		kept = keep(tree, node, ino);
	if (kept)
		kept->lookups++;
	pthread_mutex_unlock(&tree->lock);
	return kept ? ino : 0;
}

uint64_t tree_peek(struct tree *tree, const struct node *node)
{
	struct kept *kept;

	if (fits(node))
		return packed(node);
	pthread_mutex_lock(&tree->lock);
	uint64_t ino = kept_ino(tree, node, &kept);
	pthread_mutex_unlock(&tree->lock);
	return ino;
}

void tree_forget(struct tree *tree, uint64_t ino, uint64_t lookups)
{
	struct kept *kept;

	if (!is_kept(ino))
		return;
	pthread_mutex_lock(&tree->lock);
	HASH_FIND(hh, tree->kept, &ino, sizeof ino, kept);
	if (kept) /* may be fewer than the kernel counts, after make_room */
		kept->lookups -= lookups < kept->lookups ? lookups : kept->lookups;
	if (kept && !kept->lookups && !kept->holds)
		free_kept(tree, kept);
	pthread_mutex_unlock(&tree->lock);
}

static bool find_node(struct tree *tree, uint64_t ino, struct node *node, uint64_t holds)
{
	struct kept *kept;

	if (ino == root_ino) {
		*node = (struct node){.kind = NODE_ROOT};
		return true;
	}
	if (!is_kept(ino)) {
		uint64_t kind = ino >> KIND_SHIFT;
		*node = (struct node){(enum node_kind)kind,
		                      {ino >> SEQ_BITS & ((1ull << EPOCH_BITS) - 1), ino & ((1ull << SEQ_BITS) - 1)},
		                      NULL};
		return kind > NODE_ROOT && kind <= NODE_SCHEMA && !has_name(node->kind);
	}
	pthread_mutex_lock(&tree->lock);
	HASH_FIND(hh, tree->kept, &ino, sizeof ino, kept);
	if (kept) {
		*node = kept->node;
		kept->holds += holds;
	}
	pthread_mutex_unlock(&tree->lock);
	return kept != NULL;
}

bool tree_node(struct tree *tree, uint64_t ino, struct node *node)
{
	return find_node(tree, ino, node, 0);
}

bool tree_hold(struct tree *tree, uint64_t ino, struct node *node)
{
	return find_node(tree, ino, node, 1);
}

void tree_release(struct tree *tree, uint64_t ino)
{
	struct kept *kept;

	if (!is_kept(ino))
		return;
	pthread_mutex_lock(&tree->lock);
	HASH_FIND(hh, tree->kept, &ino, sizeof ino, kept);
	if (kept && --kept->holds == 0 && !kept->lookups)
		free_kept(tree, kept);
	pthread_mutex_unlock(&tree->lock);
}
