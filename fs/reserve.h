/*
 * reserve.h - STORE/reserve: space of the store's disk that is set aside while there is some, so that a
 * start can make the store whole on a disk that others have filled to the last byte. Nothing is in it.
 *
 * One thread at a time: the one that opens the store for writing, then the one of retention.
 */
#ifndef FS_RESERVE_H
#define FS_RESERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

/* Sees to it that `bytes` are set aside (0: none), where twice as much is free. 0 also where it is not;
 * an error where there is room and it does not work. */
int reserve_keep(int store_dirfd, uint64_t bytes, struct err *err);

/* Gives it back to the disk. True where there was something: what found no space may find some now. */
bool reserve_release(int store_dirfd);

/* What is set aside. */
uint64_t reserve_bytes(int store_dirfd);

#endif
