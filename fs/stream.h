/*
 * stream.h - the stream of a STORE or of a MOUNT of one, for programs that only read it: the same
 * files, whichever it is.
 *
 *     all lines                   live
 *     one table's                 tables/<name>
 *     from a position on          since/<epoch>/<seq>/live, .../tables/<name>
 *
 * A store is read as it stands, beside a daemon or without one; where it is followed, it grows as somebody else writes
 * it, or copies it here (follower.h). A mount may as well be sshfs's or NFS's.
 *
 * Errors, beside -ENOMEM: -ENOTCONN the mount is away; -ENOENT no line of the table is retained; -ESTALE what stood at
 * the position was given up; -EBADMSG damage. One thread.
 */
#ifndef FS_STREAM_H
#define FS_STREAM_H

#include "follow.h"

struct stream;

/* -EAGAIN: the store that is to be followed is not whole yet. */
int stream_open(struct stream **stream, const char *path, bool follow, struct err *err);
void stream_close(struct stream *stream);

bool stream_is_mount(const struct stream *stream);
/* Whether a line stands behind the mark of STORE/confirmed: not known to be on disk, it is not to be handed on, nor is
 * what follows it. Of a mount, and where a store is followed, no line does. */
bool stream_unsure(const struct stream *stream, struct position position);

/* The generation in force; 0 where a mount does not tell. */
uint64_t stream_generation(struct stream *stream);
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
/* At the end of what is followed: waits until there may be more, a second at most. -EPROTO, -ESTALE: no more can come
 * (growth.h). */
int stream_lines_wait(struct stream_lines *lines, struct err *err);

#endif
