/*
 * append.h - the end of the newest segment: a buffer in front of the file, with the
 * checksum that a `commit` line carries.
 *
 * What is added is in the buffer until append_write; a full disk leaves what it
 * did not take there, so that writing can be tried again. One thread.
 */
#ifndef FS_APPEND_H
#define FS_APPEND_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

/* Writes that begin and end at a multiple of this take large pages of the page cache: a fifth less of the processor, and half of
 * it for their sync. */
enum { APPEND_BLOCK = 256 << 10 };

struct append {
	int fd;       /* owned; -1 for none yet */
	uint64_t off; /* behind all that was added, written or not */
	char *buf;    /* the last `len` bytes before `off`: not written yet */
	size_t len, cap;
	size_t summed; /* buf[0..summed) is in crc */
	uint32_t crc;  /* of all since append_restart_sum */
};

/* A place to go back to. */
struct append_mark {
	uint64_t off;
	uint32_t crc;
};

/* Takes `fd` over, whose bytes end at `off`. -ENOMEM. */
int append_init(struct append *append, int fd, uint64_t off, struct err *err);
void append_fini(struct append *append);

/* Goes on in a new file, at its start; all was written. Returns the old fd. */
int append_switch(struct append *append, int fd);

/* Room for `len` bytes behind the last; NULL: out of memory. What is put there counts
 * with append_added. */
char *append_room(struct append *append, size_t len, struct err *err);
void append_added(struct append *append, size_t len);

/* Brings the checksum up to `short_of` bytes before the end and returns it; it starts
 * anew with append_restart_sum. */
uint32_t append_sum(struct append *append, size_t short_of);
void append_restart_sum(struct append *append);

/* Writes what is buffered. -ENOSPC, -EDQUOT: may be tried again. */
int append_write(struct append *append, struct err *err);

/* The same, but for what is behind the last whole block; there is one at least. */
int append_write_blocks(struct append *append, struct err *err);

struct append_mark append_mark(struct append *append);

/* Undoes all since the mark, in the buffer or in the file. */
int append_back(struct append *append, struct append_mark mark, struct err *err);

/* Copies bytes that were added before, from the file, the buffer, or both. */
int append_read(const struct append *append, uint64_t off, char *out, size_t len, struct err *err);

#endif
