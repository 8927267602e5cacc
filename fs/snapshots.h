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

/* Opens what stands at `part` in the snapshot: "manifest", "sums", "overlap", "tables", "tables/<name>", or
 * "." for its folder. Returns the descriptor; -ENOENT where there is no such snapshot or part. */
int snapshots_open(int store_dirfd, struct position position, const char *part, struct err *err);

/* The positions of all of them, ascending; the caller frees, also after an error. */
int snapshots_list(int store_dirfd, struct position **list, size_t *count, struct err *err);

/* The same of those that this process may not look into, which for all else are not there. */
int snapshots_list_closed(int store_dirfd, struct position **list, size_t *count, struct err *err);

/* Reads its manifest; free it with manifest_fini, also after an error. -ENOENT, -EBADMSG. */
int snapshots_manifest(int store_dirfd, struct position position, struct manifest *manifest, struct err *err);

/* The same, with its text, to be freed. */
int snapshots_text(int store_dirfd, struct position position, char **text, size_t *len, struct manifest *manifest,
                   struct err *err);

/* The file of a table in `tables`, which is its path name, or, where that is longer than a file's name can
 * be, the beginning of it and a checksum. `file` has NAME_MAX + 1 bytes. Returns file. */
const char *snapshots_file_name(char *file, const char *table);

/* A new one, which has no name yet: one at a time in a store, whichever process takes it. */
struct snapshots_draft {
	int dirfd;  /* STORE/snapshots; locked */
	int fd;     /* the draft's folder, which holds an empty folder `tables` */
	int tables; /* that */
};

/* Makes its folder; what an earlier one that was killed left is removed. -EBUSY: another one is being taken. */
int snapshots_begin(int store_dirfd, struct snapshots_draft *draft, struct err *err);

/* All is in it, and each file is synced: gives it its name. */
int snapshots_finish(struct snapshots_draft *draft, struct position position, struct err *err);

/* Ends it in any case; what has not been finished is removed. */
void snapshots_end(struct snapshots_draft *draft);

/* Removes it: from the first moment on it is not whole. What a crash leaves of that goes with the next
 * removal. */
int snapshots_remove(int store_dirfd, struct position position, struct err *err);

/* Reads every byte of it, and compares with what its manifest says; *bytes grows by what was read. -EBADMSG names the
 * file that is damaged; -ENOENT where the snapshot has just been removed. */
int snapshots_verify(int store_dirfd, struct position position, uint64_t *bytes, struct err *err);

/* The newest of all tables of the generation: 1, 0 where there is none. One whose manifest is
 * damaged is passed over. */
int snapshots_newest(int store_dirfd, uint64_t generation, struct position *newest, struct err *err);

/* Calls `each` with the path name of every table in it, in no order; stops where it returns non-zero
 * and returns that. */
int snapshots_tables(int store_dirfd, struct position position, int (*each)(const char *name, void *ctx), void *ctx,
                     struct err *err);

#endif
