#include "lag.h"

#include <errno.h>

#include "clock.h"
#include "stop.h"

#define LOOK_MS 50
#define LOOK_CLOSELY_MS 3

static int look(struct lag *lag, uint64_t *lsn, struct err *err)
{
	int rc = reading_refresh(lag->reading, err);

	return rc < 0 ? rc : reading_lsn(lag->reading, lsn, err);
}

int lag_pass(struct lag *lag, int (*meanwhile)(void *ctx, struct err *err), void *ctx, struct err *err)
{
	uint64_t mark, lsn, last = 0;
	int64_t moved_ms = clock_ms();
	int rc = look(lag, &lsn, err);

	/* A mirror without a position (over one table's file) has none to wait for. */
	if (rc < 0 || lsn == 0 || (lag->stands && lsn == lag->stood_at)) {
		lag->stands = true;
		lag->stood_at = lsn;
		return rc;
	}
	rc = server_mark(lag->server, &mark, err);
	for (; rc == 0 && lsn <= mark; rc = look(lag, &lsn, err)) {
		if (lsn != last) {
			last = lsn;
			moved_ms = clock_ms();
		}
		lag->stands = clock_ms() - moved_ms > lag->wait_ms;
		lag->stood_at = lsn;
		if (lag->stands)
			return 0;
		if (meanwhile && (rc = meanwhile(ctx, err)) < 0)
			return rc;
		stop_pause(meanwhile ? LOOK_CLOSELY_MS : LOOK_MS);
		if (stop_asked())
			return err_set(err, -EINTR, "stopped while waiting for the mirror");
	}
	return rc < 0 ? rc : 1;
}
