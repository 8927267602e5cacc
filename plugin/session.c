#include "postgres.h"

#include "access/transam.h"
#include "utils/builtins.h"

#include "session.h"

/* All 64 bits. Decoding holds the horizon back, so no xid here is older than one epoch. */
static uint64 full_xid(TransactionId xid)
{
	FullTransactionId next = ReadNextFullTransactionId();
	uint64 epoch = EpochFromFullTransactionId(next);

	if (xid > XidFromFullTransactionId(next))
		epoch--;
	return epoch << 32 | xid;
}

static TimestampTz commit_time(ReorderBufferTXN *txn)
{
#if PG_VERSION_NUM >= 150000
	return txn->xact_time.commit_time;
#else
	return txn->commit_time;
#endif
}

void session_ensure_begun(struct session *session, ReorderBufferTXN *txn)
{
	if (session->begun)
		return;
	session->begun = true;
	session->xid_len = 0;
	if (session->options.include_xids) {
		char *end = stpcpy(session->xid, "_xid\t");
		end += pg_ulltoa_n(full_xid(txn->xid), end);
		*end++ = '\t';
		session->xid_len = (int)(end - session->xid);
	}
	if (!session->options.include_commit)
		return;

	StringInfo out = output_begin(&session->output);
	appendBinaryStringInfo(out, session->xid, session->xid_len);
	appendStringInfoString(out, "_action\tbegin\ttime\t");
	int start = out->len;
	value_append_time(out, commit_time(txn));
	strlcpy(session->time, out->data + start, sizeof(session->time));
	output_end(&session->output);
}

void session_print_commit(struct session *session, ReorderBufferTXN *txn)
{
	if (!session->begun || !session->options.include_commit)
		return;
	StringInfo out = output_begin(&session->output);
	appendBinaryStringInfo(out, session->xid, session->xid_len);
	appendStringInfo(out, "_action\tcommit\tlsn\t%X/%X\ttime\t%s", (uint32)(txn->end_lsn >> 32),
	                 (uint32)txn->end_lsn, session->time);
	output_end(&session->output);
}

StringInfo session_begin_line(struct session *session, const struct relation *relation)
{
	StringInfo out = output_begin(&session->output);

	appendBinaryStringInfo(out, relation->lead, relation->lead_len);
	appendBinaryStringInfo(out, session->xid, session->xid_len);
	return out;
}
