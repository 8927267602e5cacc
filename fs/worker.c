#include "worker.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "await.h"

int worker_start(struct worker *worker, void *(*run)(void *ctx), void *ctx, const char *work, struct err *err)
{
	worker->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (worker->stop_fd < 0)
		return err_errno(err, "starting the thread that %s", work);
	if ((errno = pthread_create(&worker->thread, NULL, run, ctx)) != 0) {
		int r = err_errno(err, "starting the thread that %s", work);
		close(worker->stop_fd);
		return r;
	}
	worker->running = true;
	return 0;
}

void worker_stop(struct worker *worker)
{
	if (!worker->running)
		return;
	eventfd_write(worker->stop_fd, 1);
	pthread_join(worker->thread, NULL);
	close(worker->stop_fd);
	worker->running = false;
}

bool worker_pause(int stop_fd, int ms)
{
	struct pollfd stop = {.fd = stop_fd, .events = POLLIN};

	return await(&stop, 1, ms) <= 0;
}
