#include "await.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "log.h"

static int checked(int n)
{
	if (n >= 0 || errno == EINTR)
		return n;
	log_error("waiting is impossible: poll: %s (does a sandbox or a limit forbid it?)", strerror(errno));
	_exit(EXIT_FAILURE);
}

int await(struct pollfd *fds, nfds_t count, int timeout_ms)
{
	return checked(poll(fds, count, timeout_ms));
}

int await_us(struct pollfd *fds, nfds_t count, int64_t timeout_us)
{
	struct timespec timeout = {timeout_us / 1000000, timeout_us % 1000000 * 1000};

	return checked(ppoll(fds, count, &timeout, NULL));
}
