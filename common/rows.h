/*
 * rows.h - a query's rows from the server, one after the other, by COPY ... TO STDOUT.
 *
 * COPY's text format escapes as a line of the stream does, so its values are read by value_read.
 * One row is in memory at a time.
 *
 * Errors as pg.h: -EINTR where `wakefd` woke up, -EAGAIN where the connection is gone, -EPROTO with
 * the server's sentence where it refuses.
 */
#ifndef COMMON_ROWS_H
#define COMMON_ROWS_H

#include <libpq-fe.h>
#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "line.h"

struct rows {
	PGconn *conn; /* borrowed; nothing else may use it until rows_close */
	int wakefd;
	char *row;
	bool open, over; /* over: the server has said how it ended */
};

/* Starts COPY (`query`) TO STDOUT. rows_close is to be called in any case. */
int rows_open(struct rows *rows, PGconn *conn, const char *query, int wakefd, struct err *err);

/* 1: `row` is the next, without its '\n', borrowed until the next call; 0: there is none. */
int rows_next(struct rows *rows, struct span *row, struct err *err);

/* Splits a row at its tabs; false where it has not `count` values. */
bool rows_split(struct span row, struct span *values, unsigned count);

/* What was not read is cancelled. Where the server cannot be asked to, the connection is good for nothing any more. */
void rows_close(struct rows *rows);

#endif
