/*
 * follow.h - reads the stream's lines from a mount, from a position on.
 *
 * Opens MOUNT/live, or MOUNT/since/<epoch>/<seq>/live directly after a
 * position, with big ordinary reads, so that the mount may as well be sshfs,
 * NFS or a folder of plain files. What it hands out has been checked:
 *
 *   - each line follows the grammar of line.h and is stamped;
 *   - positions go on without a gap: the next number of the same second, or
 *     number 0 of a later one (the first line of /live may be any);
 *   - each `commit` line's `crc` is that of the bytes before it. Lines reach
 *     the caller before that check, so nothing they say may last until their
 *     `commit` line has come.
 *
 * Of one table's file alone (tables/<name>), or a copy of one, positions only increase, and no
 * commit line tells where a transaction ends: the next line's other _xid does, and the
 * file's end, which always is that of a transaction.
 *
 * Memory: as in lines.h.
 *
 * Errors of all functions, beside -ENOMEM:
 *
 *   -ENOTCONN  the mount is away (whatever errno said so): close, wait, open
 *              again directly after the last commit that was kept
 *   -EBADMSG   the bytes are wrong: as above, but not for ever. sshfs with
 *              its cache on can show zeros where bytes have not come yet
 *   -ESTALE    retention gave the position up: nothing but a new start helps
 *   -EINTR     a signal came while reading
 */
#ifndef COMMON_FOLLOW_H
#define COMMON_FOLLOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "line.h"
#include "lines.h"
#include "position.h"

struct follow;

/* What is followed: MOUNT/live, or, where `table` is a path name, MOUNT/tables/<table>; without a
 * mount the plain file `file`. */
struct follow_source {
	const char *mount, *table, *file;
};

/* The path of the growing file, from a position on, or from the oldest line (NULL). */
void follow_path(char *path, size_t size, const struct follow_source *source, const struct position *from);

struct follow_line {
	struct line_head head;
	const char *text; /* the whole line, without its '\n' */
	size_t len;
	bool commit; /* the last line of its transaction; its crc was right */
	bool begins; /* of a table's file: its transaction is not that of the line before */
};

/* `source` is borrowed until follow_close. `after` is the position of the last applied commit
 * line, or NULL for all that is retained. Free the result with follow_close. */
int follow_open(struct follow **opened, const struct follow_source *source, const struct position *after,
                struct err *err);
void follow_close(struct follow *follow);

/* From the first line at or after a position on. Where that is within a second, it may be within a transaction,
 * whose crc is not looked at. */
int follow_open_from(struct follow **opened, const struct follow_source *source, const struct position *from,
                     struct err *err);

/* Lines that `read` gives (lines.h), and what they are: all of the stream, or one table's; from within a second on,
 * where `within`. It does not wait. */
struct follow_read {
	lines_read *read;
	void *ctx;
	bool table, within;
};
int follow_open_read(struct follow **opened, const struct follow_read *source, struct err *err);

/* From a second's first line on; where that is no longer retained, or 0, from /live's beginning. */
int follow_open_second(struct follow **opened, const struct follow_source *source, uint64_t epoch, struct err *err);

/* A file of stamped lines and commits whose positions increase with gaps: a snapshot's `overlap`.
 * -ENOENT where it is not there. */
int follow_open_file(struct follow **opened, const char *path, struct err *err);

/* Whether the source shows the stream that `commit` was read from: the line there still ends its
 * transaction at `lsn` ("": that is not known). 0: it does, or nothing can be said; -ESTALE: it is
 * another one. */
int follow_recognize(const struct follow_source *source, struct position commit, const char *lsn, struct err *err);

/* 1: a line, which is borrowed until the next call; 0: there is no more at
 * this time (follow_in_line tells whether the file ends within a line). */
int follow_next(struct follow *follow, struct follow_line *line, struct err *err);
bool follow_in_line(const struct follow *follow);

/* At the end: whether the file tells of more than can be read of it, as a damaged one does over sshfs (or one that
 * grew just now). */
bool follow_is_cut(const struct follow *follow);

/* Of the last line handed out; {0, 0} before the first. */
struct position follow_position(const struct follow *follow);

/* Waits until there may be more, `stop_fd` is readable or about a second is
 * over. Where poll(2) cannot tell (plain files, sshfs, nfs://), the pauses
 * grow from 5 to 25 ms. */
void follow_wait(struct follow *follow, int stop_fd);

#endif
