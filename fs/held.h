/*
 * held.h - what a command prints, held back until the transaction is known to be whole.
 *
 * Memory: a megabyte; what a larger transaction has more is in an unnamed file of $TMPDIR until then.
 * Functions return 0 or a negative errno; -EPIPE: nobody reads it any more.
 */
#ifndef FS_HELD_H
#define FS_HELD_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

struct held {
	int out;   /* where to; borrowed */
	char *buf; /* [0..released) may be written, [released..len) is of the transaction */
	size_t released, len, cap;
	int rest; /* a file with what stands before buf[released] of the transaction, or -1 */
};

int held_init(struct held *held, int out, struct err *err);
void held_fini(struct held *held);

/* Adds to the transaction. */
int held_put(struct held *held, const char *bytes, size_t len, struct err *err);

/* The transaction is whole, or is none. */
int held_release(struct held *held, struct err *err);
void held_drop(struct held *held);

/* Nothing waits to be written, nor is there any of a transaction. */
bool held_is_empty(const struct held *held);

/* Writes what is released. */
int held_flush(struct held *held, struct err *err);

#endif
