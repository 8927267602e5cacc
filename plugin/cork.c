#include "postgres.h"

#include <sys/socket.h>

/* What follows looks at no connection but its socket, and need not be built where the headers of Kerberos and OpenSSL are. */
#undef ENABLE_GSS
#undef USE_OPENSSL

#include "libpq/libpq-be.h"
#include "libpq/libpq.h"
#include "miscadmin.h"
#include "utils/timestamp.h"

#include "cork.h"
#include "stride.h"

#define HELD_BYTES_MAX (16 * 1024)
#define HELD_USEC_MAX 1000
#define SOCKET_BYTES (512 * 1024)

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

/* Who finds a local socket full sleeps until three quarters of it are free again (Linux, net/unix/af_unix.c: unix_writable), and
 * may wait for a processor then. The system bounds it (net.core.wmem_max). TCP makes its own room. */
static void make_room(const Port *port)
{
	int bytes;
	socklen_t len = sizeof(bytes);

	if (port->laddr.addr.ss_family != AF_UNIX ||
	    getsockopt(port->sock, SOL_SOCKET, SO_SNDBUF, &bytes, &len) < 0 || bytes >= SOCKET_BYTES)
		return;
	bytes = SOCKET_BYTES;
	(void)setsockopt(port->sock, SOL_SOCKET, SO_SNDBUF, &bytes, len);
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
	make_room(MyProcPort);
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
