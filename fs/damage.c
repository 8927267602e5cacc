#include "damage.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "clock.h"

enum { FILES_MOST = 1000 }; /* then they are only counted */
enum { AGAIN_MS = 600000 }; /* what a disk could not read, it may */
enum { REST = 20 };         /* so many times as long as a look was in which it changed, none follows */

/* What tells that a file was written, or another one put in its place. */
struct sight {
	ino_t ino;
	off_t size;
	struct timespec written, changed;
};

struct damaged {
	char *name, *sentence;
	struct sight seen; /* when it was looked at last */
	int64_t looked_ms; /* 0: not yet */
	int64_t rests_ms;  /* until then */
	UT_hash_handle hh;
};

void damage_init(struct damage *damage)
{
	*damage = (struct damage){0};
	pthread_mutex_init(&damage->lock, NULL);
}

static void free_file(struct damaged *file)
{
	if (!file)
		return;
	free(file->name);
	free(file->sentence);
	free(file);
}

static void drop(struct damage *damage, struct damaged *file)
{
	HASH_DEL(damage->files, file);
	free_file(file);
}

void damage_fini(struct damage *damage)
{
	struct damaged *file, *next;

	HASH_ITER(hh, damage->files, file, next) drop(damage, file);
	pthread_mutex_destroy(&damage->lock);
}

static void remember(struct damage *damage, const char *name, const char *sentence)
{
	struct damaged *file = HASH_COUNT(damage->files) < FILES_MOST ? calloc(1, sizeof *file) : NULL;

	if (file && (file->name = strdup(name)) && (file->sentence = strdup(sentence)))
		HASH_ADD_KEYPTR(hh, damage->files, file->name, strlen(file->name), file);
	else
		free_file(file);
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
		remember(damage, name, sentence);
		damage->count++;
		snprintf(damage->last, sizeof damage->last, "%s", sentence);
	}
	pthread_mutex_unlock(&damage->lock);
	if (!known && damage->tell)
		damage->tell(sentence);
}

/* As it was when it was looked at last; else *sight is what it is now. */
static bool is_as_seen(const struct damaged *file, int store_dirfd, struct sight *sight)
{
	struct stat st;

	memset(sight, 0, sizeof *sight); /* compared with its padding */
	if (fstatat(store_dirfd, file->name, &st, 0) == 0) {
		sight->ino = st.st_ino;
		sight->size = st.st_size;
		sight->written = st.st_mtim;
		sight->changed = st.st_ctim;
	}
	return memcmp(sight, &file->seen, sizeof *sight) == 0;
}

static bool is_due(struct damaged *file, int store_dirfd)
{
	int64_t now = clock_ms();
	struct sight sight;

	if (now < file->rests_ms)
		return false;
	if (is_as_seen(file, store_dirfd, &sight) && file->looked_ms && now - file->looked_ms < AGAIN_MS)
		return false;
	file->seen = sight;
	file->looked_ms = now;
	return true;
}

char *damage_due(struct damage *damage, int store_dirfd)
{
	struct damaged *file, *next;
	char *name = NULL;

	pthread_mutex_lock(&damage->lock);
	HASH_ITER(hh, damage->files, file, next)
	{
		if (is_due(file, store_dirfd) && (name = strdup(file->name)))
			break;
	}
	pthread_mutex_unlock(&damage->lock);
	return name;
}

void damage_stays(struct damage *damage, const char *name, int store_dirfd, int64_t took_ms)
{
	struct damaged *file;
	struct sight sight;

	pthread_mutex_lock(&damage->lock);
	HASH_FIND_STR(damage->files, name, file);
	if (file && !is_as_seen(file, store_dirfd, &sight))
		file->rests_ms = clock_ms() + REST * took_ms;
	pthread_mutex_unlock(&damage->lock);
}

void damage_over(struct damage *damage, const char *name)
{
	struct damaged *file, *next, *last = NULL;

	pthread_mutex_lock(&damage->lock);
	HASH_FIND_STR(damage->files, name, file);
	if (file) {
		drop(damage, file);
		damage->count--;
	}
	HASH_ITER(hh, damage->files, file, next) last = file; /* in the order in which they were found */
	if (!last)
		damage->count = 0; /* with those that were only counted */
	snprintf(damage->last, sizeof damage->last, "%s", last ? last->sentence : "");
	pthread_mutex_unlock(&damage->lock);
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
