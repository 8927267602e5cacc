#include "stop.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "await.h"

static atomic_bool asked; /* by a signal, or a thread */
static int event_fd = -1;

void stop_ask(void)
{
	uint64_t one = 1;
	int saved = errno;

	asked = true;
	if (write(event_fd, &one, sizeof one) < 0 && errno != EAGAIN)
		_exit(1);
	errno = saved;
}

static void on_signal(int number)
{
	(void)number;
	stop_ask();
}

static void on_nudge(int number)
{
	(void)number;
}

int stop_catch(struct err *err)
{
	/* No SA_RESTART: a read that hangs is to end. */
	struct sigaction action = {.sa_handler = on_signal}, nudge = {.sa_handler = on_nudge};

	event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (event_fd < 0 || sigaction(SIGTERM, &action, NULL) < 0 || sigaction(SIGINT, &action, NULL) < 0 ||
	    sigaction(SIGURG, &nudge, NULL) < 0)
		return err_errno(err, "cannot catch signals");
	return 0;
}

bool stop_asked(void)
{
	return asked;
}

int stop_fd(void)
{
	return event_fd;
}

void stop_interrupt(pthread_t thread)
{
	pthread_kill(thread, SIGURG);
}

void stop_pause(int ms)
{
	struct pollfd stop = {.fd = event_fd, .events = POLLIN};

	await(&stop, 1, ms);
}
