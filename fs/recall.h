/*
 * recall.h - an inode number from before a restart -> its node.
 *
 * Most numbers say it themselves (tree.h). That of a table's file is made from its name, and an NFS server's
 * handle may have nothing else: so the names that there are are tried. A number of /since/<epoch>/<seq>/tables that
 * is no short one is tried with the positions that readers begin at, 0.0 and, for a table that is in them, those of the snapshots; with any
 * other it stays stale until its name is looked up again: there is no end of positions to try.
 */
#ifndef FS_RECALL_H
#define FS_RECALL_H

#include "file.h"
#include "name.h"

/* 1: a table's file, whose name is `name`; 0: of none of those that are there; -ESTALE: it may be of more than one. */
int recall_node(const struct shown *shown, struct tree *tree, uint64_t ino, char name[NAME_PATH_MAX], struct node *node,
                struct err *err);

#endif
