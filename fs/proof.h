/*
 * proof.h - the marks of STORE/confirmed that were seen, and whether the files of a store that somebody else
 * writes, or copies in any order, bear one out.
 *
 * A mark says: this commit ends at this byte of this segment, and all segments before it, from the oldest on, have so
 * many bytes. What it covers is on the writer's disk for good: no crash takes it back. A file that is short, missing or
 * of before a crash makes another sum, or has another commit at that byte. So a mark may be ahead of the files (it came
 * first), or they of it; what is shown is what some mark and the files agree on.
 *
 * One thread.
 */
#ifndef FS_PROOF_H
#define FS_PROOF_H

#include <stddef.h>

#include "confirmed.h"

enum { PROOF_MARKS = 64 };

/* Zeros at first. Ascending: files that come later than their mark are compared with it although a newer one has come. */
struct proof {
	struct confirmed marks[PROOF_MARKS];
	size_t count;
	struct position oldest; /* that the newest one counts; only ever a later one */
};

/* Takes the mark that stands in the file, where it is behind `shown`. -EAGAIN: there is none that can be read. */
int proof_look(struct proof *proof, int store_dirfd, struct position shown, struct err *err);

/* Forgets the marks up to that position. */
void proof_drop(struct proof *proof, struct position shown);

/* Whether the segments have as many bytes as the mark says: -EAGAIN where they do not. */
int proof_sum(const struct confirmed *mark, uint64_t bytes, struct err *err);

#endif
