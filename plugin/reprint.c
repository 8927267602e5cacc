#include "postgres.h"

#include "catalog/pg_language.h"
#include "catalog/pg_proc.h"
#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/syscache.h"

#include "lookup.h"
#include "reprint.h"

/* An extension may have PostgreSQL's own function by another name (citext). */
static Oid own_function(Oid function)
{
	HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool isnull;

	/* It may be gone with its type by now. */
	if (!HeapTupleIsValid(tuple))
		return function;
	if (((Form_pg_proc)GETSTRUCT(tuple))->prolang == INTERNALlanguageId) {
		Datum source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &isnull);
		function = fmgr_internal_function(TextDatumGetCString(source));
	}
	ReleaseSysCache(tuple);
	return function;
}

/* Which print alike, or so that readers can tell the one from the other. */
static Oid kind_of(Oid function)
{
	function = own_function(function);
	switch (function) {
	case F_VARCHAROUT:
	case F_BPCHAROUT: return F_TEXTOUT;
	case F_VARBIT_OUT: return F_BIT_OUT;
	case F_TIMESTAMPTZ_OUT: return F_TIMESTAMP_OUT;
	case F_CIDR_OUT: return F_INET_OUT;
	case F_OIDOUT: return F_INT4OUT;
	default: return function;
	}
}

static Oid *outputs_now(struct relation_cache *cache, const struct relation *relation)
{
	Oid *outputs = MemoryContextAllocZero(cache->context, (relation->column_count + 1) * sizeof(*outputs));

	for (int i = 0; i < relation->column_count; i++)
		if (!relation->columns[i].silent)
			outputs[i] = relation->columns[i].type.function.fn_oid;
	return outputs;
}

static Oid *outputs_before(ReorderBufferTXN *txn, const struct relation *relation)
{
	Snapshot past = lookup_without_own(txn);
	Oid *outputs = lookup_outputs(past, relation->relid, relation->column_count);

	lookup_free(past);
	return outputs;
}

List *reprint_find(struct relation_cache *cache, ReorderBufferTXN *txn, struct relation *relation, bool kept)
{
	/* Where the transaction has told none yet, that from before it counts. */
	bool told = relation->outputs_xid == txn->xid;
	int count = told ? relation->output_count : relation->column_count;
	Oid *before = told ? relation->outputs : kept ? outputs_before(txn, relation) : NULL;
	Oid *now = outputs_now(cache, relation);
	List *columns = NIL;

	for (int i = 0; kept && i < count; i++)
		if (OidIsValid(before[i]) && OidIsValid(now[i]) && before[i] != now[i] && kind_of(before[i]) != kind_of(now[i]))
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
