/*
 * tree.h - the paths of the mount: path component and inode number <-> node. What
 * a node's name says is all it knows; whether such a line or table is there,
 * the store tells.
 *
 * An inode number holds the node itself, so that forgetting it needs nothing
 * and it is the same after a restart:
 *
 *     bit 62: 0    bits 57-61: kind    bits 24-56: epoch    bits 0-23: seq
 *
 * That of /since/<epoch>/<seq>/tables/<name> is a short one, which holds the position and a hash of the name:
 *
 *     bit 62: 0    bits 59-61: 1    bits 28-58: epoch - 2^30    bits 13-27: seq    bits 0-12: hash
 *
 * Where names share a hash, it belongs, until we end, to the one that was asked for first. With the number goes a
 * generation, 31 more bits of the name's hash: the kernel compares it with the one in an NFS server's handle. So
 * a handle of before a restart leads to its file or is stale, whichever name has the number by now.
 *
 * What does not fit (a table's name elsewhere, a line beyond 2^24 of a second, a name whose hash is another one's)
 * has a number made from its hash, with bit 62 set. Nodes with a name or such a number are kept in a table. The
 * kernel forgets a number when it likes, and positions are without number; so beyond TREE_KEPT those go that were
 * not looked up for the longest time and that nobody holds. Who comes with such a number is told that it is stale,
 * and looks the name up again, which gives the same number.
 */
#ifndef FS_TREE_H
#define FS_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "position.h"

enum node_kind {
	NODE_ROOT,         /* / */
	NODE_LIVE,         /* /live */
	NODE_STATUS,       /* /status */
	NODE_METRICS,      /* /metrics */
	NODE_TABLES,       /* /tables */
	NODE_TABLE,        /* /tables/<name> */
	NODE_BY_TIME,      /* /by-time */
	NODE_SECOND,       /* /by-time/<epoch> */
	NODE_LINE,         /* /by-time/<epoch>/<seq> */
	NODE_SECOND_ALL,   /* /by-time/<epoch>/all */
	NODE_DAYS,         /* /days */
	NODE_DAY,          /* /days/<YYYY-MM-DD>; `position` is its first */
	NODE_SINCE,        /* /since */
	NODE_SINCE_SECOND, /* /since/<epoch> */
	NODE_SINCE_DIR,    /* /since/<epoch>/<seq> */
	NODE_SINCE_LIVE,   /* /since/<epoch>/<seq>/live */
	NODE_SINCE_TABLES, /* /since/<epoch>/<seq>/tables */
	NODE_SINCE_TABLE,  /* /since/<epoch>/<seq>/tables/<name> */
	NODE_SNAPSHOTS,    /* /snapshots */
	NODE_LATEST,       /* /snapshots/latest, a link */
	NODE_SNAPSHOT,     /* /snapshots/<epoch>.<seq> */
	NODE_MANIFEST,     /* /snapshots/<epoch>.<seq>/manifest */
	NODE_OVERLAP,      /* /snapshots/<epoch>.<seq>/overlap */
	NODE_COPIES,       /* /snapshots/<epoch>.<seq>/tables */
	NODE_COPY,         /* /snapshots/<epoch>.<seq>/tables/<name> */
	NODE_SCHEMA,       /* /schema */
	NODE_DEFINITION,   /* /schema/<name>; behind the others, which keep their numbers */
};

struct node {
	enum node_kind kind;
	struct position position; /* zeros where the path has none */
	const char *table;        /* path name (name.h), NULL where the path has none */
};

bool node_is_dir(const struct node *node);

/* True for what belongs to one snapshot: its folders and files. */
bool node_in_snapshot(const struct node *node);

/* The name of a day's file. Its last second is 86,399 behind the first one. */
enum { DAY_SECONDS = 86400, DAY_TEXT_MAX = 24 };
char *tree_day_name(char *text, uint64_t epoch);

/* The child of that name: false where the tree has none. child->table borrows
 * `name`. */
bool tree_child(const struct node *parent, const char *name, struct node *child);

/* The path of a file of lines that may grow, below the mountpoint: false for all else. */
enum { TREE_PATH_MAX = 1700 };
bool tree_path(const struct node *node, char path[TREE_PATH_MAX]);

/* The folder that it stands in; the root's is the root. */
struct node tree_parent(const struct node *node);

/* The i-th of the names that always stand in a folder; NULL behind the last. */
const char *tree_fixed_name(const struct node *dir, unsigned i);

enum { TREE_KEPT = 4096 };

/* The numbers given out. Any thread. */
struct tree;
struct tree *tree_new(void); /* NULL: out of memory */
void tree_free(struct tree *tree);

/* The inode number of a node, which is looked up once more: tree_forget gives
 * it back. 0: out of memory. tree_peek only tells the number. */
uint64_t tree_ino(struct tree *tree, const struct node *node);
uint64_t tree_peek(struct tree *tree, const struct node *node);
void tree_forget(struct tree *tree, uint64_t ino, uint64_t lookups);

/* The short number of a node, unless its hash is another name's by now; 0: it has none. */
uint64_t tree_short_ino(const struct node *node);

/* What a short number holds: its node, without the name. False for any other number. */
bool tree_short_node(uint64_t ino, struct node *node);

/* The generation of a node that has this number; 0 but for short ones. */
uint32_t tree_generation(uint64_t ino, const struct node *node);

/* The node of a number. Its strings may go at any time; with tree_hold they stay until tree_release. */
bool tree_node(struct tree *tree, uint64_t ino, struct node *node);
bool tree_hold(struct tree *tree, uint64_t ino, struct node *node);
void tree_release(struct tree *tree, uint64_t ino);

#endif
