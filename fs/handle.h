/*
 * handle.h - the open files and folders of the mount, and who polls them.
 *
 * While lines stream, who has read to the end is told of more now and then, not for each piece: so each reads much
 * at once. They are told one after the other: all who read at once would take the processors from who feeds the stream. Who tells says so with handle_notify, and tells again soon.
 *
 * Threads: any.
 */
#ifndef FS_HANDLE_H
#define FS_HANDLE_H

#define FUSE_USE_VERSION 312
#include <fuse_lowlevel.h>
#include <pthread.h>

#include "ahead.h"
#include "dir.h"

struct handle {
	struct file *file; /* or */
	struct dir *dir;
	bool direct; /* the kernel caches nothing of it; set once */
	struct ahead ahead;
	uint64_t ino; /* set once, by who opens it: whose growth is to be announced; 0: none */
	/* Under the set's lock. */
	uint64_t served;           /* the end of what was read so far */
	bool opened, grows, ended; /* a file; of lines to come; the last read came to what was its end */
	bool has_all;              /* it did, and nobody was told of more since */
	struct fuse_pollhandle *poll;
	uint64_t polled_as;                       /* the set's count of polls, then */
	struct handle *prev, *next;               /* of all that are open */
	struct handle *polled_prev, *polled_next; /* of those with `poll` */
};

struct handle_set {
	pthread_mutex_t lock;
	struct handle *open, *polled; /* the latter: who has waited longest comes first */
	uint64_t polls;
	atomic_bool streams;       /* lines do: handle_notify is about to be called again */
	atomic_uint reading_ahead; /* how many */
};

void handle_set_init(struct handle_set *set);

/* Closes those that are left, too. */
void handle_set_fini(struct handle_set *set);

/* An empty one: NULL where out of memory. */
struct handle *handle_new(struct handle_set *set);

/* With its file or folder. */
void handle_free(struct handle_set *set, struct handle *handle);

/* Its file is there; `grows`: one of lines to come, which may be followed. */
void handle_opened(struct handle_set *set, struct handle *handle, bool grows);

/* The `ino` of all that have one; no more than `most`. */
size_t handle_inos(struct handle_set *set, uint64_t *inos, size_t most);

/* All before `end` was read, and whether that was all there is. */
void handle_served(struct handle_set *set, struct handle *handle, uint64_t end, bool ended);

/* The open files; of them those that grow and were read to their end: by who follows them. */
void handle_count(struct handle_set *set, size_t *files, size_t *followers);

/* Remembers who polls it (NULL: nobody new); taken over. Returns what was served: to be compared with
 * the length after that, so that what comes in between wakes. UINT64_MAX: he has what there was when he was
 * told last, and is told again soon. */
uint64_t handle_poll(struct handle_set *set, struct handle *handle, struct fuse_pollhandle *poll);

/* Whether lines stream. */
bool handle_streams(struct handle_set *set);

/* Wakes all who poll by now; the kernel asks again whether it was theirs. From a thread that serves no request.
 * spread_ms: one after the other in so much time; then it calls this again in some milliseconds, whatever happens. */
void handle_notify(struct handle_set *set, int spread_ms);

#endif
