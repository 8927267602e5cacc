/*
 * dbfile.h - the mirror's database as a file: looked at, locked, thrown away, brought to its name.
 *
 * The file is locked with flock(2), on a descriptor of its own that is closed
 * after SQLite's: SQLite locks with fcntl(2), so the two do not meet, readers
 * are not hindered, no lock file is left behind, and a killed process leaves
 * no lock. One process writes a mirror.
 */
#ifndef MIRROR_DBFILE_H
#define MIRROR_DBFILE_H

#include <stdbool.h>
#include <sys/stat.h>

#include "err.h"

/* Looks at a regular file; all else is refused, since to open a FIFO may wait for ever.
 * -ENOENT, -EISDIR, -EINVAL, ... */
int dbfile_stat(const char *path, struct stat *st, struct err *err);

/* 1: a mirror is there; 0: nothing is (no file, an empty one, a database without a table, which is
 * what a crash right after creation leaves). -EEXIST where the file is something else, which stays
 * unchanged; -EIO. */
int dbfile_look(const char *path, struct err *err);

/* Opens or creates the file and locks it: *fd, to be closed after SQLite's connections. `scratch`: it is
 * one that will be emptied, so nothing but a file of that name alone will do: not what a link of somebody's leads to.
 * -EBUSY where another process has it. */
int dbfile_lock(const char *path, bool scratch, int *fd, struct err *err);

/* Whether the locked file still has its name. -EIO where somebody gave it to another one, or removed it. */
int dbfile_check(const char *path, int fd, struct err *err);

/* Empties the locked file and removes SQLite's files beside it. True where there was something. */
bool dbfile_empty(const char *path, int fd);

/* Gives a whole database, which no connection has open, its final name: synced, renamed, the folder
 * synced. `fd` is its lock. -EEXIST where a database has that name. */
int dbfile_rename(const char *from, int fd, const char *to, struct err *err);

/* Names that were made or removed beside it are on the disk. */
int dbfile_sync_folder(const char *path, struct err *err);

/* Removes it, and SQLite's files beside it; dbfile_sweep, unless another process has it locked. */
void dbfile_remove(const char *path);
void dbfile_sweep(const char *path);

#endif
