#include "postgres.h"

#include "utils/memutils.h"

#include "cork.h"
#include "output.h"
#include "put.h"

/* The least size from which on a buffer is not kept. */
#define KEEP_BYTES (1024 * 1024)

/* Changes between two signs of life. */
#define QUIET_MAX 100

static void new_buffer(StringInfo buffer, MemoryContext context)
{
	MemoryContext old = MemoryContextSwitchTo(context);

	initStringInfo(buffer);
	MemoryContextSwitchTo(old);
}

void output_init(struct output *output, LogicalDecodingContext *ctx, MemoryContext context, int batch_bytes)
{
	*output = (struct output){.ctx = ctx, .context = context, .batch_bytes = batch_bytes};
	new_buffer(&output->lines, context);
}

/* Once a huge value has gone, its room goes too, in the server's buffer as in ours. */
static void empty(StringInfo buffer, MemoryContext context, int keep)
{
	if (buffer->maxlen > keep) {
		pfree(buffer->data);
		new_buffer(buffer, context);
	} else {
		resetStringInfo(buffer);
	}
}

StringInfo output_begin(struct output *output)
{
	if (output->lines.len > 0)
		PUT_LITERAL(&output->lines, "\n");
	return &output->lines;
}

void output_end(struct output *output)
{
	if (output->lines.len >= output->batch_bytes)
		output_flush(output);
}

void output_flush(struct output *output)
{
	StringInfo lines = &output->lines;

	if (lines->len == 0)
		return;
	OutputPluginPrepareWrite(output->ctx, true);
	appendBinaryStringInfo(output->ctx->out, lines->data, lines->len);
	cork_expect(lines->len);
	OutputPluginWrite(output->ctx, true);
	output->quiet = 0;

	int keep = Max(KEEP_BYTES, 4 * output->batch_bytes);
	empty(lines, output->context, keep);
	empty(output->ctx->out, output->ctx->context, keep);
}

void output_progress(struct output *output, bool skipped)
{
#if PG_VERSION_NUM >= 150000
	OutputPluginUpdateProgress(output->ctx, skipped);
#else
	OutputPluginUpdateProgress(output->ctx);
#endif
	output->quiet = 0;
}

void output_tick(struct output *output)
{
	if (++output->quiet < QUIET_MAX)
		return;
	cork_release();
	output_progress(output, false);
}
