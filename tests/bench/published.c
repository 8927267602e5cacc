/*
 * published MOUNT LSN SECONDS STORE: waits until MOUNT/status shows an lsn behind LSN. That is asked only when the daemon
 * has told in STORE/confirmed that the store has it: the processors are those of what is measured, and 200 answers in a
 * second took a fifth of what the daemon's were said to take.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "confirmed.h"
#include "segment.h"
#include "ticks.h"

static uint64_t parse_lsn(const char *text)
{
	uint32_t high, low;

	return sscanf(text, "%" SCNx32 "/%" SCNx32, &high, &low) == 2 ? (uint64_t)high << 32 | low : 0;
}

static uint64_t shown_lsn(const char *path)
{
	char text[8192];
	int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	if (n < 0)
		ticks_die(path);
	close(fd);
	text[n] = 0;
	const char *line = strstr(text, "\nlsn\t");
	return line ? parse_lsn(line + strlen("\nlsn\t")) : 0;
}

/* Of the commit that ends where the mark in STORE/confirmed says; 0: not known. */
static uint64_t marked_lsn(int store, int segments)
{
	char name[SEGMENT_NAME_MAX], text[512];
	struct confirmed_file file;
	struct err err;
	uint64_t lsn = 0;
	int r = confirmed_open(&file, store, false, &err);

	confirmed_close(&file);
	uint64_t from = file.now.off < sizeof text ? 0 : file.now.off - (sizeof text - 1);
	int fd = r < 0 ? -1 : openat(segments, segment_name(name, file.now.segment), O_RDONLY);
	ssize_t n = fd < 0 ? -1 : pread(fd, text, (size_t)(file.now.off - from), (off_t)from);
	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = 0;
	for (const char *at = text; (at = strstr(at, "\tlsn\t")); at++)
		lsn = parse_lsn(at + strlen("\tlsn\t"));
	return lsn;
}

/* Until the daemon has shown something. Not at once again: much may come. */
static void await_more(int notified)
{
	char events[4096];
	const struct timespec nap = {.tv_nsec = 2000000};

	nanosleep(&nap, NULL);
	poll(&(struct pollfd){.fd = notified, .events = POLLIN}, 1, 1000);
	while (read(notified, events, sizeof events) > 0)
		;
}

int main(int argc, char **argv)
{
	char path[4096], mark[4096];

	if (argc != 5) {
		fprintf(stderr, "usage: published MOUNT LSN SECONDS STORE\n");
		return 2;
	}
	uint64_t wanted = parse_lsn(argv[2]);
	double end = ticks_now() + atof(argv[3]);
	int notified = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	snprintf(path, sizeof path, "%s/status", argv[1]);
	snprintf(mark, sizeof mark, "%s/confirmed", argv[4]);
	if (notified < 0 || inotify_add_watch(notified, mark, IN_MODIFY) < 0)
		ticks_die(mark);
	int store = open(argv[4], O_RDONLY | O_DIRECTORY), segments = openat(store, "segments", O_RDONLY | O_DIRECTORY);
	if (store < 0 || segments < 0)
		ticks_die(argv[4]);
	while (marked_lsn(store, segments) <= wanted || shown_lsn(path) <= wanted) {
		if (ticks_now() > end) {
			fprintf(stderr, "%s does not show %s\n", argv[1], argv[2]);
			return 1;
		}
		await_more(notified);
	}
	return 0;
}
