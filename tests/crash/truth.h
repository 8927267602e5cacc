/*
 * truth.h - a source (source.h) that sends what is true: the lines that another slot's plugin sent.
 */
#ifndef CRASH_TRUTH_H
#define CRASH_TRUTH_H

#include <semaphore.h>

#include "source.h"

struct transaction {
	const char *at;
	size_t len;
	uint64_t lsn;
};

struct truth {
	struct source source;
	struct transaction *list;
	size_t count, next, sent; /* bytes of the next one */
	bool idle;
	uint64_t
	    forgotten_lsn; /* it begins there, as a server does that knows of no later confirmation; 0: where it is asked to */
	sem_t durable; /* posted when all that it has is confirmed; the caller's */
};

/* Reads the file; aborts where it is none. */
void truth_read(struct truth *truth, const char *path);

#endif
