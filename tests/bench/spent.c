/*
 * spent FILE COMMAND...: runs COMMAND and writes to FILE what it took: seconds by the clock, seconds of the processor
 * (its children's, too) and the most memory that it had, in MB. Ends as COMMAND does.
 */
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "ticks.h"

static double seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
	struct rusage usage;
	int status;

	if (argc < 3) {
		fprintf(stderr, "usage: spent FILE COMMAND...\n");
		return 2;
	}
	FILE *out = fopen(argv[1], "w");
	if (!out)
		ticks_die(argv[1]);
	double start = ticks_now();
	pid_t child = fork();
	if (child == 0) {
		execvp(argv[2], argv + 2);
		ticks_die(argv[2]);
	}
	if (child < 0 || wait4(child, &status, 0, &usage) != child)
		ticks_die("starting it");
	fprintf(out, "seconds\t%.4f\ncpu\t%.4f\nmemory_mb\t%.2f\n", ticks_now() - start,
	        seconds(usage.ru_utime) + seconds(usage.ru_stime), (double)usage.ru_maxrss / 1024);
	if (fclose(out) != 0)
		ticks_die(argv[1]);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
