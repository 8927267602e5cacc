#include "confirmed.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <unistd.h>

#include "crc32c.h"
#include "regular.h"

enum { SLOT_LEN = 512 };

struct slot {
	uint64_t magic;
	uint32_t crc; /* of all that follows this field */
	uint32_t choice;
	uint64_t counter;
	uint64_t idle_lsn, last_epoch, last_seq;
};
static const uint64_t slot_magic = 0x31306d7266446e43;

static uint32_t slot_crc(const struct slot *slot)
{
	size_t covered = offsetof(struct slot, choice);

	return crc32c(0, (const char *)slot + covered, sizeof *slot - covered);
}

int confirmed_open(struct confirmed_file *file, int dirfd, bool writable, struct err *err)
{
	*file = (struct confirmed_file){0};
	file->fd = regular_open(dirfd, "", "confirmed", writable ? O_RDWR : O_RDONLY, err);
	if (file->fd == -ENOENT && !writable)
		return 0;
	if (file->fd == -ENOENT) {
		/* Its name is synced before anything that rests on it is told to the server. */
		file->fd = regular_open(dirfd, "", "confirmed", O_RDWR | O_CREAT, err);
		if (file->fd >= 0 && fsync(dirfd) < 0)
			return err_errno(err, "syncing the store's folder");
	}
	if (file->fd < 0)
		return file->fd;

	struct stat st;
	if (fstat(file->fd, &st) == 0 && st.st_size > 0)
		file->written = st.st_mtime;
	for (int i = 0; i < 2; i++) {
		struct slot slot;
		ssize_t n = pread(file->fd, &slot, sizeof slot, i * SLOT_LEN);
		if (n < 0)
			return err_errno(err, "reading confirmed");
		if (n == (ssize_t)sizeof slot && slot.magic == slot_magic && slot.crc == slot_crc(&slot) &&
		    slot.counter > file->counter) {
			file->counter = slot.counter;
			file->now = (struct confirmed){slot.idle_lsn, {slot.last_epoch, slot.last_seq}, slot.choice};
		}
	}
	return 0;
}

int confirmed_write(struct confirmed_file *file, struct confirmed next, struct err *err)
{
	struct slot slot = {slot_magic,   0, next.choice, file->counter + 1, next.idle_lsn, next.last.epoch,
	                    next.last.seq};

	slot.crc = slot_crc(&slot);
	ssize_t n = pwrite(file->fd, &slot, sizeof slot, (off_t)(slot.counter % 2) * SLOT_LEN);
	if (n >= 0 && n != (ssize_t)sizeof slot)
		errno = ENOSPC, n = -1;
	if (n < 0 || fdatasync(file->fd) < 0)
		return err_errno(err, "writing confirmed");
	file->counter = slot.counter;
	file->now = next;
	return 0;
}

void confirmed_set_time(struct confirmed_file *file, time_t when)
{
	const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, {.tv_sec = when}};

	if (when > 0)
		futimens(file->fd, times);
}

void confirmed_close(struct confirmed_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}
