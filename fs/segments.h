/*
 * segments.h - the segments of a store in memory: a numbered list, whose files and indexes are open
 * while they are used.
 *
 * The oldest segment that was there when the store was opened is number 0; a number stays. What
 * retention gives up (segments_give_up) is no longer *retained*, but can be read, unlinked, as long as
 * it is in the list; then -ESTALE.
 *
 * A segment that is held stays, with its file open. Of the others, some hundred are kept open: those
 * that were used last. The newest one grows; its file and index stay open.
 *
 * Threads: any, but for what is the writer's (segments_add..., segments_drop_last) and the one
 * retention's (segments_give_up, segments_sweep).
 */
#ifndef FS_SEGMENTS_H
#define FS_SEGMENTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "damage.h"
#include "segment.h"

enum { SEGMENTS_OPEN = 512 }; /* of those that nobody holds */

struct segment {
	size_t number;
	struct position first;
	uint64_t base; /* where it starts in the stream */
	uint64_t len;  /* shown; of the newest one: under the lock */
	int fd;        /* for who holds it */
	struct segments *of;
	/* The rest is this module's and the writer's. */
	bool growing;
	bool gone; /* unlinked */
	struct index *index;
	char *damaged; /* why it has no index, and can have none; or NULL */
	bool building; /* the index; under `files`, which is free meanwhile */
	atomic_uint holds;
	atomic_uint_fast64_t used; /* the clock, then */
};

struct segments {
	int dirfd;             /* STORE/segments; borrowed */
	struct damage *damage; /* what was found; borrowed */
	bool save;             /* ours to change: indexes are put beside their segments, what was given up is removed */
	pthread_rwlock_t lock; /* the list, and the newest one's len and index; short */
	pthread_mutex_t files; /* opening, mapping and removing, one at a time; taken before `lock` */
	pthread_cond_t built;  /* an index was, or cannot be */
	struct segment **list;
	size_t count, cap;
	size_t oldest;              /* number of the first that is retained */
	bool whole;                 /* number 0 is the first one that ever was */
	atomic_uint_fast64_t clock; /* counts uses */
	size_t open;
};

/* `dirfd` is set by the caller before anything is opened. */
void segments_init(struct segments *segments, bool save, struct damage *damage);
void segments_fini(struct segments *segments);

/* A new end of the list: a complete one, or one that grows, whose file and index are taken over
 * where that works. -ENOMEM. */
int segments_add(struct segments *segments, struct position first, uint64_t len, struct err *err);
int segments_add_growing(struct segments *segments, struct position first, int fd, struct index *index,
                         struct err *err);
void segments_drop_last(struct segments *segments);

/* Their numbers. What is before the first in the list cannot be read any more. */
struct segments_range {
	size_t readable, oldest, newest; /* the first in the list; the first that is retained; the last */
};
struct segments_range segments_range(struct segments *segments);

/* Where the retained ones start: the first line, and its place in the stream. */
struct segments_edge {
	size_t number;
	struct position first;
	uint64_t base;
	bool follows; /* something stood before it */
};
struct segments_edge segments_edge(struct segments *segments);

/* The same of any segment that is retained. */
struct segments_edge segments_start(struct segments *segments, size_t number);

/* The last retained one that starts at or before `position`, or else the oldest. */
size_t segments_find(struct segments *segments, struct position position);

/* The one that has the byte `off` of the stream, or is before it; one that is not in the list, where
 * that was given up. */
size_t segments_at(struct segments *segments, uint64_t off);

/* Shown bytes of the whole stream, also those given up. */
uint64_t segments_len(struct segments *segments);

/* The newest, for the writer; NULL: none yet. */
struct segment *segments_last(struct segments *segments);

/* Holds a segment; -ESTALE where it was given up. */
int segments_hold(struct segments *segments, size_t number, struct segment **segment, struct err *err);
void segments_release(struct segment *segment);

/* Forgets what is known of a sealed segment that the caller holds, and opens the file that has its name now: one
 * that was damaged may have been mended, or another one put in its place. Who reads it meanwhile goes on in that one. */
int segments_renew(struct segments *segments, struct segment *segment, struct err *err);

/* The shown bytes of a held one. */
uint64_t segments_shown(struct segments *segments, const struct segment *segment);

/* Locks, with the index of a held segment, which is mapped or built where needed, and borrowed until
 * segments_unlock. Not locked after an error: -EBADMSG where the segment is damaged (and that is noted). */
int segments_lock_index(struct segments *segments, struct segment *segment, const struct index **index,
                        struct err *err);
void segments_unlock(struct segments *segments);

/* The one before the newest is complete: its index goes to a file, and out of memory. */
void segments_seal(struct segments *segments, struct segment *segment);

/* From now on `oldest` is the first that is retained; the files stay. */
void segments_give_up(struct segments *segments, size_t oldest);

/* Removes the files of what was given up, oldest first, each removal synced before the next: after
 * a crash no gap is left. From `needed` on they stay open and readable, while these are no more than
 * `max_bytes` and SEGMENTS_OPEN segments. */
int segments_sweep(struct segments *segments, size_t needed, uint64_t max_bytes, struct err *err);

#endif
