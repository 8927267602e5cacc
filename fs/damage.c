#include "damage.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

enum { FILES_MOST = 1000 }; /* then they are only counted */

struct damaged {
	char *name;
	UT_hash_handle hh;
};

void damage_init(struct damage *damage)
{
	*damage = (struct damage){0};
	pthread_mutex_init(&damage->lock, NULL);
}

void damage_fini(struct damage *damage)
{
	struct damaged *file, *next;

	HASH_ITER(hh, damage->files, file, next)
	{
		HASH_DEL(damage->files, file);
		free(file->name);
		free(file);
	}
	pthread_mutex_destroy(&damage->lock);
}

static void remember(struct damage *damage, const char *name)
{
	struct damaged *file = HASH_COUNT(damage->files) < FILES_MOST ? calloc(1, sizeof *file) : NULL;

	if (file && (file->name = strdup(name)))
		HASH_ADD_KEYPTR(hh, damage->files, file->name, strlen(file->name), file);
	else
		free(file);
}

void damage_note(struct damage *damage, const char *name, const struct err *err)
{
	static const char remedy[] = "restore the file from a copy (`daystream check` says what else is damaged)";
	char sentence[sizeof damage->last];
	struct damaged *known;

	snprintf(sentence, sizeof sentence, "%s is damaged: %.700s; %s", name, err->text, remedy);
	pthread_mutex_lock(&damage->lock);
	HASH_FIND_STR(damage->files, name, known);
	if (!known) {
		remember(damage, name);
		damage->count++;
		snprintf(damage->last, sizeof damage->last, "%s", sentence);
	}
	pthread_mutex_unlock(&damage->lock);
	if (!known && damage->tell)
		damage->tell(sentence);
}

size_t damage_count(struct damage *damage)
{
	pthread_mutex_lock(&damage->lock);
	size_t count = damage->count;
	pthread_mutex_unlock(&damage->lock);
	return count;
}

char *damage_print(struct damage *damage, char *out, size_t size)
{
	char others[64] = "";

	pthread_mutex_lock(&damage->lock);
	if (damage->count > 1)
		snprintf(others, sizeof others, " (and %zu other files)", damage->count - 1);
	snprintf(out, size, "%.900s%s", damage->last, others);
	pthread_mutex_unlock(&damage->lock);
	return out;
}
