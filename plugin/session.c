#include "postgres.h"

#include "access/transam.h"
#include "utils/builtins.h"

#include "put.h"
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
	put(out, session->xid, session->xid_len);
	PUT_LITERAL(out, "_action\tbegin\ttime\t");
	int start = out->len;
	value_append_time(out, commit_time(txn));
	session->time_len = out->len - start;
	memcpy(session->time, out->data + start, (Size)session->time_len);
	output_end(&session->output);
}

/* As %X. */
static void put_hex(StringInfo out, uint32 number)
{
	char digits[8], *at = digits + sizeof digits;

	do {
		*--at = "0123456789ABCDEF"[number & 15];
		number >>= 4;
	} while (number);
	put(out, at, (int)(digits + sizeof digits - at));
}

void session_print_commit(struct session *session, ReorderBufferTXN *txn)
{
	if (!session->begun || !session->options.include_commit)
		return;
	StringInfo out = output_begin(&session->output);
	put(out, session->xid, session->xid_len);
	PUT_LITERAL(out, "_action\tcommit\tlsn\t");
	put_hex(out, (uint32)(txn->end_lsn >> 32));
	PUT_LITERAL(out, "/");
	put_hex(out, (uint32)txn->end_lsn);
	PUT_LITERAL(out, "\ttime\t");
	put(out, session->time, session->time_len);
	output_end(&session->output);
}

bool session_in_new_second(struct session *session, ReorderBufferTXN *txn)
{
	int64 second = commit_time(txn) / USECS_PER_SEC;

	if (second == session->noted)
		return false;
	session->noted = second;
	return true;
}

StringInfo session_begin_line(struct session *session, const struct relation *relation)
{
	StringInfo out = output_begin(&session->output);

	put(out, relation->lead, relation->lead_len);
	put(out, session->xid, session->xid_len);
	return out;
}
