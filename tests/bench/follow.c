/*
 * follow COUNT PATH: COUNT followers of PATH, each a thread that reads all there is and waits with poll(2) for more.
 * Until SIGTERM; then prints how many bytes the slowest one has, and the fastest.
 */
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "ticks.h"

enum { READ = 1 << 20 };

struct follower {
	const char *path;
	pthread_t thread;
	atomic_ulong bytes;
};

static void *follow(void *of)
{
	struct follower *follower = of;
	int fd = open(follower->path, O_RDONLY);
	char *buf = malloc(READ);
	ssize_t n = 0;

	if (fd < 0 || !buf)
		ticks_die(follower->path);
	for (;;) {
		while ((n = read(fd, buf, READ)) > 0)
			follower->bytes += (unsigned long)n;
		if (n < 0)
			ticks_die("reading");
		poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 1000);
	}
	return NULL;
}

int main(int argc, char **argv)
{
	unsigned long least = (unsigned long)-1, most = 0;
	sigset_t term;
	int signal;

	if (argc != 3) {
		fprintf(stderr, "usage: follow COUNT PATH\n");
		return 2;
	}
	size_t count = strtoul(argv[1], NULL, 10);
	struct follower *followers = calloc(count, sizeof *followers);
	if (!followers)
		ticks_die("memory");
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &term, NULL);
	for (size_t i = 0; i < count; i++) {
		followers[i].path = argv[2];
		if (pthread_create(&followers[i].thread, NULL, follow, &followers[i]) != 0)
			ticks_die("a thread");
	}
	sigwait(&term, &signal);
	for (size_t i = 0; i < count; i++) {
		unsigned long bytes = followers[i].bytes;
		least = bytes < least ? bytes : least;
		most = bytes > most ? bytes : most;
	}
	printf("slowest_bytes\t%lu\nfastest_bytes\t%lu\n", least, most);
	fflush(stdout);
	_exit(0); /* the threads still read */
}
