/*
 * snapshots.h - STORE/snapshots as readers see it: whole snapshots, which are the folders
 * <epoch>.<seq> with a manifest (manifest.h). What is being written or removed has another name.
 *
 * Nothing is kept in memory: each question asks the folder. Any thread.
 */
#ifndef FS_SNAPSHOTS_H
#define FS_SNAPSHOTS_H

#include <stddef.h>

#include "manifest.h"

/* Opens what stands at `part` in the snapshot: "manifest", "overlap", "tables", "tables/<name>", or
 * "." for its folder. Returns the descriptor; -ENOENT where there is no such snapshot or part. */
int snapshots_open(int store_dirfd, struct position position, const char *part, struct err *err);

/* The positions of all of them, ascending; the caller frees, also after an error. */
int snapshots_list(int store_dirfd, struct position **list, size_t *count, struct err *err);

/* Reads its manifest; free it with manifest_fini, also after an error. -ENOENT, -EBADMSG. */
int snapshots_manifest(int store_dirfd, struct position position, struct manifest *manifest, struct err *err);

/* Removes it: from the first moment on it is not whole. What a crash leaves of that goes with the next
 * removal. */
int snapshots_remove(int store_dirfd, struct position position, struct err *err);

/* The newest of all tables of the generation: 1, 0 where there is none. One whose manifest is
 * damaged is passed over. */
int snapshots_newest(int store_dirfd, uint64_t generation, struct position *newest, struct err *err);

/* Calls `each` with the path name of every table in it, in no order; stops where it returns non-zero
 * and returns that. */
int snapshots_tables(int store_dirfd, struct position position, int (*each)(const char *name, void *ctx), void *ctx,
                     struct err *err);

#endif
