#include "postgres.h"

#include "utils/fmgroids.h"

#include "lookup.h"
#include "reprint.h"

/* Which print alike, or so that readers can tell the one from the other. */
static uint64 kind_of(uint64 code)
{
	switch (code) {
	case F_VARCHAROUT:
	case F_BPCHAROUT: return F_TEXTOUT;
	case F_VARBIT_OUT: return F_BIT_OUT;
	case F_TIMESTAMPTZ_OUT: return F_TIMESTAMP_OUT;
	case F_CIDR_OUT: return F_INET_OUT;
	case F_OIDOUT: return F_INT4OUT;
	case F_TXID_SNAPSHOT_OUT: return F_PG_SNAPSHOT_OUT;
	default: return code;
	}
}

static bool prints_otherwise(const struct type_output *before, const struct type_output *now)
{
	return OidIsValid(before->function) && OidIsValid(now->function) && before->function != now->function &&
	       kind_of(before->code) != kind_of(now->code);
}

static struct type_output *outputs_now(struct relation_cache *cache, const struct relation *relation)
{
	Snapshot now = GetCatalogSnapshot(InvalidOid);
	struct type_output *outputs = MemoryContextAllocZero(cache->context, (relation->column_count + 1) * sizeof(*outputs));

	for (int i = 0; i < relation->column_count; i++)
		if (!relation->columns[i].silent)
			outputs[i] = lookup_output(now, relation->columns[i].type.function.fn_oid);
	return outputs;
}

static struct type_output *outputs_before(ReorderBufferTXN *txn, const struct relation *relation)
{
	Snapshot past = lookup_without_own(txn);
	struct type_output *outputs = lookup_outputs(past, relation->relid, relation->column_count);

	lookup_free(past);
	return outputs;
}

List *reprint_find(struct relation_cache *cache, ReorderBufferTXN *txn, struct relation *relation, bool kept)
{
	/* Where the transaction has told none yet, that from before it counts. */
	bool told = relation->outputs_xid == txn->xid;
	int count = told ? relation->output_count : relation->column_count;
	struct type_output *before = told ? relation->outputs : kept ? outputs_before(txn, relation) : NULL;
	struct type_output *now = outputs_now(cache, relation);
	List *columns = NIL;

	for (int i = 0; kept && i < count; i++)
		if (prints_otherwise(&before[i], &now[i]))
			columns = lappend_int(columns, i);
	if (!told && before)
		pfree(before);
	if (relation->outputs)
		pfree(relation->outputs);
	relation->outputs = now;
	relation->output_count = relation->column_count;
	relation->outputs_xid = txn->xid;
	return columns;
}
