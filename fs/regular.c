#include "regular.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *kind_of(mode_t mode)
{
	switch (mode & S_IFMT) {
	case S_IFDIR: return "a folder";
	case S_IFLNK: return "a symbolic link";
	case S_IFIFO: return "a pipe";
	case S_IFSOCK: return "a socket";
	default: return "a device";
	}
}

static int not_plain(const char *folder, const char *name, mode_t mode, struct err *err)
{
	return err_set(err, -EINVAL, "%s%s is %s, where a file has to be: move it away, and put the file itself there",
	               folder, name, kind_of(mode));
}

static int not_ours(const char *folder, const char *name, const struct stat *st, struct err *err)
{
	return err_set(err, -EACCES,
	               "%s%s is closed to the user with the number %u: it is %u's, with the mode %03o; chown it back",
	               folder, name, (unsigned)geteuid(), (unsigned)st->st_uid, (unsigned)st->st_mode & 0777);
}

int64_t regular_len(int dirfd, const char *folder, const char *name, struct err *err)
{
	struct stat st;

	if (fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return err_errno(err, "looking at %s%s", folder, name);
	return S_ISREG(st.st_mode) ? st.st_size : not_plain(folder, name, st.st_mode, err);
}

int regular_open(int dirfd, const char *folder, const char *name, int flags, struct err *err)
{
	struct stat st;
	int fd = openat(dirfd, name, flags | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);

	if (fd < 0) {
		int r = err_errno(err, "opening %s%s", folder, name);
		if (r == -EACCES && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode))
			return not_ours(folder, name, &st, err);
		if (r != -ENOENT && fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(st.st_mode))
			return not_plain(folder, name, st.st_mode, err);
		return r;
	}
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return not_plain(folder, name, st.st_mode, err);
}

int regular_write(int fd, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, bytes, len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}
