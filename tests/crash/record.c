/* The recorder's settings, its trace, and which calls end or fail; record_calls.c has the calls themselves. */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

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

void record_wrong(const char *what, const char *value)
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
	record_wrong("RECORD_FAIL has an unknown error", name);
	return 0;
}

static void read_fail(const char *value)
{
	char from[24] = "", error[24] = "", count[24] = "1";

	if (sscanf(value, "%15[^:]:%23[^:]:%23[^:]:%23[^:]:%63s", rec.fail_call, from, error, count, rec.fail_ending) <
	    3)
		record_wrong("RECORD_FAIL is <call>:<n>:<errno>[:<count>[:<ending>]], not", value);
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
		record_wrong("RECORD_ROOT is no folder", root);
	if (trace && (rec.trace_fd = open(trace, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600)) < 0)
		record_wrong("RECORD_TRACE cannot be opened", trace);
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

bool record_find_fd(int fd, char *out)
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

bool record_find_name(int dirfd, const char *name, char *out)
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

void record_lock(void)
{
	struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	pthread_mutex_lock(&rec.lock);
	while (rec.trace_fd >= 0 && fcntl(rec.trace_fd, F_SETLKW, &all) < 0)
		if (errno != EINTR)
			record_wrong("RECORD_TRACE cannot be locked", strerror(errno));
}

void record_unlock(void)
{
	struct flock all = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

	if (rec.trace_fd >= 0)
		fcntl(rec.trace_fd, F_SETLK, &all);
	pthread_mutex_unlock(&rec.lock);
}

void record_put(enum trace_call call, const char *path, const char *to, uint64_t ino, uint64_t off, const void *data,
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
		record_put(TRACE_START, "", "", 0, 0, NULL, 0);
	}
	if (syscall(SYS_writev, rec.trace_fd, parts, 4) != (long)all)
		record_wrong("RECORD_TRACE cannot be written", strerror(errno));
	errno = saved;
}

void record_stop_here(void)
{
	for (;;)
		kill(getpid(), SIGKILL);
}

bool record_arrive(const char *call, const char *path, bool *within)
{
	bool last = ++rec.calls == rec.stop;
	size_t len = strlen(path), ending = strlen(rec.fail_ending);

	if (within)
		*within = last && rec.stop_within;
	if (last && !(within && rec.stop_within))
		record_stop_here();
	if (strcmp(call, rec.fail_call) != 0 || len < ending || strcmp(path + len - ending, rec.fail_ending) != 0)
		return false;
	if (++rec.fail_count < rec.fail_from || rec.fail_count > rec.fail_to)
		return false;
	errno = rec.fail_errno;
	return true;
}

uint64_t record_ino_of(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

uint64_t record_place(void)
{
	return rec.trace_fd < 0 ? 0 : (uint64_t)lseek(rec.trace_fd, 0, SEEK_END);
}

useconds_t record_slow_us(void)
{
	return rec.slow_us;
}

bool record_on(void)
{
	return rec.root_len > 0;
}

void record_note(const char *text)
{
	record_lock();
	record_put(TRACE_NOTE, "", "", 0, 0, text, strlen(text));
	record_unlock();
}
