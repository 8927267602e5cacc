/*
 * first_byte PATH: opens PATH and reads its first bytes; prints how long that took.
 */
#include <fcntl.h>
#include <unistd.h>

#include "ticks.h"

int main(int argc, char **argv)
{
	char bytes[512];

	if (argc != 2) {
		fprintf(stderr, "usage: first_byte PATH\n");
		return 2;
	}
	double start = ticks_now();
	int fd = open(argv[1], O_RDONLY);
	if (fd < 0)
		ticks_die(argv[1]);
	ssize_t n = read(fd, bytes, sizeof bytes);
	double end = ticks_now();
	if (n <= 0)
		ticks_die("reading");
	printf("first_byte_ms\t%.4f\n", (end - start) * 1e3);
	return 0;
}
