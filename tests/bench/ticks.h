/*
 * ticks.h - what the programs of tests/bench have in common: the clock, the way out, and a set of times with its
 * median and its 99th percentile.
 */
#ifndef BENCH_TICKS_H
#define BENCH_TICKS_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline double ticks_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline void ticks_die(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, errno ? strerror(errno) : "failed");
	exit(1);
}

static int ticks_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts `seconds`, and prints two figures in milliseconds, named behind `prefix`. */
static inline void ticks_print(const char *prefix, double *seconds, size_t count)
{
	if (count == 0)
		ticks_die("no times were taken");
	qsort(seconds, count, sizeof *seconds, ticks_compare);
	printf("%sp50_ms\t%.4f\n%sp99_ms\t%.4f\n", prefix, seconds[count / 2] * 1e3, prefix,
	       seconds[count * 99 / 100] * 1e3);
}

#endif
