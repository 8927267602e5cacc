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
	/* Not in the first version: */
	uint64_t segment_epoch, segment_seq, off;
	uint64_t oldest_epoch, oldest_seq, sealed;
	uint32_t sum, unused;
};
static const uint64_t slot_magic = 0x32306d7266446e43, first_magic = 0x31306d7266446e43;

static uint32_t slot_crc(const struct slot *slot)
{
	size_t covered = offsetof(struct slot, choice);
	size_t len = slot->magic == first_magic ? offsetof(struct slot, segment_epoch) : sizeof *slot;

	return crc32c(0, (const char *)slot + covered, len - covered);
}

static struct confirmed content(const struct slot *slot)
{
	struct confirmed content = {
	    .idle_lsn = slot->idle_lsn, .last = {slot->last_epoch, slot->last_seq}, .choice = slot->choice};

	if (slot->magic == first_magic)
		return content;
	content.segment = (struct position){slot->segment_epoch, slot->segment_seq};
	content.off = slot->off;
	content.oldest = (struct position){slot->oldest_epoch, slot->oldest_seq};
	content.sealed = slot->sealed;
	content.sum = slot->sum;
	return content;
}

/* Bytes of it that are there, since the first version's were fewer. */
static bool is_whole(const struct slot *slot, size_t len)
{
	return ((slot->magic == slot_magic && len == sizeof *slot) ||
	        (slot->magic == first_magic && len >= offsetof(struct slot, segment_epoch))) &&
	       slot->crc == slot_crc(slot);
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
		struct slot slot = {0};
		ssize_t n = pread(file->fd, &slot, sizeof slot, i * SLOT_LEN);
		if (n < 0)
			return err_errno(err, "reading confirmed");
		if (is_whole(&slot, (size_t)n) && slot.counter > file->counter) {
			file->counter = slot.counter;
			file->kept = i;
			file->now = content(&slot);
		}
	}
	/* The newest may have been told alone, by one that was killed; from now on it is what is kept. */
	if (writable && fdatasync(file->fd) < 0)
		return err_errno(err, "syncing confirmed");
	return 0;
}

static int write_slot(struct confirmed_file *file, const struct confirmed *next, struct err *err)
{
	struct slot slot = {.magic = slot_magic,
	                    .choice = next->choice,
	                    .counter = file->counter + 1,
	                    .idle_lsn = next->idle_lsn,
	                    .last_epoch = next->last.epoch,
	                    .last_seq = next->last.seq,
	                    .segment_epoch = next->segment.epoch,
	                    .segment_seq = next->segment.seq,
	                    .off = next->off,
	                    .oldest_epoch = next->oldest.epoch,
	                    .oldest_seq = next->oldest.seq,
	                    .sealed = next->sealed,
	                    .sum = next->sum};

	slot.crc = slot_crc(&slot);
	ssize_t n = pwrite(file->fd, &slot, sizeof slot, (off_t)!file->kept * SLOT_LEN);
	if (n >= 0 && n != (ssize_t)sizeof slot)
		errno = ENOSPC, n = -1;
	if (n < 0)
		return err_errno(err, "writing confirmed");
	file->counter = slot.counter;
	return 0;
}

int confirmed_write(struct confirmed_file *file, struct confirmed next, struct err *err)
{
	int r = write_slot(file, &next, err);

	if (r < 0)
		return r;
	if (fdatasync(file->fd) < 0)
		return err_errno(err, "writing confirmed");
	file->kept = !file->kept;
	file->now = next;
	return 0;
}

void confirmed_tell(struct confirmed_file *file, struct confirmed next)
{
	write_slot(file, &next, NULL);
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
