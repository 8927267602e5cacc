/* The calls that change files, in place of libc's. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "record.h"

/* ---- opening ------------------------------------------------------------ */

/* What is not recorded goes to who is next, so that the thread sanitizer sees which thread hears of another by it. */
static int next_open(int dirfd, const char *name, int flags, mode_t mode)
{
	static int (*next)(const char *, int, ...);

	if (dirfd != AT_FDCWD)
		return (int)syscall(SYS_openat, dirfd, name, flags, mode);
	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "open");
	return next(name, flags, mode);
}

static int open_at(int dirfd, const char *name, int flags, mode_t mode)
{
	char path[PATH_MAX];
	struct stat st;
	int saved = errno;

	if (!(flags & (O_CREAT | O_TRUNC)) || (flags & O_TMPFILE) == O_TMPFILE || !record_find_name(dirfd, name, path))
		return next_open(dirfd, name, flags, mode);
	record_lock();
	bool exists = fstatat(dirfd, name, &st, 0) == 0, changes = exists ? (flags & O_TRUNC) && st.st_size > 0 : true;
	errno = saved;
	bool fails = changes && record_arrive(exists ? "truncate" : "create", path, NULL);
	int fd = fails ? -1 : (int)syscall(SYS_openat, dirfd, name, flags, mode);
	if (fd >= 0 && changes)
		record_put(exists ? TRACE_TRUNCATE : TRACE_CREATE, path, "", record_ino_of(fd), 0, NULL, 0);
	record_unlock();
	return fd;
}

static mode_t mode_of(int flags, va_list args)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

int openat(int dirfd, const char *name, int flags, ...)
{
	va_list args;

	va_start(args, flags);
	mode_t mode = mode_of(flags, args);
	va_end(args);
	return open_at(dirfd, name, flags, mode);
}
int openat64(int dirfd, const char *name, int flags, ...) __attribute__((alias("openat")));

int open(const char *name, int flags, ...)
{
	va_list args;

	va_start(args, flags);
	mode_t mode = mode_of(flags, args);
	va_end(args);
	return open_at(AT_FDCWD, name, flags, mode);
}
int open64(const char *name, int flags, ...) __attribute__((alias("open")));

int creat(const char *name, mode_t mode)
{
	return open_at(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, mode);
}
int creat64(const char *name, mode_t mode) __attribute__((alias("creat")));

/* ---- writing ------------------------------------------------------------ */

static ssize_t next_write(int fd, const void *data, size_t len)
{
	static ssize_t (*next)(int, const void *, size_t);

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "write");
	return next(fd, data, len);
}

static ssize_t next_writev(int fd, const struct iovec *parts, int count)
{
	static ssize_t (*next)(int, const struct iovec *, int);

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "writev");
	return next(fd, parts, count);
}

/* off < 0: where the descriptor stands. */
static ssize_t write_at(int fd, const void *data, size_t len, off_t off)
{
	char path[PATH_MAX];
	bool here = off < 0, within = false;
	struct stat st;

	if (!record_find_fd(fd, path))
		return here ? next_write(fd, data, len) : syscall(SYS_pwrite64, fd, data, len, off);
	record_lock();
	if (record_arrive("write", path, &within)) {
		record_unlock();
		return -1;
	}
	if (within)
		len /= 2;
	if (here)
		off = fcntl(fd, F_GETFL) & O_APPEND ? (fstat(fd, &st), st.st_size) : lseek(fd, 0, SEEK_CUR);
	ssize_t n = here ? syscall(SYS_write, fd, data, len) : syscall(SYS_pwrite64, fd, data, len, off);
	if (n > 0)
		record_put(TRACE_WRITE, path, "", record_ino_of(fd), (uint64_t)off, data, (size_t)n);
	if (within)
		record_stop_here();
	record_unlock();
	return n;
}

ssize_t write(int fd, const void *data, size_t len)
{
	return write_at(fd, data, len, -1);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t off)
{
	return write_at(fd, data, len, off);
}
ssize_t pwrite64(int fd, const void *data, size_t len, off_t off) __attribute__((alias("pwrite")));

static ssize_t write_vector(int fd, const struct iovec *parts, int count, off_t off)
{
	char path[PATH_MAX], *data = NULL;
	size_t len = 0, at = 0;

	if (!record_find_fd(fd, path))
		return off < 0 ? next_writev(fd, parts, count) : syscall(SYS_pwritev, fd, parts, count, off, 0);
	for (int i = 0; i < count; i++)
		len += parts[i].iov_len;
	if (!(data = malloc(len + 1)))
		record_wrong("writev", "out of memory");
	for (int i = 0; i < count; at += parts[i++].iov_len)
		memcpy(data + at, parts[i].iov_base, parts[i].iov_len);
	ssize_t n = write_at(fd, data, len, off);
	free(data);
	return n;
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
	return write_vector(fd, parts, count, -1);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t off)
{
	return write_vector(fd, parts, count, off);
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off_t off) __attribute__((alias("pwritev")));

ssize_t copy_file_range(int from, off_t *from_off, int to, off_t *to_off, size_t len, unsigned flags)
{
	char path[PATH_MAX];

	if (record_find_fd(to, path))
		record_wrong("copy_file_range is not recorded yet", path);
	return syscall(SYS_copy_file_range, from, from_off, to, to_off, len, flags);
}

int ftruncate(int fd, off_t len)
{
	char path[PATH_MAX];

	if (!record_find_fd(fd, path))
		return (int)syscall(SYS_ftruncate, fd, len);
	record_lock();
	int r = record_arrive("truncate", path, NULL) ? -1 : (int)syscall(SYS_ftruncate, fd, len);
	if (r == 0)
		record_put(TRACE_TRUNCATE, path, "", record_ino_of(fd), (uint64_t)len, NULL, 0);
	record_unlock();
	return r;
}
int ftruncate64(int fd, off_t len) __attribute__((alias("ftruncate")));

int truncate(const char *name, off_t len)
{
	int fd = open_at(AT_FDCWD, name, O_WRONLY | O_CLOEXEC, 0), r = fd < 0 ? -1 : ftruncate(fd, len);

	if (fd >= 0)
		close(fd);
	return r;
}
int truncate64(const char *name, off_t len) __attribute__((alias("truncate")));

/* Reserved space alone is no change that a crash could show. */
int fallocate(int fd, int mode, off_t off, off_t len)
{
	char path[PATH_MAX];
	struct stat before, after;

	if (!record_find_fd(fd, path))
		return (int)syscall(SYS_fallocate, fd, mode, off, len);
	if (mode & ~FALLOC_FL_KEEP_SIZE)
		record_wrong("fallocate of this kind is not recorded yet", path);
	record_lock();
	fstat(fd, &before);
	int r = record_arrive("fallocate", path, NULL) ? -1 : (int)syscall(SYS_fallocate, fd, mode, off, len);
	if (r == 0 && fstat(fd, &after) == 0 && after.st_size != before.st_size)
		record_put(TRACE_TRUNCATE, path, "", after.st_ino, (uint64_t)after.st_size, NULL, 0);
	record_unlock();
	return r;
}
int fallocate64(int fd, int mode, off_t off, off_t len) __attribute__((alias("fallocate")));

int posix_fallocate(int fd, off_t off, off_t len)
{
	int saved = errno, r = fallocate(fd, 0, off, len) < 0 ? errno : 0;

	errno = saved;
	return r;
}
int posix_fallocate64(int fd, off_t off, off_t len) __attribute__((alias("posix_fallocate")));

/* ---- names -------------------------------------------------------------- */

int renameat2(int from_dirfd, const char *from, int to_dirfd, const char *to, unsigned flags)
{
	char path[PATH_MAX], to_path[PATH_MAX];
	bool out = !record_find_name(from_dirfd, from, path);
	struct stat st = {0};

	if (out != !record_find_name(to_dirfd, to, to_path) || (!out && flags & ~(unsigned)RENAME_NOREPLACE))
		record_wrong("this renaming is not recorded yet", from);
	if (out)
		return (int)syscall(SYS_renameat2, from_dirfd, from, to_dirfd, to, flags);
	record_lock();
	int saved = errno;
	fstatat(from_dirfd, from, &st, AT_SYMLINK_NOFOLLOW);
	errno = saved;
	int r = record_arrive("rename", path, NULL)
	            ? -1
	            : (int)syscall(SYS_renameat2, from_dirfd, from, to_dirfd, to, flags);
	if (r == 0)
		record_put(TRACE_RENAME, path, to_path, st.st_ino, 0, NULL, 0);
	record_unlock();
	return r;
}

int renameat(int from_dirfd, const char *from, int to_dirfd, const char *to)
{
	return renameat2(from_dirfd, from, to_dirfd, to, 0);
}

int rename(const char *from, const char *to)
{
	return renameat2(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int linkat(int from_dirfd, const char *from, int to_dirfd, const char *to, int flags)
{
	char path[PATH_MAX];

	if (record_find_name(to_dirfd, to, path))
		record_wrong("a hard link is not recorded yet", path);
	return (int)syscall(SYS_linkat, from_dirfd, from, to_dirfd, to, flags);
}

int link(const char *from, const char *to)
{
	return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlinkat(int dirfd, const char *name, int flags)
{
	char path[PATH_MAX];

	if (!record_find_name(dirfd, name, path))
		return (int)syscall(SYS_unlinkat, dirfd, name, flags);
	record_lock();
	int r = record_arrive("unlink", path, NULL) ? -1 : (int)syscall(SYS_unlinkat, dirfd, name, flags);
	if (r == 0)
		record_put(flags & AT_REMOVEDIR ? TRACE_RMDIR : TRACE_UNLINK, path, "", 0, 0, NULL, 0);
	record_unlock();
	return r;
}

int unlink(const char *name)
{
	return unlinkat(AT_FDCWD, name, 0);
}

int rmdir(const char *name)
{
	return unlinkat(AT_FDCWD, name, AT_REMOVEDIR);
}

int remove(const char *name)
{
	struct stat st;

	return lstat(name, &st) < 0 ? -1 : unlinkat(AT_FDCWD, name, S_ISDIR(st.st_mode) ? AT_REMOVEDIR : 0);
}

int mkdirat(int dirfd, const char *name, mode_t mode)
{
	char path[PATH_MAX];
	struct stat st;

	if (!record_find_name(dirfd, name, path))
		return (int)syscall(SYS_mkdirat, dirfd, name, mode);
	record_lock();
	int r = record_arrive("mkdir", path, NULL) ? -1 : (int)syscall(SYS_mkdirat, dirfd, name, mode);
	if (r == 0 && fstatat(dirfd, name, &st, 0) == 0)
		record_put(TRACE_MKDIR, path, "", st.st_ino, 0, NULL, 0);
	record_unlock();
	return r;
}

int mkdir(const char *name, mode_t mode)
{
	return mkdirat(AT_FDCWD, name, mode);
}

/* ---- syncing and promising ---------------------------------------------- */

static int sync_fd(int fd, const char *call, long number)
{
	char path[PATH_MAX];
	struct stat st = {0};

	if (!record_find_fd(fd, path))
		return (int)syscall(number, fd);
	fstat(fd, &st);
	record_lock();
	bool fails = record_arrive(call, path, NULL);
	int saved = errno, r = -1;
	uint64_t covers = record_place();
	record_unlock();
	usleep(record_slow_us());
	if (!fails) {
		r = (int)syscall(number, fd);
		saved = errno;
	}
	enum trace_call done = S_ISDIR(st.st_mode) ? TRACE_SYNC_FOLDER : TRACE_SYNC;
	record_lock();
	record_put(r < 0 ? TRACE_SYNC_FAILED : done, path, "", st.st_ino, covers, NULL, 0);
	record_unlock();
	errno = saved;
	return r;
}

int fsync(int fd)
{
	return sync_fd(fd, "fsync", SYS_fsync);
}

int fdatasync(int fd)
{
	return sync_fd(fd, "fdatasync", SYS_fdatasync);
}

/* libpq's; here stands what a standby tells the server: 'r', and LSNs, of which the second is "flushed". */
int PQputCopyData(void *conn, const char *data, int len)
{
	static int (*next)(void *, const char *, int);
	uint64_t lsn = 0;

	if (!next)
		*(void **)&next = dlsym(RTLD_NEXT, "PQputCopyData");
	if (record_on() && len == 34 && *data == 'r') {
		for (int i = 9; i < 17; i++)
			lsn = lsn << 8 | (unsigned char)data[i];
		record_lock();
		record_arrive("confirm", "", NULL);
		record_put(TRACE_CONFIRM, "", "", 0, lsn, NULL, 0);
		record_unlock();
	}
	return next(conn, data, len);
}
