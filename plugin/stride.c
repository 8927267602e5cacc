#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "replication/decode.h"
#include "replication/walsender_private.h"

#include "stride.h"

#define RECORDS_MAX 64

/* What is left to the walsender: most records are smaller. */
#define REST_BYTES (64 * 1024)

static struct {
	LogicalDecodingContext *ctx; /* NULL: none */
	XLogPageReadCB read_page;    /* the server's */
	XLogRecPtr flushed;          /* so far there was log when it was asked for */
	bool reading, going, ended;
} stride;

/* Here the walsender may also wait for more log, and flush meanwhile. */
static int read_page(XLogReaderState *reader, XLogRecPtr page, int len, XLogRecPtr target, char *bytes)
{
	stride.reading = true;
	int n = stride.read_page(reader, page, len, target, bytes);
	stride.reading = false;
	return n;
}

void stride_init(LogicalDecodingContext *ctx)
{
	memset(&stride, 0, sizeof(stride));
	stride.ctx = ctx;
	stride.read_page = ctx->reader->routine.page_read;
	ctx->reader->routine.page_read = read_page;
}

void stride_fini(void)
{
	memset(&stride, 0, sizeof(stride));
}

/* Asked for only where it may not be known: the answer takes a lock that all who write want. */
bool stride_has_log(int bytes)
{
	XLogRecPtr end = stride.ctx->reader->EndRecPtr + bytes;

	if (end >= stride.flushed && !RecoveryInProgress())
#if PG_VERSION_NUM >= 150000
		stride.flushed = GetFlushRecPtr(NULL);
#else
		stride.flushed = GetFlushRecPtr();
#endif
	return end < stride.flushed;
}

/* The walsender takes note of each record that it has decoded; one that is being decoded is ahead of that. */
static bool is_between_records(void)
{
	return !stride.reading && !stride.going && stride.ctx->reader->EndRecPtr == MyWalSnd->sentPtr;
}

void stride_go(void)
{
	if (!is_between_records())
		return;
	stride.going = true;
	stride.ended = false;
	for (int i = 0; i < RECORDS_MAX && !stride.ended && stride_has_log(REST_BYTES); i++) {
		char *error = NULL;

		CHECK_FOR_INTERRUPTS();
		/* What cannot be read, the walsender will meet itself. */
		if (!XLogReadRecord(stride.ctx->reader, &error))
			break;
		LogicalDecodingProcessRecord(stride.ctx, stride.ctx->reader);
	}
	stride.going = false;
}

void stride_end(void)
{
	stride.ended = true;
}
