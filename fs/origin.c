#include "origin.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "crc32c.h"
#include "regular.h"
#include "segment.h"
#include "stamp.h"

size_t origin_print(char *out, size_t size, const struct origin *origin)
{
	char database[2 * sizeof origin->database], slot[2 * sizeof origin->slot];
	size_t database_len = line_escape(database, origin->database, strlen(origin->database));
	size_t slot_len = line_escape(slot, origin->slot, strlen(origin->slot));

	int n = snprintf(out, size,
	                 "_action\torigin\tsystem\t%llu\ttimeline\t%u\tdatabase\t%.*s\tslot\t%.*s\tgeneration\t%llu",
	                 (unsigned long long)origin->system, origin->timeline, (int)database_len, database,
	                 (int)slot_len, slot, (unsigned long long)origin->generation);
	return (size_t)n;
}

/* Both lines; `out` has room for twice ORIGIN_MAX. */
static size_t print_stream(char *out, struct position first, const struct origin *origin, uint64_t xid, uint64_t lsn,
                           const char *time)
{
	char lsn_text[LSN_TEXT_MAX];
	size_t n = stamp_print(out, first);

	n += origin_print(out + n, ORIGIN_MAX, origin);
	out[n++] = '\n';
	n += stamp_print(out + n, (struct position){first.epoch, first.seq + 1});
	n += (size_t)snprintf(out + n, ORIGIN_MAX / 2, "_xid\t%llu\t_action\tcommit\tlsn\t%s\ttime\t%s\t",
	                      (unsigned long long)xid, lsn_print(lsn_text, lsn), time);
	uint32_t crc = crc32c(0, out, n);
	memcpy(out + n, "crc\t", 4);
	crc_print(out + n + 4, crc);
	out[n + 12] = '\n';
	return n + 13;
}

static int write_file(int dirfd, const char *name, const char *text, size_t len, struct err *err)
{
	int fd = openat(dirfd, name, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_errno(err, "creating segments/%s", name);
	int r = regular_write(fd, text, len);
	if (r == 0 && fsync(fd) < 0)
		r = -errno;
	close(fd);
	return r < 0 ? err_set(err, r, "writing segments/%s: %s", name, strerror(-r)) : 0;
}

int origin_write(int segments_dirfd, struct position after, uint64_t second, const struct origin *origin, uint64_t xid,
                 uint64_t lsn, const char *time, struct err *err)
{
	char text[2 * ORIGIN_MAX], name[SEGMENT_NAME_MAX], temporary[SEGMENT_NAME_MAX + 4];
	struct position first = stamp_next(after, second < after.epoch ? after.epoch : second);
	size_t len = print_stream(text, first, origin, xid, lsn, time);

	segment_name(name, first);
	snprintf(temporary, sizeof temporary, "%s.new", name);
	int r = write_file(segments_dirfd, temporary, text, len, err);
	if (r == 0 && (renameat(segments_dirfd, temporary, segments_dirfd, name) < 0 || fsync(segments_dirfd) < 0))
		r = err_errno(err, "writing segments/%s", name);
	if (r < 0)
		unlinkat(segments_dirfd, temporary, 0);
	return r;
}
