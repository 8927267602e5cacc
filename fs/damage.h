/*
 * damage.h - which files were found damaged while they were read: each is told once, however often it
 * is read, and stays in /status until it was found sound again (mended.h).
 *
 * Who returns -EBADMSG for bytes of the store has noted it here. Threads: any.
 */
#ifndef FS_DAMAGE_H
#define FS_DAMAGE_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

struct damage {
	pthread_mutex_t lock;
	void (*tell)(const char *sentence); /* NULL, or set before there are readers */
	struct damaged *files;              /* by name */
	size_t count;
	char last[1024]; /* the sentence on the last that was found, and is not mended */
};

void damage_init(struct damage *damage);
void damage_fini(struct damage *damage);

/* `file` is named as below the store; `err` says the rest. */
void damage_note(struct damage *damage, const char *file, const struct err *err);

/* The name, to be freed, of one that is to be looked at again: its file has changed since it was, or some minutes are
 * over. It counts as looked at now. NULL: there is none. */
char *damage_due(struct damage *damage, int store_dirfd);

/* It is not sound, as a look that took so long has told. Where it changed meanwhile, the next one has to wait, so that a
 * large file which changes all the time is read for a small part of it; else a sound copy in its place is read at once. */
void damage_stays(struct damage *damage, const char *file, int store_dirfd, int64_t took_ms);

/* It is sound, or not there any more: where it is found damaged again, that is told again. */
void damage_over(struct damage *damage, const char *file);

/* How many there are. */
size_t damage_count(struct damage *damage);

/* The last one, and how many there are beside it; "" where all is well. Returns out. */
char *damage_print(struct damage *damage, char *out, size_t size);

#endif
