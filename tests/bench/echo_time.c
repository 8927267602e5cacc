/*
 * echo_time COUNT COMMAND...: COMMAND gives back what it reads (ssh host cat); prints how long a byte is on its way
 * there and back.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "ticks.h"

int main(int argc, char **argv)
{
	int there[2], back[2];

	if (argc < 3) {
		fprintf(stderr, "usage: echo_time COUNT COMMAND...\n");
		return 2;
	}
	size_t count = strtoul(argv[1], NULL, 10);
	double *times = calloc(count, sizeof *times);
	if (!times || pipe(there) < 0 || pipe(back) < 0)
		ticks_die("pipe");
	if (fork() == 0) {
		dup2(there[0], 0);
		dup2(back[1], 1);
		close(there[0]);
		close(there[1]);
		close(back[0]);
		close(back[1]);
		execvp(argv[2], argv + 2);
		ticks_die(argv[2]);
	}
	close(there[0]);
	close(back[1]);
	for (size_t i = 0; i < count + 1; i++) {
		char byte = 'x';
		double start = ticks_now();
		if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
			ticks_die("the echo");
		if (i > 0) /* the first one waits for the connection */
			times[i - 1] = ticks_now() - start;
	}
	close(there[1]);
	wait(NULL);
	ticks_print("", times, count);
	free(times);
	return 0;
}
