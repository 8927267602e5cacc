/*
 * segment.h - one data file of the store.
 *
 *     segments/<epoch>.<seq>.day    lines; the name is its first line's position
 *     segments/<epoch>.<seq>.idx    the index of a sealed one (index.h)
 *
 * The first line is `origin`, then the definitions in force, then whole
 * transactions. Only the newest segment grows; all others are sealed and end
 * on a commit.
 */
#ifndef FS_SEGMENT_H
#define FS_SEGMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "learnt.h"
#include "position.h"
#include "record.h"

#define SEGMENT_NAME_MAX (POSITION_TEXT_MAX + 8)

/* The file name of a segment, and of its index. Return `name`. */
char *segment_name(char *name, struct position first);
char *segment_index_name(char *name, struct position first);

/* The positions of all segments in the folder, ascending; the caller frees, also after
 * an error. Where `clean`,
 * what a crash left is removed: what was written beside a file ("*.new"), and indexes from
 * before the oldest segment. */
int segment_list(int dirfd, bool clean, struct position **list, size_t *count, struct err *err);

/* 1 where an index has lost its segment, *lost, which stood behind the oldest that is there: somebody took
 * that away, since retention takes the oldest. The store may be written meanwhile. */
int segment_find_lost(int dirfd, struct position *lost, struct err *err);

/* Whether it is the first one that a store ever had: `init` wrote its origin and commit line
 * (origin.h), in generation 1. */
bool segment_is_first(int fd);

/* How far a segment is whole: up to the end of its last good commit. */
struct segment_end {
	uint64_t off; /* behind the commit line; 0 where there is none */
	struct position last;
	uint64_t lsn;
	struct origin origin;
	uint32_t sum;      /* of the commit line, as the source sent it; 0 where `init` wrote it */
	uint64_t mark_off; /* behind the last good commit at or before the mark that was asked for */
};

/* Reads bytes 0..len of the segment, and checks its lines' grammar, order and
 * checksums. 0 where all of it is whole; else -EBADMSG, with what and where in
 * `err`, and *end says what is good before that; or an error of reading. */
int segment_verify(int fd, struct position first, uint64_t len, struct position mark, struct segment_end *end,
                   struct err *err);

/* The same, and what bytes 0..end->off hold: zeros where that is nothing, or after another error. The caller frees
 * *learnt. Where a part behind that is to be left out, it reads twice. */
int segment_read(int fd, struct position first, uint64_t len, struct position mark, struct segment_end *end,
                 struct learnt *learnt, struct err *err);

/* The origin line that it opens with: false where there is none. */
bool segment_origin(int fd, struct origin *origin);

/* The same of bytes from->off..len, which follow what is known to be whole. */
int segment_verify_more(int fd, struct position first, const struct segment_end *from, uint64_t len,
                        struct segment_end *end, struct err *err);

/* Whether its first line is the origin of a segment of another name: somebody renamed it. Sets *origin to its
 * position. */
bool segment_is_renamed(int fd, struct position first, struct position *origin);

/* The last line of a sealed segment: sets *last. -EBADMSG where that is no commit
 * line, so the file is not what was sealed. Only its end is read. */
int segment_sealed_end(int fd, uint64_t len, struct position *last, struct err *err);

/* 1 where behind `off` (which ends a good commit) a whole transaction with the right
 * checksum still follows somewhere: then what stands in between is damage, not the torn
 * end of an append. 0 where none does; an error of reading says nothing about that. */
int segment_commit_follows(int fd, uint64_t off, uint64_t len, struct err *err);

/* Adds the whole lines in [*from, to), which have just been written, to the
 * index, and moves *from behind the last of them. */
int segment_index(int fd, uint64_t *from, uint64_t to, struct index *index, struct err *err);

/* The index of bytes 0..len of the segment, which have to be whole: as segment_verify, whose every check
 * is made, so that no index is ever made of wrong bytes. */
int segment_build_index(int fd, struct position first, uint64_t len, struct index **index, struct err *err);

/* The index of a sealed segment of `len` bytes: mapped, or, where there is none or it is wrong or another
 * segment's, *built again. -EBADMSG: there is none, and none can be built,
 * since the segment is damaged. (Where there is one, its sums tell which bytes are.) */
int segment_open_index(int dirfd, int fd, struct position first, uint64_t len, struct index **index, bool *built,
                       struct err *err);

#endif
