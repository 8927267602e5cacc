/*
 * serve.h - the FUSE callbacks: what the kernel asks, answered from file.h and
 * dir.h.
 *
 * - Growing files are opened with direct_io, and their attributes are not cached:
 *   every page-cached way gives zeros or old lengths to some reader. What is final (file.h) is
 *   read through the page cache; what the kernel was told of it before has no time to live.
 * - A read never waits for data; poll(2) wakes when there is more.
 */
#ifndef FS_SERVE_H
#define FS_SERVE_H

#include "announce.h"
#include "readahead.h"

/* The session's userdata. */
struct serve {
	const struct shown *shown; /* borrowed; set before the first request */
	struct tree *tree;
	uid_t uid;
	gid_t gid;
	pthread_key_t buffer;      /* each thread's, for replies */
	struct handle_set handles; /* handle_notify wakes those who poll */
	struct readahead readahead;
	struct announce *announce; /* not ours; may set times. NULL: nobody may */
};

extern const struct fuse_lowlevel_ops serve_ops;

/* -ENOMEM. */
int serve_init(struct serve *serve);
void serve_fini(struct serve *serve);

#endif
