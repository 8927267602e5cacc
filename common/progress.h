/*
 * progress.h - how far a long copy is, on stderr: a bar on a terminal (rows, bytes, rate, time left), otherwise
 * a plain line now and then. Used by the programs' edges only.
 *
 * Any thread may add and say; the rest is its owner's.
 */
#ifndef COMMON_PROGRESS_H
#define COMMON_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress;

/* `what`: "snapshot", "copying", ...; borrowed. `total_bytes`: what is expected, 0 where nobody knows.
 * NULL (no memory) is fine for all functions. */
struct progress *progress_open(const char *what, uint64_t total_bytes);

/* An estimate becomes better while the work goes on. */
void progress_expect(struct progress *progress, uint64_t total_bytes);
void progress_add(struct progress *progress, uint64_t rows, uint64_t bytes);

/* What is being worked on: a table's name; copied. */
void progress_at(struct progress *progress, const char *name);

/* Ends the bar. `done`: with a line of what was done and how long it took; else without. */
void progress_close(struct progress *progress, bool done);

#endif
