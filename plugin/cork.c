#include "postgres.h"

/* What follows looks at no connection, and need not be built where Kerberos' headers are. */
#undef ENABLE_GSS

#include "libpq/libpq.h"
#include "utils/timestamp.h"

#include "cork.h"
#include "stride.h"

#define HELD_BYTES_MAX (16 * 1024)
#define HELD_USEC_MAX 1000

static struct {
	const PQcommMethods *server; /* NULL: not installed */
	PQcommMethods methods;
	int bytes;         /* of messages since the last flush */
	TimestampTz since; /* the first of them */
	bool held;
} cork;

/* Whether the walsender reads on at once: there is more log, and it does not wait for the rest of a record that was flushed
 * in part. */
static bool reads_on(void)
{
	return !stride_is_reading() && stride_has_log(0);
}

/* What is held on purpose is nothing to wait for. */
static bool is_send_pending(void)
{
	return !cork.held && cork.server->is_send_pending();
}

static int flush_if_writable(void)
{
	if (!is_send_pending())
		stride_go();
	cork.held = cork.bytes > 0 && reads_on() && cork.bytes < HELD_BYTES_MAX &&
	            (uint64)(GetCurrentTimestamp() - cork.since) < HELD_USEC_MAX; /* not where the clock went back */
	if (cork.held)
		return 0;
	cork.bytes = 0;
	stride_end();
	return cork.server->flush_if_writable();
}

static void uninstall(void *unused)
{
	PqCommMethods = cork.server;
	memset(&cork, 0, sizeof(cork));
}

void cork_install(LogicalDecodingContext *ctx)
{
	MemoryContextCallback *callback = MemoryContextAllocZero(ctx->context, sizeof(*callback));

	stride_init(ctx);
	memset(&cork, 0, sizeof(cork));
	cork.server = PqCommMethods;
	cork.methods = *PqCommMethods;
	cork.methods.flush_if_writable = flush_if_writable;
	cork.methods.is_send_pending = is_send_pending;
	callback->func = uninstall;
	MemoryContextRegisterResetCallback(ctx->context, callback);
	PqCommMethods = &cork.methods;
}

void cork_expect(int bytes)
{
	if (!cork.server)
		return;
	if (cork.bytes == 0)
		cork.since = GetCurrentTimestamp();
	cork.bytes += bytes;
}

void cork_release(void)
{
	if (!cork.server)
		return;
	stride_end();
	if (cork.bytes == 0)
		return;
	cork.bytes = 0;
	cork.held = false;
	(void)cork.server->flush_if_writable(); /* where that fails, the server ends at its next check for interrupts */
}
