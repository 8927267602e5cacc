/*
 * deltaflood.c - the output plugin: decoded changes as lines.
 *
 * common/line.h has the grammar, docs/FORMAT.md what the lines mean. There
 * are no stream callbacks on purpose: what is rolled back is never sent.
 *
 * All state hangs on the decoding context and goes with it, also after an
 * error; relation.c, cork.c and stride.c keep what the server's callbacks need.
 */
#include "postgres.h"

#include "access/xact.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "replication/logical.h"
#include "replication/origin.h"
#include "replication/output_plugin.h"
#include "replication/walsender.h"
#include "utils/memutils.h"

#include "cork.h"
#include "define.h"
#include "put.h"
#include "row.h"
#include "session.h"
#include "settings.h"

PG_MODULE_MAGIC;

/* A transaction that others' messages do not wait for. */
#define LARGE_CHANGES 100

extern PGDLLEXPORT void _PG_output_plugin_init(OutputPluginCallbacks *callbacks);

static void startup(LogicalDecodingContext *ctx, OutputPluginOptions *options, bool is_init)
{
	struct session *session = MemoryContextAllocZero(ctx->context, sizeof(*session));

	options->output_type = OUTPUT_PLUGIN_TEXTUAL_OUTPUT;
	options->receive_rewrites = true;
	options_parse(&session->options, ctx->output_plugin_options, ctx->context);
	/* The SQL functions, which a walsender can also run, do so in a transaction of their caller's. */
	session->streams = am_walsender && !is_init && !IsTransactionState();
	if (session->streams)
		settings_pin(); /* for all its transactions at once */
	output_init(&session->output, ctx, ctx->context, session->options.batch_bytes);
	session->scratch = AllocSetContextCreate(ctx->context, "deltaflood change", ALLOCSET_DEFAULT_SIZES);
	relation_cache_init(&session->relations, &session->options, &session->text, ctx->context);
	ctx->output_plugin_private = session;
	if (session->streams && session->options.batch_bytes > 0) /* else each line is wanted at once */
		cork_install(ctx);
	/* Else it is asked about each change, for nothing. */
	if (!session->options.only_local)
		ctx->callbacks.filter_by_origin_cb = NULL;
}

static bool filter_by_origin(LogicalDecodingContext *ctx, RepOriginId origin)
{
	struct session *session = ctx->output_plugin_private;

	return session->options.only_local && origin != InvalidRepOriginId;
}

static void begin(LogicalDecodingContext *ctx, ReorderBufferTXN *txn)
{
	struct session *session = ctx->output_plugin_private;

	if (!session->started) {
		text_init(&session->text, session->streams);
		session->started = true;
	}
	if (txn->nentries + txn->nsubtxns > LARGE_CHANGES)
		cork_release();
	session->begun = false;
	relation_cache_begin(&session->relations, txn);
	settings_pin();
}

static void commit(LogicalDecodingContext *ctx, ReorderBufferTXN *txn, XLogRecPtr commit_lsn)
{
	struct session *session = ctx->output_plugin_private;
	MemoryContext old = MemoryContextSwitchTo(session->scratch);

	define_print_rest(session, txn);
	MemoryContextSwitchTo(old);
	MemoryContextReset(session->scratch);

	/* For pg_stat_replication the server takes note once a second, and asks the clock each time that it is told. One
	 * without lines may keep a synchronous commit waiting. */
	if (!session->begun || session_in_new_second(session, txn))
		output_progress(&session->output, !session->begun);
	session_print_commit(session, txn);
	output_flush(&session->output);
	session->begun = false;
}

/* On PostgreSQL 17 a tuple lost its wrapping. */
#if PG_VERSION_NUM >= 170000
#define TUPLE(held) (held)
#else
#define TUPLE(held) ((held) ? &(held)->tuple : NULL)
#endif

static void print_new(struct session *session, struct relation *relation, Relation rel, const char *action,
                      HeapTuple tuple)
{
	/* Every insert and update carries it, where wal_level was logical; without it the copy would be wrong. */
	if (!tuple)
		elog(ERROR, "deltaflood: no new row in a change of table \"%s.%s\"", NameStr(relation->name.schema),
		     NameStr(relation->name.table));
	StringInfo out = session_begin_line(session, relation);
	put(out, action, (int)strlen(action));
	row_append_new(out, &session->relations, relation, RelationGetDescr(rel), tuple);
	output_end(&session->output);
}

static void print_old(struct session *session, struct relation *relation, Relation rel, const char *action,
                      HeapTuple tuple)
{
	StringInfo out = session_begin_line(session, relation);

	put(out, action, (int)strlen(action));
	if (tuple)
		row_append_old(out, &session->relations, relation, RelationGetDescr(rel), tuple);
	output_end(&session->output);
}

static void print_change(struct session *session, struct relation *relation, Relation rel, ReorderBufferChange *change)
{
	HeapTuple old_row = TUPLE(change->data.tp.oldtuple), new_row = TUPLE(change->data.tp.newtuple);

	switch (change->action) {
	case REORDER_BUFFER_CHANGE_INSERT: print_new(session, relation, rel, "_action\tinsert", new_row); break;
	case REORDER_BUFFER_CHANGE_UPDATE:
		if (old_row)
			print_old(session, relation, rel, "_action\treplace", old_row);
		print_new(session, relation, rel, "_action\tupdate", new_row);
		break;
	case REORDER_BUFFER_CHANGE_DELETE: print_old(session, relation, rel, "_action\tdelete", old_row); break;
	default: elog(ERROR, "deltaflood: unknown change %d", (int)change->action);
	}
}

/* `rel` is the table, `written` what the change was made to: the table, or
 * the new one that a rewriting ALTER TABLE fills to put it in its place. */
static void change_table(struct session *session, ReorderBufferTXN *txn, Relation rel, Relation written,
                         ReorderBufferChange *change)
{
	struct relation *relation = relation_find(&session->relations, rel);
	Oid file = written->rd_rel->relfilenode;

	if (!relation->wanted) {
		define_pass(session, txn, relation, file);
		return;
	}
	if (rel != written && (relation->rewrite != RelationGetRelid(written) || relation->rewrite_xid != txn->xid)) {
		relation->rewrite = RelationGetRelid(written);
		relation->rewrite_xid = txn->xid;
		define_print_truncate(session, txn, relation, file);
	} else {
		define_print(session, txn, relation, file);
		session_ensure_begun(session, txn);
	}
	print_change(session, relation, rel, change);
}

static void change(LogicalDecodingContext *ctx, ReorderBufferTXN *txn, Relation written, ReorderBufferChange *change)
{
	struct session *session = ctx->output_plugin_private;
	MemoryContext old = MemoryContextSwitchTo(session->scratch);
	Oid original = written->rd_rel->relrewrite;

	if (!OidIsValid(original)) {
		change_table(session, txn, written, written, change);
	} else {
		Relation rel = RelationIdGetRelation(original);
		if (!RelationIsValid(rel))
			elog(ERROR, "deltaflood: no table %u, which is being rewritten", original);
		change_table(session, txn, rel, written, change);
		RelationClose(rel);
	}
	output_tick(&session->output);
	MemoryContextSwitchTo(old);
	MemoryContextReset(session->scratch);
}

static void truncate_tables(LogicalDecodingContext *ctx, ReorderBufferTXN *txn, int count, Relation rels[],
                            ReorderBufferChange *change)
{
	struct session *session = ctx->output_plugin_private;
	MemoryContext old = MemoryContextSwitchTo(session->scratch);

	for (int i = 0; i < count; i++) {
		struct relation *relation = relation_find(&session->relations, rels[i]);
		if (relation->wanted)
			define_print_truncate(session, txn, relation, InvalidOid);
		else
			define_pass(session, txn, relation, InvalidOid);
	}
	output_tick(&session->output);
	MemoryContextSwitchTo(old);
	MemoryContextReset(session->scratch);
}

/* As text; or, where that cannot be, as bytea is printed; NULL where it is too long for a line. A message must
 * never stop the stream. */
static void append_content(const struct text *text, StringInfo out, const char *bytes, Size len)
{
	int start = out->len;

	if (!text_fits(text, out, len)) {
		appendStringInfoString(out, "\\N");
		return;
	}
	if (pg_verify_mbstr(GetDatabaseEncoding(), bytes, (int)len, true) && text_append(text, out, bytes, len))
		return;
	out->len = start;
	text_hex(out, bytes, len);
}

/* A snapshot's, or what else daystream finds its place by (docs/FORMAT.md). */
static bool is_mark(const char *prefix)
{
	return strcmp(prefix, "daystream") == 0;
}

/* Who reads that knows nothing of daystream. */
static bool is_first_format(const struct options *options)
{
	return !options->include_commit && !options->include_schema;
}

static void message(LogicalDecodingContext *ctx, ReorderBufferTXN *txn, XLogRecPtr lsn, bool transactional,
                    const char *prefix, Size size, const char *content)
{
	struct session *session = ctx->output_plugin_private;

	if (!transactional || (is_mark(prefix) && is_first_format(&session->options)))
		return;
	MemoryContext old = MemoryContextSwitchTo(session->scratch);
	session_ensure_begun(session, txn);
	StringInfo out = output_begin(&session->output);
	appendBinaryStringInfo(out, session->xid, session->xid_len);
	appendStringInfoString(out, "_action\tmessage\tprefix\t");
	append_content(&session->text, out, prefix, strlen(prefix));
	appendStringInfoString(out, "\tcontent\t");
	append_content(&session->text, out, content, size);
	output_end(&session->output);
	output_tick(&session->output);
	MemoryContextSwitchTo(old);
	MemoryContextReset(session->scratch);
}

void _PG_output_plugin_init(OutputPluginCallbacks *callbacks)
{
	callbacks->startup_cb = startup;
	callbacks->filter_by_origin_cb = filter_by_origin;
	callbacks->begin_cb = begin;
	callbacks->change_cb = change;
	callbacks->truncate_cb = truncate_tables;
	callbacks->message_cb = message;
	callbacks->commit_cb = commit;
}
