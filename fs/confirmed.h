/*
 * confirmed.h - STORE/confirmed: how far this store is known to be durable.
 *
 * Facts that the segments alone do not tell:
 *   idle_lsn   up to where the server was told that nothing more is needed,
 *              though the last commit ends before it (an idle slot would pin
 *              WAL otherwise). Written down and synced before it is told.
 *   last       the last commit that was synced when this was written, so that
 *              a store which holds less has lost something it had published:
 *              a torn end behind it is the crash's, before it is damage.
 *   choice     which tables the source was asked for: a sum of the list (source.h), or none's, from before the first
 *              commit of another list until that is synced.
 *   segment..  where `last` stands, and what is before it: what a copy of the store is compared with (proof.h).
 *
 * Two slots of 512 bytes, each with a counter and a CRC-32C: a torn write spoils
 * one, and the other, which was synced, still holds. Losing the file costs
 * a question (see source.h on what is checked when connecting), never a line.
 *
 * Between two syncs of it, what is synced of the segments meanwhile is told to those who
 * read the store beside the writer: a loss of power may take that back, but not what it tells of.
 */
#ifndef FS_CONFIRMED_H
#define FS_CONFIRMED_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "err.h"
#include "position.h"

struct confirmed {
	uint64_t idle_lsn;
	struct position last;
	uint32_t choice;
	uint32_t sum;            /* of that commit: store_end's */
	struct position segment; /* of it; zeros: not known, in what an older daystream wrote */
	uint64_t off;            /* in the segment, behind it */
	struct position oldest;  /* the first segment that was retained */
	uint64_t sealed;         /* bytes of all segments from that one up to `segment` */
};

/* An open file and the counter of its newest slot; one thread. */
struct confirmed_file {
	int fd;
	uint64_t counter;
	int kept;             /* the slot that is not written next */
	struct confirmed now; /* what is known to be written; zeros where there was none */
	time_t written;       /* the file's time when it was opened; 0: it was not there */
};

/* Reads STORE/confirmed; creates it where there is none and `writable`. confirmed_close is to
 * be called in any case. */
int confirmed_open(struct confirmed_file *file, int dirfd, bool writable, struct err *err);

/* Writes the other slot and syncs it. -errno; then what stood before holds. */
int confirmed_write(struct confirmed_file *file, struct confirmed next, struct err *err);

/* Writes it, too, but syncs nothing: `now` stays, and the next write goes over it. Where it fails, the next one tells. */
void confirmed_tell(struct confirmed_file *file, struct confirmed next);

/* The file's time: when what it says was last known to hold; as far as the disk lets us. */
void confirmed_set_time(struct confirmed_file *file, time_t when);

void confirmed_close(struct confirmed_file *file);

#endif
