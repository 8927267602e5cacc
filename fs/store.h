/*
 * store.h - the ordered segments: one writer, any number of readers.
 *
 * What is *shown* is what readers may see: whole transactions that are on
 * disk. The writer (writer.h) appends and syncs, then shows; it is the only
 * one that changes the list. Shown bytes never change.
 *
 * The stream is all segments end to end; an offset in it counts from the
 * oldest segment that was there when the store was opened, also when retention
 * gave that up (segments.h).
 *
 * Threads: any, for all functions.
 */
#ifndef FS_STORE_H
#define FS_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "confirmed.h"
#include "defined.h"
#include "record.h"
#include "segments.h"

enum store_mode {
	STORE_READ,   /* as it stands; nothing is changed, nothing locked */
	STORE_WRITE,  /* locked, and what a crash left is made whole first */
	STORE_RENEW,  /* the same for a new generation: segments may be missing behind the last */
	STORE_FOLLOW, /* as STORE_READ; nothing is listed yet, all comes by growth.h: before its first look is through,
	              * only the folders may be asked for */
};

/* Up to where the stream is shown. */
struct store_end {
	struct position first; /* of the newest segment, which `off` counts in */
	uint64_t off;
	struct position last; /* of the last commit line */
	uint64_t lsn;
	struct origin origin; /* in force */
	uint32_t sum;         /* of that commit line, as the source sent it; 0 where `init` wrote it */
};

struct store;

/* Opens STORE, which must hold a segment at least. -EBUSY where STORE_WRITE
 * finds another writer; -EBADMSG names the damaged file and the offset. */
int store_open(struct store **store, const char *path, enum store_mode mode, struct err *err);
/* The same of a folder that is open, in whatever folders it is; `path` names it in messages. Nothing is held of dirfd. */
int store_open_at(struct store **store, int dirfd, const char *path, enum store_mode mode, struct err *err);
void store_close(struct store *store);

/* The store's folder, and the one of its segments; borrowed. */
int store_dirfd(const struct store *store);
int store_segments_dirfd(const struct store *store);

/* What is known to be durable (confirmed.h): the writer's; to a reader, what it was when
 * the store was opened. */
struct confirmed_file *store_confirmed(struct store *store);

void store_end(struct store *store, struct store_end *end);

/* What was found damaged by those who read it (damage.h). */
struct damage *store_damage(struct store *store);

/* The segments; the writer alone adds to them, by store_show. As long as the store is open. */
struct segments *store_segments(struct store *store);

/* The definitions in force at the end of what is shown. */
struct defined *store_defined(struct store *store);

/* The tables whose changes could not be placed, as the newest segment told when the store was opened: once, for the
 * writer, who frees it. */
struct unplaced store_take_unplaced(struct store *store);

/* The length of the whole stream in bytes, also of those given up. */
uint64_t store_len(struct store *store);

/* Copies shown bytes from `off` of the stream; fewer only at its end. Returns
 * the count or -errno; -ESTALE where `off` was given up, -EBADMSG where it is damaged. */
long store_read(struct store *store, uint64_t off, char *buf, size_t len, struct err *err);

/* The same for who goes on behind it: `least`, and as many more up to `most` as a whole chunk has (chunks.h). */
long store_some(struct store *store, uint64_t off, char *buf, size_t least, size_t most, struct err *err);

/* Shows all up to `end`, which is durable; the writer only. `fd` is of the
 * segment `end->first`, and becomes the store's where that is a new one. `more` is the index of what comes to be
 * shown; NULL: it is read. */
int store_show(struct store *store, const struct store_end *end, int fd, const struct index *more, struct err *err);

/* Waits until more than `seen` bytes are shown, at most `timeout_ms`, or until
 * store_wake. Returns the length of the stream. */
uint64_t store_wait(struct store *store, uint64_t seen, int timeout_ms);
void store_wake(struct store *store);

#endif
