/*
 * dir.h - listing a folder of the tree, entry by entry, from any cookie on: in
 * bounded memory, however many lines and seconds there are. (The names of
 * tables, definitions and snapshots are taken when it is opened, and when it is listed from the start again;
 * they come in no order, but each has the same cookie in any handle: an NFS server opens the folder for each piece.)
 *
 * /since has a folder for every position, so it lists none.
 */
#ifndef FS_DIR_H
#define FS_DIR_H

#include "file.h"

struct dir;

struct dir_entry {
	char name[1600];  /* NAME_PATH_MAX and more */
	struct node node; /* its strings borrow `name` */
	uint64_t cookie;  /* where the next one starts */
};

int dir_open(struct dir **dir, const struct shown *shown, const struct node *node, struct err *err);
void dir_close(struct dir *dir);

/* The entry at `cookie` (0 at first): 1, 0 behind the last, -errno. One thread
 * at a time. */
int dir_entry(struct dir *dir, uint64_t cookie, struct dir_entry *entry, struct err *err);

#endif
