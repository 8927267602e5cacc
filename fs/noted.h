/*
 * noted.h - what the index learns of the lines that are appended, noted while they are at hand: nobody has to
 * read them again for it. The appending thread hands it, up to a commit, to the one that syncs and shows.
 */
#ifndef FS_NOTED_H
#define FS_NOTED_H

#include "append.h"
#include "index.h"

struct noted {
	struct append *end;    /* of the segment; borrowed */
	struct index *index;   /* of its lines from `from` on; owned */
	struct index_end from; /* behind a commit */
};

/* Goes on where the segment's index ends, which is where `end` is. -ENOMEM. */
int noted_init(struct noted *noted, struct append *end, struct index_end from, struct err *err);
void noted_fini(struct noted *noted);

/* The last `len` bytes that were appended are a line with that stamp and head. */
int noted_line(struct noted *noted, size_t len, struct position position, const struct line_head *head,
               struct err *err);

/* What is buffered goes to the file: called before append_write, which forgets it. After an error of noted_take or
 * noted_back: -EIO, until a noted_back works. */
int noted_sum(struct noted *noted, struct err *err);

/* Hands out what there is up to `off`, behind a commit. The caller frees *index; NULL after an error. */
int noted_take(struct noted *noted, uint64_t off, struct index **index, struct err *err);

/* append_back was called: what stood behind is forgotten. */
int noted_back(struct noted *noted, struct err *err);

#endif
