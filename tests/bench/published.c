/*
 * published MOUNT LSN SECONDS STORE: waits until MOUNT/status shows an lsn behind LSN. That is asked only when the daemon
 * has shown something, which it tells in STORE/confirmed, and not again at once: the processors are those of what is
 * measured, and 200 answers in a second took a fifth of what the daemon's were said to take.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

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

/* Until the daemon has shown something. Not at once again: much may come. */
static void await_more(int notified)
{
	char events[4096];
	const struct timespec nap = {.tv_nsec = 20000000};

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
	while (shown_lsn(path) <= wanted) {
		if (ticks_now() > end) {
			fprintf(stderr, "%s does not show %s\n", argv[1], argv[2]);
			return 1;
		}
		await_more(notified);
	}
	return 0;
}
