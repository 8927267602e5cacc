/*
 * recent.h - the newest bytes of the stream in memory: read and compared with their sums once, for all who follow it.
 *
 * Blocks of a segment, which are got as far as a reader asks for them and something is shown. What is in a block stays as
 * it is; more comes behind it. So who follows is answered from it without a copy, while another one adds to it.
 *
 *     recent_read ─▶ the reply is made of the pieces ─▶ recent_release
 *
 * For who is near the end only. Of blocks that nobody holds, the oldest is taken for a new one; when no file is
 * open any more (recent_leave), the memory is given back. Threads: any.
 */
#ifndef FS_RECENT_H
#define FS_RECENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "segments.h"

enum {
	RECENT_LEN = 1 << 20, /* of a block; a piece begins and ends with one at most */
	RECENT_BLOCKS = 16,   /* bounds the memory; more than a stream brings while all who follow are told (mount.c) */
	RECENT_PIECES = 4,
};

struct recent;
struct recent *recent_new(struct segments *segments); /* borrowed; NULL: out of memory */
void recent_free(struct recent *recent);

struct recent_block;
struct recent_got {
	struct iovec pieces[RECENT_PIECES];
	struct recent_block *blocks[RECENT_PIECES];
	size_t count, len; /* len: of all pieces */
};

/* The `len` shown bytes from `off` of the stream on, fewer only at its end. False, and nothing is held: they are
 * to be read otherwise, be it for an error. */
bool recent_read(struct recent *recent, uint64_t off, size_t len, struct recent_got *got);
void recent_release(struct recent *recent, struct recent_got *got);

/* Somebody has a file of lines open, and has no more, nor holds anything: with the last one the memory is given back. */
void recent_join(struct recent *recent);
void recent_leave(struct recent *recent);

#endif
