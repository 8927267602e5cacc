/*
 * record.c - the recorder of trace.h, a library for LD_PRELOAD.
 *
 * The calls below stand before libc's and make the system calls themselves. A call that changes state is made
 * under a lock that all processes of the trace share, with its record: so the trace has the order of the effects.
 * A sync alone is made outside of it, since others go on meanwhile: its record says which part of the trace it is sure
 * to cover. What changes files without these calls (stdio, mmap) would not be seen, so the programs do not do so.
 *
 * A process is to be killed by RECORD_STOP, between two calls: a kill from outside may come between a
 * call and its record.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "trace.h"

static struct {
	char root[PATH_MAX];
	size_t root_len; /* 0: nothing is recorded */
	int trace_fd;
	pid_t pid; /* whose start is in the trace */
	long calls, stop;
	bool stop_within;
	char fail_call[16], fail_ending[64];
	int fail_errno;
	long fail_from, fail_to, fail_count;
	useconds_t slow_us;
	pthread_mutex_t lock;
} rec = {.trace_fd = -1, .lock = PTHREAD_MUTEX_INITIALIZER};

/* ---- settings ----------------------------------------------------------- */

static void wrong(const char *what, const char *value)
{
	fprintf(stderr, "record.so: %s: %s\n", what, value);
	abort();
}

static int errno_of(const char *name)
{
	for (int number = 1; number < 200; number++) {
		const char *known = strerrorname_np(number);
		if (known && strcmp(known, name) == 0)
			return number;
	}
	wrong("RECORD_FAIL has an unknown error", name);
	return 0;
}

static void read_fail(const char *value)
{
	char from[24] = "", error[24] = "", count[24] = "1";

	if (sscanf(value, "%15[^:]:%23[^:]:%23[^:]:%23[^:]:%63s", rec.fail_call, from, error, count, rec.fail_ending) <
	    3)
		wrong("RECORD_FAIL is <call>:<n>:<errno>[:<count>[:<ending>]], not", value);
	rec.fail_from = atol(from);
	rec.fail_to = strcmp(count, "*") == 0 ? LONG_MAX : rec.fail_from + atol(count) - 1;
	rec.fail_errno = errno_of(error);
}

__attribute__((constructor)) static void read_settings(void)
{
	const char *root = getenv("RECORD_ROOT"), *trace = getenv("RECORD_TRACE"), *stop = getenv("RECORD_STOP"),
	           *fail = getenv("RECORD_FAIL"), *slow = getenv("RECORD_SLOW");

	if (!root)
		return;
	if (!realpath(root, rec.root))
		wrong("RECORD_ROOT is no folder", root);
	if (trace && (rec.trace_fd = open(trace, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0)
		wrong("RECORD_TRACE cannot be opened", trace);
	rec.stop = stop ? atol(stop) : 0;
	rec.stop_within = stop && strchr(stop, '+');
	rec.slow_us = slow ? (useconds_t)atol(slow) : 0;
	if (fail)
		read_fail(fail);
	rec.root_len = strlen(rec.root);
}

/* ---- which file --------------------------------------------------------- */

static bool below_root(const char *path, char *out)
{
	size_t len = strlen(path);

	if (len > 4 && strcmp(path + len - 4, "-shm") == 0)
		return false; /* trace.h */
	if (strncmp(path, rec.root, rec.root_len) != 0 || (path[rec.root_len] && path[rec.root_len] != '/'))
		return false;
	snprintf(out, PATH_MAX, "%.*s", PATH_MAX - 1, path[rec.root_len] ? path + rec.root_len + 1 : ".");
	return true;
}

static bool path_of_fd(int fd, char *path)
{
	char link[40];

	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	ssize_t n = readlink(link, path, PATH_MAX - 1);
	path[n > 0 ? n : 0] = 0;
	return n > 0;
}

/* The path of an open file below the root; "" of one that has no name any more. */
static bool find_fd(int fd, char *out)
{
	static const char deleted[] = " (deleted)";
	char path[PATH_MAX];
	int saved = errno;
	bool found = rec.root_len && path_of_fd(fd, path) && below_root(path, out);

	errno = saved;
	if (found && strlen(out) > sizeof deleted && strcmp(out + strlen(out) - sizeof deleted + 1, deleted) == 0)
		*out = 0;
	return found;
}

static bool find_name(int dirfd, const char *name, char *out)
{
	char folder[PATH_MAX] = "", full[2 * PATH_MAX], real[PATH_MAX];
	int saved = errno;
	bool found = false;

	if (!rec.root_len)
		return false;
	if (*name == '/' || (dirfd == AT_FDCWD ? getcwd(folder, sizeof folder) != NULL : path_of_fd(dirfd, folder))) {
		snprintf(full, sizeof full, "%s%s%s", *name == '/' ? "" : folder, *name == '/' ? "" : "/", name);
		char *last = strrchr(full, '/');
		*last++ = 0;
		if (realpath(*full ? full : "/", real)) {
			snprintf(full, sizeof full, "%s/%.*s", real, PATH_MAX - 1, last);
			found = below_root(full, out);
		}
	}
	errno = saved;
	return found;
}

/* ---- the trace ---------------------------------------------------------- */

static void lock(void)
{
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	pthread_mutex_lock(&rec.lock);
	while (rec.trace_fd >= 0 && fcntl(rec.trace_fd, F_SETLKW, &all) < 0)
		if (errno != EINTR)
			wrong("RECORD_TRACE cannot be locked", strerror(errno));
}

static void unlock(void)
{
	struct flock all = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

	if (rec.trace_fd >= 0)
		fcntl(rec.trace_fd, F_SETLK, &all);
	pthread_mutex_unlock(&rec.lock);
}

static void put(enum trace_call call, const char *path, const char *to, uint64_t ino, uint64_t off, const void *data,
                size_t len)
{
	struct trace_record record = {.call = call,
	                              .path_len = (uint32_t)strlen(path),
	                              .to_len = (uint32_t)strlen(to),
	                              .pid = (uint32_t)getpid(),
	                              .ino = ino,
	                              .off = off,
	                              .data_len = len};
	struct iovec parts[] = {{&record, sizeof record},
	                        {(void *)(uintptr_t)path, record.path_len},
	                        {(void *)(uintptr_t)to, record.to_len},
	                        {(void *)(uintptr_t)data, len}};
	size_t all = sizeof record + record.path_len + record.to_len + len;
	int saved = errno;

	if (rec.trace_fd < 0)
		return;
	if (rec.pid != getpid()) {
		rec.pid = getpid();
		put(TRACE_START, "", "", 0, 0, NULL, 0);
	}
	if (syscall(SYS_writev, rec.trace_fd, parts, 4) != (long)all)
		wrong("RECORD_TRACE cannot be written", strerror(errno));
	errno = saved;
}

static void stop_here(void)
{
	for (;;)
		kill(getpid(), SIGKILL);
}

/* Before a call, under the lock: true where it is to fail. *within: it is to be made by half, and the last one. */
static bool arrive(const char *call, const char *path, bool *within)
{
	bool last = ++rec.calls == rec.stop;
	size_t len = strlen(path), ending = strlen(rec.fail_ending);

	if (within)
		*within = last && rec.stop_within;
	if (last && !(within && rec.stop_within))
		stop_here();
	if (strcmp(call, rec.fail_call) != 0 || len < ending || strcmp(path + len - ending, rec.fail_ending) != 0)
		return false;
	if (++rec.fail_count < rec.fail_from || rec.fail_count > rec.fail_to)
		return false;
	errno = rec.fail_errno;
	return true;
}

static uint64_t ino_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/* ---- opening ------------------------------------------------------------ */

static int open_at(int dirfd, const char *name, int flags, mode_t mode)
{
	char path[PATH_MAX];
	struct stat st;
	int saved = errno;

	if (!(flags & (O_CREAT | O_TRUNC)) || (flags & O_TMPFILE) == O_TMPFILE || !find_name(dirfd, name, path))
		return (int)syscall(SYS_openat, dirfd, name, flags, mode);
	lock();
	bool exists = fstatat(dirfd, name, &st, 0) == 0, changes = exists ? (flags & O_TRUNC) && st.st_size > 0 : true;
	errno = saved;
	bool fails = changes && arrive(exists ? "truncate" : "create", path, NULL);
	int fd = fails ? -1 : (int)syscall(SYS_openat, dirfd, name, flags, mode);
	if (fd >= 0 && changes)
		put(exists ? TRACE_TRUNCATE : TRACE_CREATE, path, "", ino_of(fd), 0, NULL, 0);
	unlock();
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

/* off < 0: where the descriptor stands. */
static ssize_t write_at(int fd, const void *data, size_t len, off_t off)
{
	char path[PATH_MAX];
	bool here = off < 0, within = false;
	struct stat st;

	if (!find_fd(fd, path))
		return here ? syscall(SYS_write, fd, data, len) : syscall(SYS_pwrite64, fd, data, len, off);
	lock();
	if (arrive("write", path, &within)) {
		unlock();
		return -1;
	}
	if (within)
		len /= 2;
	if (here)
		off = fcntl(fd, F_GETFL) & O_APPEND ? (fstat(fd, &st), st.st_size) : lseek(fd, 0, SEEK_CUR);
	ssize_t n = here ? syscall(SYS_write, fd, data, len) : syscall(SYS_pwrite64, fd, data, len, off);
	if (n > 0)
		put(TRACE_WRITE, path, "", ino_of(fd), (uint64_t)off, data, (size_t)n);
	if (within)
		stop_here();
	unlock();
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

	if (!find_fd(fd, path))
		return off < 0 ? syscall(SYS_writev, fd, parts, count) : syscall(SYS_pwritev, fd, parts, count, off, 0);
	for (int i = 0; i < count; i++)
		len += parts[i].iov_len;
	if (!(data = malloc(len + 1)))
		wrong("writev", "out of memory");
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

	if (find_fd(to, path))
		wrong("copy_file_range is not recorded yet", path);
	return syscall(SYS_copy_file_range, from, from_off, to, to_off, len, flags);
}

int ftruncate(int fd, off_t len)
{
	char path[PATH_MAX];

	if (!find_fd(fd, path))
		return (int)syscall(SYS_ftruncate, fd, len);
	lock();
	int r = arrive("truncate", path, NULL) ? -1 : (int)syscall(SYS_ftruncate, fd, len);
	if (r == 0)
		put(TRACE_TRUNCATE, path, "", ino_of(fd), (uint64_t)len, NULL, 0);
	unlock();
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

	if (!find_fd(fd, path))
		return (int)syscall(SYS_fallocate, fd, mode, off, len);
	if (mode & ~FALLOC_FL_KEEP_SIZE)
		wrong("fallocate of this kind is not recorded yet", path);
	lock();
	fstat(fd, &before);
	int r = arrive("fallocate", path, NULL) ? -1 : (int)syscall(SYS_fallocate, fd, mode, off, len);
	if (r == 0 && fstat(fd, &after) == 0 && after.st_size != before.st_size)
		put(TRACE_TRUNCATE, path, "", after.st_ino, (uint64_t)after.st_size, NULL, 0);
	unlock();
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
	bool out = !find_name(from_dirfd, from, path);
	struct stat st = {0};

	if (out != !find_name(to_dirfd, to, to_path) || (!out && flags & ~(unsigned)RENAME_NOREPLACE))
		wrong("this renaming is not recorded yet", from);
	if (out)
		return (int)syscall(SYS_renameat2, from_dirfd, from, to_dirfd, to, flags);
	lock();
	int saved = errno;
	fstatat(from_dirfd, from, &st, AT_SYMLINK_NOFOLLOW);
	errno = saved;
	int r = arrive("rename", path, NULL) ? -1 : (int)syscall(SYS_renameat2, from_dirfd, from, to_dirfd, to, flags);
	if (r == 0)
		put(TRACE_RENAME, path, to_path, st.st_ino, 0, NULL, 0);
	unlock();
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

	if (find_name(to_dirfd, to, path))
		wrong("a hard link is not recorded yet", path);
	return (int)syscall(SYS_linkat, from_dirfd, from, to_dirfd, to, flags);
}

int link(const char *from, const char *to)
{
	return linkat(AT_FDCWD, from, AT_FDCWD, to, 0);
}

int unlinkat(int dirfd, const char *name, int flags)
{
	char path[PATH_MAX];

	if (!find_name(dirfd, name, path))
		return (int)syscall(SYS_unlinkat, dirfd, name, flags);
	lock();
	int r = arrive("unlink", path, NULL) ? -1 : (int)syscall(SYS_unlinkat, dirfd, name, flags);
	if (r == 0)
		put(flags & AT_REMOVEDIR ? TRACE_RMDIR : TRACE_UNLINK, path, "", 0, 0, NULL, 0);
	unlock();
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

	if (!find_name(dirfd, name, path))
		return (int)syscall(SYS_mkdirat, dirfd, name, mode);
	lock();
	int r = arrive("mkdir", path, NULL) ? -1 : (int)syscall(SYS_mkdirat, dirfd, name, mode);
	if (r == 0 && fstatat(dirfd, name, &st, 0) == 0)
		put(TRACE_MKDIR, path, "", st.st_ino, 0, NULL, 0);
	unlock();
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

	if (!find_fd(fd, path))
		return (int)syscall(number, fd);
	fstat(fd, &st);
	lock();
	bool fails = arrive(call, path, NULL);
	uint64_t covers = rec.trace_fd < 0 ? 0 : (uint64_t)lseek(rec.trace_fd, 0, SEEK_END);
	unlock();
	usleep(rec.slow_us);
	int r = fails ? -1 : (int)syscall(number, fd), saved = fails ? rec.fail_errno : errno;
	lock();
	put(r < 0                 ? TRACE_SYNC_FAILED
	    : S_ISDIR(st.st_mode) ? TRACE_SYNC_FOLDER
	                          : TRACE_SYNC,
	    path, "", st.st_ino, covers, NULL, 0);
	unlock();
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
	if (rec.root_len && len == 34 && *data == 'r') {
		for (int i = 9; i < 17; i++)
			lsn = lsn << 8 | (unsigned char)data[i];
		lock();
		arrive("confirm", "", NULL);
		put(TRACE_CONFIRM, "", "", 0, lsn, NULL, 0);
		unlock();
	}
	return next(conn, data, len);
}
