/*
 * view.h - a growing file: (a table or all, a position to start at) -> its
 * length, the time of its last line and its bytes.
 *
 *     /live                             all, from the oldest line
 *     /tables/<name>                    a table, from its oldest line
 *     /since/<epoch>/<seq>/live         all, at or after a position
 *     /since/<epoch>/<seq>/tables/<name>
 *
 * It ends on a commit and only grows. Threads: one at a time per view.
 */
#ifndef FS_VIEW_H
#define FS_VIEW_H

#include "table.h"

struct view {
	struct store *store;
	struct table *table; /* NULL: all lines */
	struct position start;
	bool placed;   /* `base` is known: a line at or after `start` is there */
	uint64_t base; /* where it starts in the stream, or in the table */
	struct table_cursor cursor;
};

/* `start` may lie before the first line or behind the last. */
void view_init(struct view *view, struct store *store, struct table *table, struct position start);

/* Length in bytes, and the second of the last line (0: none yet). */
int view_stat(struct view *view, uint64_t *len, uint64_t *last_epoch, struct err *err);

/* Copies from `off`; fewer bytes only at the end. Count or -errno. */
long view_read(struct view *view, uint64_t off, char *buf, size_t len, struct err *err);

#endif
