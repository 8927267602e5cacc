/*
 * damage.h - which files were found damaged while they were read: each is told once, however often it
 * is read, and stays in /status.
 *
 * Who returns -EBADMSG for bytes of the store has noted it here. Threads: any.
 */
#ifndef FS_DAMAGE_H
#define FS_DAMAGE_H

#include <pthread.h>
#include <stddef.h>

#include "err.h"

struct damage {
	pthread_mutex_t lock;
	void (*tell)(const char *sentence); /* NULL, or set before there are readers */
	struct damaged *files;              /* by name */
	size_t count;
	char last[1024]; /* the sentence on the last that was found */
};

void damage_init(struct damage *damage);
void damage_fini(struct damage *damage);

/* `file` is named as below the store; `err` says the rest. */
void damage_note(struct damage *damage, const char *file, const struct err *err);

/* How many there are. */
size_t damage_count(struct damage *damage);

/* The last one, and how many there are beside it; "" where all is well. Returns out. */
char *damage_print(struct damage *damage, char *out, size_t size);

#endif
