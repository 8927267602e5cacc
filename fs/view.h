/*
 * view.h - a file of lines: (a table or all, a position to start at) -> its length, the time of its
 * last line and its bytes; and all those that are open.
 *
 *     /live                             all, from the oldest line
 *     /tables/<name>                    a table, from its oldest line
 *     /since/<epoch>/<seq>/live         all, at or after a position
 *     /since/<epoch>/<seq>/tables/<name>
 *     /by-time/<epoch>/<seq>            one line, which does not grow
 *     /by-time/<epoch>/all              a second
 *     /days/<YYYY-MM-DD>                a day
 *
 * A growing one ends on a commit and only grows. Its offsets count from where it started when it was
 * opened, whatever retention gives up meanwhile. While it is open, view_stat of the same key tells its
 * length, so that this never goes back: FUSE asks for attributes by inode, not by handle. A second and a
 * day are over as soon as a line behind them is shown.
 *
 * Threads: any.
 */
#ifndef FS_VIEW_H
#define FS_VIEW_H

#include "recent.h"
#include "table.h"

/* The open ones. The store is borrowed. */
struct view_set;
struct view_set *view_set_new(struct store *store); /* NULL: out of memory */
void view_set_free(struct view_set *set);

/* What a view is of. */
struct view_key {
	struct table *table;   /* NULL: all lines */
	struct position start; /* at or after it */
	struct position until; /* all lines: those before it; zeros: no end */
	uint64_t line_len;     /* not 0: the one line of that length, at `start` */
};

struct view;

/* -ESTALE where the start was given up; it may lie behind the last line. */
int view_open(struct view **view, struct view_set *set, const struct view_key *key, struct err *err);
void view_close(struct view *view);

/* Length in bytes, and the second of the last line (0: none yet); of an open view, and of a key, whether
 * such a view is open or would be. */
int view_len(struct view *view, uint64_t *len, uint64_t *last_epoch, struct err *err);
int view_stat(struct view_set *set, const struct view_key *key, uint64_t *len, uint64_t *last_epoch, struct err *err);

/* Copies from `off`; fewer bytes only at the end. Count or -errno; -ESTALE where what stood there was
 * given up. */
long view_read(struct view *view, uint64_t off, char *buf, size_t len, struct err *err);

/* The same in two: what is read for later use is still needed; `next` is what the reader needs from now on. */
long view_peek(struct view *view, uint64_t off, char *buf, size_t len, struct err *err);
void view_passed(struct view *view, uint64_t next);

/* view_peek for who goes on behind it: at least `least` but at the end, and as much more, up to `most`, as is read
 * better with it than later. */
long view_some(struct view *view, uint64_t off, char *buf, size_t least, size_t most, struct err *err);

/* view_peek beside another thread's: it begins to look for the place anew, and leaves it out of account. */
long view_beside(struct view *view, uint64_t off, char *buf, size_t len, struct err *err);

/* As recent_read, of a view of all lines. */
bool view_recent(struct view *view, struct recent *recent, uint64_t off, size_t len, struct recent_got *got);

/* The number of the oldest segment that an open view still reads: from the byte on that follows what it
 * read last. Without any, the newest. A view that cannot tell (damage) needs nothing. */
size_t view_set_needed(struct view_set *set);

#endif
