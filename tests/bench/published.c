/*
 * published MOUNT LSN SECONDS: waits until MOUNT/status shows an lsn behind LSN. It costs next to nothing meanwhile: the
 * processors are those of what is measured.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
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

int main(int argc, char **argv)
{
	char path[4096];
	const struct timespec nap = {.tv_nsec = 5000000};

	if (argc != 4) {
		fprintf(stderr, "usage: published MOUNT LSN SECONDS\n");
		return 2;
	}
	uint64_t wanted = parse_lsn(argv[2]);
	double end = ticks_now() + atof(argv[3]);
	snprintf(path, sizeof path, "%s/status", argv[1]);
	while (shown_lsn(path) <= wanted) {
		if (ticks_now() > end) {
			fprintf(stderr, "%s does not show %s\n", argv[1], argv[2]);
			return 1;
		}
		nanosleep(&nap, NULL);
	}
	return 0;
}
