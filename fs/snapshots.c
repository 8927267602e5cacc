#include "snapshots.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <isa-l/crc64.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32c.h"
#include "name.h"

enum { PART_MAX = NAME_PATH_MAX + 16, PATH_LEN_MAX = POSITION_TEXT_MAX + PART_MAX + 16 };

const char *snapshots_file_name(char *file, const char *table)
{
	uint64_t sum = crc64_ecma_refl(0, (const unsigned char *)table, strlen(table));

	if (strlen(table) <= NAME_MAX)
		snprintf(file, NAME_MAX + 1, "%s", table);
	else
		snprintf(file, NAME_MAX + 1, "%.*s~%016" PRIx64, NAME_MAX - 17, table, sum);
	return file;
}

static const char *print_path(char *path, struct position position, const char *part)
{
	static const char tables[] = "tables/";
	bool table = strncmp(part, tables, sizeof tables - 1) == 0;
	char text[POSITION_TEXT_MAX], file[NAME_MAX + 1];

	snprintf(path, PATH_LEN_MAX, "snapshots/%s/%s%s", position_print(text, position), table ? tables : "",
	         table ? snapshots_file_name(file, part + sizeof tables - 1) : part);
	return path;
}

/* What cannot be the name of anything there is not there. */
static int failed(const char *path, struct err *err)
{
	if (errno == ENOTDIR || errno == ENAMETOOLONG)
		errno = ENOENT;
	return err_errno(err, "opening %s", path);
}

static int open_part(int store_dirfd, struct position position, const char *part, struct err *err)
{
	char path[PATH_LEN_MAX], shown[PATH_LEN_MAX], *at = path, *slash;
	int dirfd = store_dirfd, fd = -1;
	struct stat st;

	print_path(path, position, part);
	strcpy(shown, path);
	/* No step through a link; only the folder snapshots itself may be elsewhere. */
	while ((slash = strchr(at, '/'))) {
		*slash = 0;
		fd = openat(dirfd, at, O_PATH | O_DIRECTORY | O_CLOEXEC | (at == path ? 0 : O_NOFOLLOW));
		int saved = errno;
		if (dirfd != store_dirfd)
			close(dirfd);
		errno = saved;
		if (fd < 0)
			return failed(shown, err);
		dirfd = fd;
		at = slash + 1;
	}
	/* A pipe that somebody put there is not waited for. */
	fd = openat(dirfd, at, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int saved = errno;
	close(dirfd);
	errno = saved;
	if (fd < 0)
		return failed(shown, err);
	bool folder = strcmp(part, ".") == 0 || strcmp(part, "tables") == 0;
	if (fstat(fd, &st) == 0 && (folder ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode)))
		return fd;
	close(fd);
	return err_set(err, -EBADMSG, "%s is no %s", shown, folder ? "folder" : "file");
}

int snapshots_open(int store_dirfd, struct position position, const char *part, struct err *err)
{
	char path[PATH_LEN_MAX];

	if (faccessat(store_dirfd, print_path(path, position, "manifest"), F_OK, 0) < 0)
		return failed(path, err);
	return open_part(store_dirfd, position, part, err);
}

static int by_position(const void *a, const void *b)
{
	return position_cmp(*(const struct position *)a, *(const struct position *)b);
}

static int add_position(struct position **list, size_t *count, struct position position, struct err *err)
{
	enum { STEP = 16 };

	if (*count % STEP == 0) {
		struct position *more = realloc(*list, (*count + STEP) * sizeof **list);
		if (!more)
			return err_set(err, -ENOMEM, "out of memory for the list of snapshots");
		*list = more;
	}
	(*list)[(*count)++] = position;
	return 0;
}

/* Whether there is a snapshot of that position; or, where `closed`, one that cannot be looked into. */
static bool is_there(int store_dirfd, struct position position, bool closed)
{
	char path[PATH_LEN_MAX];
	int r = faccessat(store_dirfd, print_path(path, position, "manifest"), F_OK, AT_EACCESS);

	return closed ? r < 0 && errno == EACCES : r == 0;
}

static int list_some(int store_dirfd, bool closed, struct position **list, size_t *count, struct err *err)
{
	int fd = openat(store_dirfd, "snapshots", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	*list = NULL;
	*count = 0;
	if (!dir)
		return errno == ENOENT ? 0 : err_errno(err, "opening snapshots");
	while (r == 0 && (errno = 0, entry = readdir(dir))) {
		struct position position;
		if (position_parse(entry->d_name, strlen(entry->d_name), &position) &&
		    is_there(store_dirfd, position, closed))
			r = add_position(list, count, position, err);
	}
	if (r == 0 && errno)
		r = err_errno(err, "listing snapshots");
	closedir(dir);
	if (*count)
		qsort(*list, *count, sizeof **list, by_position);
	return r;
}

int snapshots_list(int store_dirfd, struct position **list, size_t *count, struct err *err)
{
	return list_some(store_dirfd, false, list, count, err);
}

int snapshots_list_closed(int store_dirfd, struct position **list, size_t *count, struct err *err)
{
	return list_some(store_dirfd, true, list, count, err);
}

int snapshots_text(int store_dirfd, struct position position, char **text, size_t *len, struct manifest *manifest,
                   struct err *err)
{
	char name[POSITION_TEXT_MAX];
	struct stat st;
	int fd = open_part(store_dirfd, position, "manifest", err);
	int r = 0;

	*manifest = (struct manifest){0};
	*text = NULL;
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0 || !(*text = malloc((size_t)st.st_size + 1)) ||
	    read(fd, *text, (size_t)st.st_size) != st.st_size)
		r = err_set(err, -EIO, "the manifest of the snapshot %s cannot be read",
		            position_print(name, position));
	else if ((r = manifest_parse(manifest, *text, (size_t)st.st_size, err)) < 0)
		err_prefix(err, r, "the manifest of the snapshot %s", position_print(name, position));
	*len = (size_t)st.st_size;
	close(fd);
	if (r < 0) {
		free(*text);
		*text = NULL;
	}
	return r;
}

int snapshots_manifest(int store_dirfd, struct position position, struct manifest *manifest, struct err *err)
{
	char *text;
	size_t len;
	int r = snapshots_text(store_dirfd, position, &text, &len, manifest, err);

	free(text);
	return r;
}

int snapshots_newest(int store_dirfd, uint64_t generation, struct position *newest, struct err *err)
{
	struct position *list;
	size_t count;
	int r = snapshots_list(store_dirfd, &list, &count, err);
	bool found = false;

	while (r == 0 && !found && count-- > 0) {
		struct manifest manifest;
		found = snapshots_manifest(store_dirfd, list[count], &manifest, NULL) == 0 && !manifest.tables &&
		        manifest.origin.generation == generation;
		manifest_fini(&manifest);
	}
	if (found)
		*newest = list[count];
	free(list);
	return r < 0 ? r : found;
}

int snapshots_tables(int store_dirfd, struct position position, int (*each)(const char *name, void *ctx), void *ctx,
                     struct err *err)
{
	struct manifest manifest;
	int r = snapshots_manifest(store_dirfd, position, &manifest, err);

	for (size_t i = 0; r == 0 && i < manifest.count; i++)
		r = each(manifest.list[i].name, ctx);
	manifest_fini(&manifest);
	return r;
}

/* ---- checking ----------------------------------------------------------- */

static int verify_part(int store_dirfd, struct position position, const char *part, uint64_t bytes, uint32_t crc,
                       struct err *err)
{
	char buf[64 << 10], name[POSITION_TEXT_MAX];
	uint64_t len = 0;
	uint32_t sum = 0;
	ssize_t n;
	int fd = open_part(store_dirfd, position, part, err);

	if (fd < 0)
		return fd;
	while ((n = read(fd, buf, sizeof buf)) > 0) {
		sum = crc32c(sum, buf, (size_t)n);
		len += (uint64_t)n;
	}
	int r = n < 0 ? err_errno(err, "reading snapshots/%s/%s", position_print(name, position), part) : 0;
	close(fd);
	if (r == 0 && (len != bytes || sum != crc))
		r = err_set(err, -EBADMSG, "snapshots/%s/%s is damaged: it is not what the snapshot's manifest says",
		            position_print(name, position), part);
	return r;
}

int snapshots_verify(int store_dirfd, struct position position, uint64_t *bytes, struct err *err)
{
	struct manifest manifest;
	int r = snapshots_manifest(store_dirfd, position, &manifest, err);

	for (size_t i = 0; r == 0 && i < manifest.count; i++) {
		const struct manifest_table *table = &manifest.list[i];
		char part[PART_MAX];
		snprintf(part, sizeof part, "tables/%s", table->name);
		r = verify_part(store_dirfd, position, part, table->bytes, table->crc, err);
		*bytes += table->bytes;
	}
	if (r == 0)
		r = verify_part(store_dirfd, position, "overlap", manifest.overlap_bytes, manifest.overlap_crc, err);
	*bytes += manifest.overlap_bytes;
	if (r == 0 && manifest.sums_bytes)
		r = verify_part(store_dirfd, position, "sums", manifest.sums_bytes, manifest.sums_crc, err);
	*bytes += manifest.sums_bytes;
	manifest_fini(&manifest);
	return r;
}

/* ---- removing ----------------------------------------------------------- */

/* Removes a folder and what is in it. */
static int remove_folder(int dirfd, const char *name)
{
	int fd = openat(dirfd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int r = 0;

	if (!dir)
		return -errno;
	while (r == 0 && (errno = 0, entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (unlinkat(fd, entry->d_name, 0) < 0)
			r = errno == EISDIR ? remove_folder(fd, entry->d_name) : -errno;
	}
	if (r == 0 && errno)
		r = -errno;
	closedir(dir);
	return r < 0 ? r : unlinkat(dirfd, name, AT_REMOVEDIR) < 0 ? -errno : 0;
}

int snapshots_remove(int store_dirfd, struct position position, struct err *err)
{
	static const char trash[] = "removed"; /* one at a time; no position, so no snapshot */
	char name[POSITION_TEXT_MAX];
	int fd = openat(store_dirfd, "snapshots", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = fd < 0 ? -errno : remove_folder(fd, trash);

	position_print(name, position);
	if (r == -ENOENT && fd >= 0)
		r = 0;
	/* It has lost its name before it loses its files, after a crash as well. */
	if (r == 0 && (renameat(fd, name, fd, trash) < 0 || fsync(fd) < 0))
		r = -errno;
	if (r == 0 && (r = remove_folder(fd, trash)) == 0 && fsync(fd) < 0)
		r = -errno;
	if (fd >= 0)
		close(fd);
	return r < 0 ? err_set(err, r, "removing the snapshot %s: %s", name, strerror(-r)) : 0;
}

/* ---- making ------------------------------------------------------------- */

static const char draft_name[] = "taking"; /* no position, so no snapshot */

static int open_draft(struct snapshots_draft *draft, int store_dirfd, struct err *err)
{
	if (mkdirat(store_dirfd, "snapshots", 0700) < 0 && errno != EEXIST)
		return err_errno(err, "creating the folder snapshots of the store");
	/* Also where it was there: who made it may have been killed before this. */
	if (fsync(store_dirfd) < 0)
		return err_errno(err, "syncing the store's folder");
	draft->dirfd = openat(store_dirfd, "snapshots", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (draft->dirfd < 0)
		return err_errno(err, "opening the folder snapshots of the store");
	if (flock(draft->dirfd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? err_set(err, -EBUSY, "another snapshot of this store is being taken")
		                            : err_errno(err, "locking the folder snapshots of the store");
	int r = remove_folder(draft->dirfd, draft_name);
	if (r < 0 && r != -ENOENT)
		return err_set(err, r, "removing what an interrupted snapshot left: %s", strerror(-r));
	if (mkdirat(draft->dirfd, draft_name, 0700) < 0 ||
	    (draft->fd = openat(draft->dirfd, draft_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0 ||
	    mkdirat(draft->fd, "tables", 0700) < 0 ||
	    (draft->tables = openat(draft->fd, "tables", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
		return err_errno(err, "creating the folder of a snapshot");
	return 0;
}

int snapshots_begin(int store_dirfd, struct snapshots_draft *draft, struct err *err)
{
	*draft = (struct snapshots_draft){-1, -1, -1};
	int r = open_draft(draft, store_dirfd, err);
	/* Another one's draft is not ours to remove. */
	if (r == -EBUSY) {
		close(draft->dirfd);
		draft->dirfd = -1;
	}
	if (r < 0)
		snapshots_end(draft);
	return r;
}

int snapshots_finish(struct snapshots_draft *draft, struct position position, struct err *err)
{
	char name[POSITION_TEXT_MAX];

	if (fsync(draft->tables) < 0 || fsync(draft->fd) < 0 ||
	    renameat(draft->dirfd, draft_name, draft->dirfd, position_print(name, position)) < 0 ||
	    fsync(draft->dirfd) < 0)
		return err_errno(err, "giving the snapshot its name");
	return 0;
}

void snapshots_end(struct snapshots_draft *draft)
{
	if (draft->tables >= 0)
		close(draft->tables);
	if (draft->fd >= 0)
		close(draft->fd);
	if (draft->dirfd >= 0) {
		remove_folder(draft->dirfd, draft_name);
		close(draft->dirfd);
	}
	*draft = (struct snapshots_draft){-1, -1, -1};
}
