/*
 * owner.h - a database's files that are not this user's to write.
 *
 * SQLite keeps two files beside a database in WAL mode, NAME-wal and NAME-shm, also for who only reads. They are
 * theirs who opened it first, and the last one removes them, if that one may write the database.
 */
#ifndef MIRROR_OWNER_H
#define MIRROR_OWNER_H

#include "err.h"

/* Why the database at `path` cannot be written: which of its files, and whose it is. -EIO. */
int owner_blame(const char *path, struct err *err);

/* -EACCES where to read it would leave files beside it that its owner could not write. */
int owner_check_reader(const char *path, struct err *err);

#endif
