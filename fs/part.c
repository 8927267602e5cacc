#include "part.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hash.h"
#include "name.h"
#include "sums.h"

enum { NAME_LEN = NAME_PATH_MAX + POSITION_TEXT_MAX + 32 };

struct id {
	dev_t dev;
	ino_t ino;
};

struct part {
	struct part_set *set;
	int fd; /* shared: to be read by place */
	uint64_t len;
	bool summed;
	struct sums sums;
	char name[NAME_LEN]; /* below the store */
	struct id id;
	size_t users;
	UT_hash_handle hh;
};

struct part_set {
	int store_dirfd;
	struct damage *damage;
	pthread_mutex_t lock; /* the rest, and all `users` */
	struct part *open;
	size_t most;
};

struct part_set *part_set_new(int store_dirfd, struct damage *damage)
{
	struct part_set *set = calloc(1, sizeof *set);
	struct rlimit limit;

	if (!set)
		return NULL;
	set->store_dirfd = store_dirfd;
	set->damage = damage;
	pthread_mutex_init(&set->lock, NULL);
	set->most = getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur / 4 : 256;
	return set;
}

static void free_part(struct part *part)
{
	sums_close(&part->sums);
	if (part->fd >= 0)
		close(part->fd);
	free(part);
}

void part_set_free(struct part_set *set)
{
	struct part *part, *next;

	if (!set)
		return;
	HASH_ITER(hh, set->open, part, next)
	{
		HASH_DEL(set->open, part);
		free_part(part);
	}
	pthread_mutex_destroy(&set->lock);
	free(set);
}

/* ---- opening ------------------------------------------------------------ */

static int damaged(struct damage *damage, const char *name, const struct err *why, struct err *err)
{
	damage_note(damage, name, why);
	return err_set(err, -EBADMSG, "%s: %s", name, why->text);
}

/* One that was taken before there were sums does not tell of them. */
static int check_old(const struct part_set *set, struct position position, struct err *err)
{
	char text[POSITION_TEXT_MAX], name[NAME_LEN];
	struct manifest manifest;
	struct err why;
	int r = snapshots_manifest(set->store_dirfd, position, &manifest, &why);

	snprintf(name, sizeof name, "snapshots/%s/%s", position_print(text, position), r < 0 ? "manifest" : "sums");
	if (r == 0 && manifest.sums_bytes)
		r = err_set(&why, -EBADMSG, "it is missing");
	manifest_fini(&manifest);
	if (r == -EBADMSG)
		return damaged(set->damage, name, &why, err);
	return r < 0 ? err_set(err, r, "%s", why.text) : 0;
}

static int open_sums(struct part *part, struct position position, const char *name, struct err *err)
{
	const struct part_set *set = part->set;
	char text[POSITION_TEXT_MAX], file[NAME_LEN];
	struct err why;
	int fd = snapshots_open(set->store_dirfd, position, "sums", &why), r;

	if (fd == -ENOENT)
		return check_old(set, position, err);
	snprintf(file, sizeof file, "snapshots/%s/sums", position_print(text, position));
	r = fd < 0 ? fd : sums_open(&part->sums, fd, position, name, &why);
	if (fd >= 0)
		close(fd);
	part->summed = r == 0;
	if (r == -EBADMSG || r == -ENOENT || r == -EINVAL || r == -EIO)
		return damaged(set->damage, file, &why, err);
	return r < 0 ? err_set(err, r, "%s: %s", file, why.text) : 0;
}

/* Opens the file, and says which one it is. */
static int open_file(struct part *part, struct position position, const char *name, struct err *err)
{
	char text[POSITION_TEXT_MAX];
	struct stat st;

	snprintf(part->name, sizeof part->name, "snapshots/%s/%s", position_print(text, position), name);
	if ((part->fd = snapshots_open(part->set->store_dirfd, position, name, err)) < 0)
		return part->fd;
	if (fstat(part->fd, &st) < 0)
		return err_errno(err, "looking at %s", part->name);
	part->len = (uint64_t)st.st_size;
	part->id.dev = st.st_dev;
	part->id.ino = st.st_ino;
	return 0;
}

/* Its sums, which tell its length as well. */
static int read_sums(struct part *part, struct position position, const char *name, struct err *err)
{
	struct err why;
	int r = open_sums(part, position, name, err);

	if (r < 0 || !part->summed || part->len == part->sums.len)
		return r;
	err_set(&why, -EBADMSG, "it has %llu bytes, and had %llu", (unsigned long long)part->len,
	        (unsigned long long)part->sums.len);
	return damaged(part->set->damage, part->name, &why, err);
}

/* The one that is open already; else `part`, where it may be one more. */
static int share(struct part *part, bool ready, struct part **out, struct err *err)
{
	struct part_set *set = part->set;
	int r = 0;

	pthread_mutex_lock(&set->lock);
	HASH_FIND(hh, set->open, &part->id, sizeof part->id, *out);
	if (!*out && HASH_COUNT(set->open) >= set->most) {
		r = err_set(err, -ENFILE, "%zu files of snapshots are open, and no more may be (`ulimit -Hn`)",
		            set->most);
	} else if (!*out && ready) {
		*out = part;
		HASH_ADD(hh, set->open, id, sizeof part->id, part);
	}
	if (*out)
		(*out)->users++;
	pthread_mutex_unlock(&set->lock);
	return r;
}

int part_open(struct part **out, struct part_set *set, struct position position, const char *name, struct err *err)
{
	struct part *part = calloc(1, sizeof *part); /* also the padding of `id` */

	*out = NULL;
	if (!part)
		return err_set(err, -ENOMEM, "out of memory");
	part->set = set;
	int r = open_file(part, position, name, err);
	if (r == 0)
		r = share(part, false, out, err);
	if (r == 0 && !*out && (r = read_sums(part, position, name, err)) == 0)
		r = share(part, true, out, err);
	if (*out != part)
		free_part(part);
	return r;
}

void part_close(struct part *part)
{
	struct part_set *set = part->set;

	pthread_mutex_lock(&set->lock);
	bool last = --part->users == 0;
	if (last)
		HASH_DEL(set->open, part);
	pthread_mutex_unlock(&set->lock);
	if (last)
		free_part(part);
}

/* ---- reading ------------------------------------------------------------ */

uint64_t part_len(const struct part *part)
{
	return part->len;
}

static long read_plain(const struct part *part, uint64_t off, char *buf, size_t len, struct err *err)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = pread(part->fd, buf + got, len - got, (off_t)(off + got));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno(err, "reading at %llu", (unsigned long long)(off + got));
		if (n == 0)
			break;
		got += (size_t)n;
	}
	return (long)got;
}

long part_read(struct part *part, uint64_t off, char *buf, size_t len, struct err *err)
{
	const struct chunks_file file = {part->fd, sums_of, &part->sums};
	struct err why;
	long n = part->summed ? chunks_read(&file, off, buf, len, &why) : read_plain(part, off, buf, len, &why);

	if (n == -EIO || n == -EBADMSG)
		return damaged(part->set->damage, part->name, &why, err);
	return n < 0 ? err_set(err, (int)n, "%s: %s", part->name, why.text) : n;
}
