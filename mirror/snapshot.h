/*
 * snapshot.h - finds a snapshot below MOUNT/snapshots, and reads its files: docs/FORMAT.md, "A snapshot".
 *
 * Errors: -ENOENT where there is none to begin with; -ENOTCONN where the mount is away; -ESTALE where
 * it has gone since it was found; -EBADMSG where what it has is not what its manifest says; -EINTR
 * after a signal; -ENOMEM.
 */
#ifndef MIRROR_SNAPSHOT_H
#define MIRROR_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "manifest.h"
#include "until.h"

struct snapshot {
	char *mount;  /* of the mount */
	char *folder; /* MOUNT/snapshots/<epoch>.<seq>: the link "latest" is read once */
	struct manifest manifest;
	struct position later; /* the marker's commit line of the oldest one that is too new; {0, 0}: there is none */
};

struct snapshot_want {
	const char *tables;        /* a normalized list, all of which it has to have; NULL: it is of all tables */
	uint64_t generation;       /* 0: any */
	const struct until *until; /* it has nothing that does not belong to that; or NULL */
};

/* The newest one that is so. snapshot_close is to be called in any case. */
int snapshot_find(struct snapshot *snapshot, const char *mount, const struct snapshot_want *want, struct err *err);
void snapshot_close(struct snapshot *snapshot);

/* Gives the lines of one of its tables, without '\n', to `each`, whose error ends it. What they say is
 * right only once all have come: then 0. */
int snapshot_table(const struct snapshot *snapshot, const struct manifest_table *table,
                   int (*each)(void *ctx, const char *line, size_t len, struct err *err), void *ctx, struct err *err);

/* Its first line alone, to be freed. */
int snapshot_definition(const struct snapshot *snapshot, const struct manifest_table *table, char **line, size_t *len,
                        struct err *err);

/* What a failure to read from it means, where it was `code`. */
int snapshot_failed(const struct snapshot *snapshot, int code, struct err *err);

#endif
