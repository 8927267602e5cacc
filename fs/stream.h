/*
 * stream.h - the stream of a STORE or of a MOUNT of one, for programs that only read it: the same
 * files, whichever it is.
 *
 *     all lines                   live
 *     one table's                 tables/<name>
 *     from a position on          since/<epoch>/<seq>/live, .../tables/<name>
 *
 * A store is read as it stands, beside a daemon or without one. What came since it was opened is seen after
 * stream_renew. A mount may as well be sshfs's or NFS's.
 *
 * Errors, beside -ENOMEM: -ENOTCONN the mount is away, or the store cannot be opened now; -ENOENT no line of the table
 * is retained; -ESTALE what stood at the position was given up; -EBADMSG damage. One thread.
 */
#ifndef FS_STREAM_H
#define FS_STREAM_H

#include "follow.h"

struct stream;

int stream_open(struct stream **stream, const char *path, struct err *err);
void stream_close(struct stream *stream);

/* Whether it is a mount; else the following three are for it. */
bool stream_is_mount(const struct stream *stream);
/* Whether a line stands behind the mark of STORE/confirmed: not known to be on disk, it is not to be handed on, nor is
 * what follows it. Of a mount no line does. */
bool stream_unsure(const struct stream *stream, struct position position);
/* 1: the mark has moved since the store was opened; 0: not yet. */
int stream_grown(struct stream *stream, struct err *err);
/* Opens a store again. Nothing of it may be open. */
int stream_renew(struct stream *stream, struct err *err);

/* The last commit line of all, and the generation in force; zeros where a mount does not tell. */
void stream_end(struct stream *stream, struct position *last, uint64_t *generation);

/* A file of it, from `from` on; NULL: from the oldest line. `table` may be NULL. */
struct stream_file;
int stream_file_open(struct stream_file **file, struct stream *stream, const char *table, const struct position *from,
                     struct err *err);
void stream_file_close(struct stream_file *file);
int stream_file_len(struct stream_file *file, uint64_t *len, struct err *err);
/* Copies from `off`; fewer bytes only at the end. */
long stream_file_read(struct stream_file *file, uint64_t off, char *buf, size_t len, struct err *err);

/* Its lines, checked as follow.h says. */
struct stream_lines;
int stream_lines_open(struct stream_lines **lines, struct stream *stream, const char *table,
                      const struct position *from, struct err *err);
/* The same, directly after a commit line, or, of a table, after a line. */
int stream_lines_after(struct stream_lines **lines, struct stream *stream, const char *table, struct position after,
                       struct err *err);
void stream_lines_close(struct stream_lines *lines);
struct follow *stream_lines_follow(struct stream_lines *lines); /* to read by; borrowed */

#endif
