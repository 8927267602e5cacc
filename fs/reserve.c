#include "reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "regular.h"

static const char name[] = "reserve";

uint64_t reserve_bytes(int store_dirfd)
{
	struct stat st;

	return fstatat(store_dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode)
	           ? (uint64_t)st.st_blocks * 512
	           : 0;
}

/* True where the disk has it, and as much again for the stream. */
static bool has_room(int store_dirfd, uint64_t bytes)
{
	struct statvfs st;

	return fstatvfs(store_dirfd, &st) == 0 && (uint64_t)st.f_bavail * st.f_frsize / 2 >= bytes;
}

int reserve_keep(int store_dirfd, uint64_t bytes, struct err *err)
{
	uint64_t has = reserve_bytes(store_dirfd);
	int r = 0;

	/* A file system may count a little more for it. */
	if (has >= bytes && has / 2 <= bytes)
		return 0;
	if (has < bytes && !has_room(store_dirfd, bytes - has))
		return 0;
	int fd = regular_open(store_dirfd, "", name, O_RDWR | O_CREAT, err);
	if (fd < 0)
		return fd;
	if (ftruncate(fd, (off_t)bytes) < 0)
		r = err_errno(err, "setting space aside in %s", name);
	if (r == 0 && bytes && (errno = posix_fallocate(fd, 0, (off_t)bytes)) != 0) {
		r = errno == ENOSPC || errno == EDQUOT ? 0 : err_errno(err, "setting space aside in %s", name);
		if (ftruncate(fd, 0) < 0 && r == 0)
			r = err_errno(err, "giving back %s", name);
	}
	close(fd);
	return r;
}

bool reserve_release(int store_dirfd)
{
	int fd = reserve_bytes(store_dirfd) > 0 ? regular_open(store_dirfd, "", name, O_RDWR, NULL) : -1;

	if (fd < 0)
		return false;
	/* Some file systems have it free only when that is written down. */
	bool released = ftruncate(fd, 0) == 0 && fsync(fd) == 0;
	close(fd);
	return released;
}
