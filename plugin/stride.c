#include "postgres.h"

#include "access/xlog.h"
#include "miscadmin.h"
#include "replication/decode.h"
#include "replication/walsender_private.h"

#include "stride.h"

#define RECORDS_MAX 64

/* What is left to the walsender: so it has one more record, and most are wholly there. */
#define REST_BYTES (64 * 1024)

static struct {
	LogicalDecodingContext *ctx;
	XLogPageReadCB read_page; /* the server's */
	XLogRecPtr flushed;       /* so far there was log when it was asked for */
	XLogRecPtr end;           /* of the last record behind which it is the walsender's turn */
	bool reading;
} stride;

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

/* Asked for only once what was known is used up: the answer takes a lock that all who write want. */
bool stride_has_log(int bytes)
{
	XLogRecPtr end = stride.ctx->reader->EndRecPtr;

	if (end >= stride.flushed && !RecoveryInProgress())
#if PG_VERSION_NUM >= 150000
		stride.flushed = GetFlushRecPtr(NULL);
#else
		stride.flushed = GetFlushRecPtr();
#endif
	return end + bytes < stride.flushed;
}

bool stride_is_reading(void)
{
	return stride.reading;
}

/* False: there is none, since the stream or the server ends. */
static bool take_record(LogicalDecodingContext *ctx)
{
	char *error = NULL;
	XLogRecord *record = XLogReadRecord(ctx->reader, &error);

	if (error) /* asked again, the reader may go on behind such a record */
		elog(ERROR, "could not find record while sending logically-decoded data: %s", error);
	if (record)
		LogicalDecodingProcessRecord(ctx, ctx->reader);
	return record;
}

void stride_go(void)
{
	XLogReaderState *reader = stride.ctx->reader;

	if (stride.reading || reader->EndRecPtr != MyWalSnd->sentPtr)
		return;
	for (int i = 0; i < RECORDS_MAX && reader->EndRecPtr != stride.end && stride_has_log(REST_BYTES); i++) {
		CHECK_FOR_INTERRUPTS();
		if (!take_record(stride.ctx))
			break;
	}
}

void stride_end(void)
{
	stride.end = stride.ctx->reader->EndRecPtr;
}
