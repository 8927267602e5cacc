/*
 * resume.h - what a source sends again after a start: told from what is new, and compared with what is held.
 *
 * A source begins where the server's memory of us ends, which may be before what the store holds: a crash of either
 * side. What comes again is left out; but the last commit that is held has to be among it, and behind that,
 * where the store knows of idle WAL only, there can be no row. Else this server has another history than the one that
 * was followed, though its identity and its LSNs fit: its files are an older copy, put back, which has gone
 * on since.
 */
#ifndef FS_RESUME_H
#define FS_RESUME_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

struct resume {
	uint64_t lsn;      /* what ends at or before it comes again */
	uint64_t last_lsn; /* the last commit that is held */
	uint32_t last_sum; /* of its line; 0: it never came from a source */
	bool wanted;
};

/* `from_lsn`: where the source begins, at most `resume->lsn`. */
void resume_begin(struct resume *resume, uint64_t from_lsn);

/* Whether the transaction that comes now is sure to come again, before its commit tells. */
bool resume_is_again(const struct resume *resume);

/* A transaction ended. 1: it came again; 0: it is new; -EPROTO: another history. `rows`: it changed any. */
int resume_commit(struct resume *resume, uint64_t lsn, uint32_t sum, bool rows, struct err *err);

/* Nothing that is not sent yet ends before `lsn`. 0 or -EPROTO. */
int resume_idle(struct resume *resume, uint64_t lsn, struct err *err);

#endif
