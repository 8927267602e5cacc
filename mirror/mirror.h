/*
 * mirror.h - the loop: what is followed -> the database, and what to do when it breaks.
 *
 *                  a line                      end, or a full batch at a commit line
 *     ahead_next ────────▶ apply_line ─────▶ apply_commit ─────▶ ahead_wait ──▶ ahead_next
 *         │                    │
 *         │ the mount is away  │ something is wrong
 *         ▼                    ▼
 *     apply_rollback, a pause, ahead_open directly after the last apply_commit
 *
 * So it goes on a full disk, too.
 *
 * A line that cannot be applied is tried again: bytes that a network mount
 * made up look like it. On the way back there each transaction is committed
 * by itself, so that the mirror ends directly before the one that is wrong.
 *
 * With --until it ends directly before the first transaction that is later. Where that shows only when some
 * of it is applied, the batch is undone and comes again, up to there.
 */
#ifndef MIRROR_MIRROR_H
#define MIRROR_MIRROR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ahead.h"
#include "apply.h"
#include "database.h"
#include "err.h"
#include "follow.h"
#include "until.h"

/* What a person asked for; all borrowed. */
struct mirror_wish {
	struct follow_source source;
	const char *path;          /* the database */
	const char *tables;        /* a normalized list, or NULL */
	const char *conninfo;      /* the rows come from there, not from a snapshot; or NULL */
	const char *numeric;       /* "text", "real", or NULL: as the database was made */
	bool once;                 /* stop at the end of what is published; a mount that is away is an error */
	bool resync;               /* the rows come anew */
	const char *resync_tables; /* those of these tables (a normalized list), or NULL */
	const struct until *until; /* where it ends; or NULL */
};

struct mirror {
	const struct mirror_wish *wish;
	struct database database;
	struct apply *apply;
	struct ahead *ahead; /* NULL while the mount is away */
	bool quiet;          /* what it does is a part of something that was said */
	bool whole;          /* all is one transaction of SQLite, to be begun anew after any trouble */
	int pause_ms;
	bool away;             /* and it has been said; until something comes that had not come before */
	bool blamed;           /* damage over there was said to be the reason */
	bool full;             /* the same for the disk */
	int64_t unfinished_ms; /* since when the stream ends within a transaction; 0: it does not */
	unsigned tries;
	struct position
	    trouble;   /* where the tries began, or the mount went away: up to there each transaction is a batch */
	bool reached;  /* wish->until */
	bool waiting;  /* for what shows that, and it has been said */
	bool has_last; /* the last commit that belongs to it is known: */
	struct position last;
};

/* Where mirror_run is to end. */
struct mirror_goal {
	bool end;                     /* the end of what is published */
	bool least;                   /* and that is not before `position` */
	bool at;                      /* or the first commit from `position` on */
	struct position position;     /* (of a table's file, that is not looked at) */
	const atomic_bool *interrupt; /* or soon after this became true, at a commit; may be NULL */
};

/* The list that narrows what a wish is about: --tables, or the one table of its file; or NULL. */
const char *mirror_tables(const struct mirror_wish *wish);

/* Opens `path` (wish->path or one beside it), with `build` anew. `newest_generation`: as
 * apply_open has it. mirror_close is to be called in any case. */
int mirror_open(struct mirror *mirror, const struct mirror_wish *wish, const char *path, bool build,
                uint64_t newest_generation, struct err *err);
void mirror_close(struct mirror *mirror);

/* The end, which is not before what the mount tells of now. */
struct mirror_goal mirror_end(const struct mirror *mirror);

/* To where the stream ends now: while it goes on, its end may never be reached. -EINTR after a signal; -ESTALE where the
 * stream does not go on from where a copy ends. */
int mirror_run_to_end(struct mirror *mirror, struct err *err);

/* Follows until the goal is reached, or wish->until: then 0, with all that was applied committed. Also 0 after a signal
 * (stop_asked), when mirror_close undoes what was not. -ESTALE: nothing but --resync helps, which
 * the sentence says. */
int mirror_run(struct mirror *mirror, const struct mirror_goal *goal, struct err *err);

/* Before mirror_close, where all went well: undoes what is open, and copies the WAL back, whose errors are else seen by
 * nobody. -EIO; not for want of space, or of readers that end. */
int mirror_settle(struct mirror *mirror, struct err *err);

#endif
