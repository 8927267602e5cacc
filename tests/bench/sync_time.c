/*
 * sync_time FILE COUNT BYTES: appends BYTES to a new FILE and syncs it by fdatasync, COUNT times; prints how long a
 * sync took. (Reserving the space first was tried: it makes no difference.)
 */
#include <fcntl.h>
#include <unistd.h>

#include "ticks.h"

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "usage: sync_time FILE COUNT BYTES\n");
		return 2;
	}
	size_t count = strtoul(argv[2], NULL, 10), bytes = strtoul(argv[3], NULL, 10);
	double *times = calloc(count, sizeof *times);
	char *line = malloc(bytes);
	int fd = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || !times || !line)
		ticks_die(argv[1]);
	memset(line, 'x', bytes);
	for (size_t i = 0; i < count; i++) {
		if (write(fd, line, bytes) != (ssize_t)bytes)
			ticks_die("writing");
		double start = ticks_now();
		if (fdatasync(fd) < 0)
			ticks_die("fdatasync");
		times[i] = ticks_now() - start;
	}
	ticks_print("", times, count);
	free(times);
	free(line);
	return close(fd) < 0;
}
