#include "part.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "name.h"
#include "sums.h"

enum { NAME_LEN = NAME_PATH_MAX + POSITION_TEXT_MAX + 32 };

struct part {
	int fd;
	uint64_t len;
	bool summed;
	struct sums sums;
	struct damage *damage;
	char name[NAME_LEN]; /* below the store */
};

static int damaged(struct damage *damage, const char *name, const struct err *why, struct err *err)
{
	damage_note(damage, name, why);
	return err_set(err, -EBADMSG, "%s: %s", name, why->text);
}

/* One that was taken before there were sums does not tell of them. */
static int check_old(int store_dirfd, struct position position, struct damage *damage, struct err *err)
{
	char text[POSITION_TEXT_MAX], name[NAME_LEN];
	struct manifest manifest;
	struct err why;
	int r = snapshots_manifest(store_dirfd, position, &manifest, &why);

	snprintf(name, sizeof name, "snapshots/%s/%s", position_print(text, position), r < 0 ? "manifest" : "sums");
	if (r == 0 && manifest.sums_bytes)
		r = err_set(&why, -EBADMSG, "it is missing");
	manifest_fini(&manifest);
	if (r == -EBADMSG)
		return damaged(damage, name, &why, err);
	return r < 0 ? err_set(err, r, "%s", why.text) : 0;
}

static int open_sums(struct part *part, int store_dirfd, struct position position, const char *name, struct err *err)
{
	char text[POSITION_TEXT_MAX], file[NAME_LEN];
	struct err why;
	int fd = snapshots_open(store_dirfd, position, "sums", &why), r;

	if (fd == -ENOENT)
		return check_old(store_dirfd, position, part->damage, err);
	snprintf(file, sizeof file, "snapshots/%s/sums", position_print(text, position));
	r = fd < 0 ? fd : sums_open(&part->sums, fd, position, name, &why);
	if (fd >= 0)
		close(fd);
	part->summed = r == 0;
	if (r == -EBADMSG || r == -ENOENT || r == -EINVAL || r == -EIO)
		return damaged(part->damage, file, &why, err);
	return r < 0 ? err_set(err, r, "%s: %s", file, why.text) : 0;
}

int part_open(struct part **out, int store_dirfd, struct position position, const char *name, struct damage *damage,
              struct err *err)
{
	struct part *part = calloc(1, sizeof *part);
	char text[POSITION_TEXT_MAX];
	struct stat st;
	struct err why;

	*out = NULL;
	if (!part)
		return err_set(err, -ENOMEM, "out of memory");
	part->damage = damage;
	snprintf(part->name, sizeof part->name, "snapshots/%s/%s", position_print(text, position), name);
	int r = part->fd = snapshots_open(store_dirfd, position, name, err);
	if (r >= 0)
		r = fstat(part->fd, &st) < 0 ? err_errno(err, "looking at %s", part->name) : 0;
	if (r == 0) {
		part->len = (uint64_t)st.st_size;
		r = open_sums(part, store_dirfd, position, name, err);
	}
	if (r == 0 && part->summed && part->len != part->sums.len) {
		err_set(&why, -EBADMSG, "it has %llu bytes, and had %llu", (unsigned long long)part->len,
		        (unsigned long long)part->sums.len);
		r = damaged(damage, part->name, &why, err);
	}
	if (r < 0) {
		part_close(part);
		return r;
	}
	*out = part;
	return 0;
}

void part_close(struct part *part)
{
	sums_close(&part->sums);
	if (part->fd >= 0)
		close(part->fd);
	free(part);
}

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
		return damaged(part->damage, part->name, &why, err);
	return n < 0 ? err_set(err, (int)n, "%s: %s", part->name, why.text) : n;
}
