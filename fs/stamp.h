/*
 * stamp.h - the two pairs that ingest puts before each line: "_c\t<epoch>\t_s\t<seq>\t". Pure.
 */
#ifndef FS_STAMP_H
#define FS_STAMP_H

#include <stddef.h>

#include "position.h"

enum { STAMP_MAX = 4 + 20 + 4 + 20 + 1 };

/* Prints it to `out`, without a NUL; returns its length. */
size_t stamp_print(char *out, struct position position);

/* The same for line after line, where mostly the last two digits alone differ from the one before. It takes STAMP_MAX
 * bytes of `out`, whatever the length. */
struct stamp {
	struct position hundred; /* the text's, with seq / 100 */
	char text[STAMP_MAX];
	size_t len; /* 0: nothing yet */
};
size_t stamp_print_next(struct stamp *stamp, char *out, struct position position);

/* The position of the line behind `last`, in a transaction of that second. */
struct position stamp_next(struct position last, uint64_t second);

#endif
