/*
 * readahead.h - how far ahead the kernel reads the files of the mount that it caches, /days above all.
 *
 * In its requests of 128 KiB it asks a daemon eight times for what could come at once, and fills its cache with as many more
 * pieces. Only root may tell it otherwise, and only when the mount has answered its first request, whose answer
 * can but lower it (the kernel's process_init_reply in fs/fuse/inode.c; Documentation/ABI/testing/sysfs-class-bdi): so the
 * file is opened while the daemon is root, and written later.
 */
#ifndef FS_READAHEAD_H
#define FS_READAHEAD_H

struct readahead {
	_Atomic int fd; /* -1: it may not, or has */
};

/* For what is mounted at `mountpoint`; without a request to it. Where it may not be, it stays as it is. */
void readahead_open(struct readahead *readahead, const char *mountpoint);

/* When the mount has answered. Any thread. */
void readahead_raise(struct readahead *readahead);

void readahead_close(struct readahead *readahead);

#endif
