#include "postgres.h"

#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/skey.h"
#include "access/table.h"
#include "access/transam.h"
#include "catalog/indexing.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_class.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_language.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/tuptable.h"
#include "parser/parse_coerce.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/rel.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#include "lookup.h"

/* A catalog being read; rows by next_row. */
struct reading {
	Relation catalog;
	SysScanDesc scan;
};

/* By `index`, or, where that is InvalidOid, all of it. */
static struct reading start(Oid catalog, Oid index, Snapshot snapshot, int key_count, ScanKey keys)
{
	Relation rel = table_open(catalog, AccessShareLock);

	return (struct reading){rel, systable_beginscan(rel, index, OidIsValid(index), snapshot, key_count, keys)};
}

static void *next_row(struct reading *reading)
{
	HeapTuple tuple = systable_getnext(reading->scan);

	return HeapTupleIsValid(tuple) ? GETSTRUCT(tuple) : NULL;
}

static void finish(struct reading *reading)
{
	systable_endscan(reading->scan);
	table_close(reading->catalog, AccessShareLock);
}

static void by_oid(ScanKey key, AttrNumber column, Oid oid)
{
	ScanKeyInit(key, column, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(oid));
}

static void by_name(ScanKey key, AttrNumber column, const NameData *name)
{
	ScanKeyInit(key, column, BTEqualStrategyNumber, F_NAMEEQ, NameGetDatum(name));
}

static int compare(const void *a, const void *b)
{
	TransactionId x = *(const TransactionId *)a, y = *(const TransactionId *)b;

	return x < y ? -1 : x > y;
}

/* The transaction and its subtransactions, in order. */
static TransactionId *own_xids(ReorderBufferTXN *txn, int *count)
{
	TransactionId *xids = palloc((1 + txn->nsubtxns) * sizeof(*xids));
	dlist_iter iter;

	xids[0] = txn->xid;
	*count = 1;
	dlist_foreach(iter, &txn->subtxns) xids[(*count)++] = dlist_container(ReorderBufferTXN, node, iter.cur)->xid;
	qsort(xids, *count, sizeof(*xids), compare);
	return xids;
}

Snapshot lookup_without_own(ReorderBufferTXN *txn)
{
	Snapshot now = GetCatalogSnapshot(InvalidOid), before = palloc(sizeof(*before));
	int own_count;
	TransactionId *own = own_xids(txn, &own_count);

	/* A historic snapshot has the own ones in subxip; and in xip those that have committed, at
	 * the transaction's end also itself. */
	Assert(now->snapshot_type == SNAPSHOT_HISTORIC_MVCC);
	*before = *now;
	before->subxcnt = 0;
	before->xip = palloc((now->xcnt + 1) * sizeof(*before->xip));
	before->xcnt = 0;
	for (uint32 i = 0; i < now->xcnt; i++)
		if (!bsearch(&now->xip[i], own, own_count, sizeof(*own), compare))
			before->xip[before->xcnt++] = now->xip[i];
	pfree(own);
	return before;
}

void lookup_free(Snapshot before)
{
	pfree(before->xip);
	pfree(before);
}

static bool schema_name(Snapshot snapshot, Oid schema, NameData *name)
{
	ScanKeyData key;
	by_oid(&key, Anum_pg_namespace_oid, schema);
	struct reading reading = start(NamespaceRelationId, NamespaceOidIndexId, snapshot, 1, &key);
	Form_pg_namespace row = next_row(&reading);

	if (row)
		strlcpy(NameStr(*name), NameStr(row->nspname), NAMEDATALEN);
	finish(&reading);
	return row;
}

static bool is_replicated(Form_pg_class row)
{
	return row->relkind == RELKIND_RELATION && row->relpersistence == RELPERSISTENCE_PERMANENT &&
	       !OidIsValid(row->relrewrite);
}

Oid lookup_table(Snapshot snapshot, Oid relid, struct table_name *name)
{
	Oid schema = InvalidOid, file = InvalidOid;
	ScanKeyData key;
	by_oid(&key, Anum_pg_class_oid, relid);
	struct reading reading = start(RelationRelationId, ClassOidIndexId, snapshot, 1, &key);
	Form_pg_class row = next_row(&reading);

	memset(name, 0, sizeof(*name));
	if (row && is_replicated(row)) {
		schema = row->relnamespace;
		file = row->relfilenode;
		strlcpy(NameStr(name->table), NameStr(row->relname), NAMEDATALEN);
	}
	finish(&reading);
	return OidIsValid(schema) && schema_name(snapshot, schema, &name->schema) ? file : InvalidOid;
}

/* A historic snapshot has the transaction and its subtransactions, in order, once a command of theirs has changed a catalog
 * (reorderbuffer.c: ReorderBufferCopySnap). */
static bool is_own(Snapshot now, TransactionId xid)
{
	return now->subxcnt > 0 && bsearch(&xid, now->subxip, now->subxcnt, sizeof(xid), compare);
}

/* The command of the transaction that has made this version of a row. The row itself tells only the backend that ran it. */
static CommandId made_by(struct reading *reading, Snapshot now, HeapTuple tuple)
{
	Buffer buffer = ((BufferHeapTupleTableSlot *)reading->scan->slot)->buffer;
	HTAB *cids = HistoricSnapshotGetTupleCids();
	CommandId made, ended;

	if (!cids || !ResolveCminCmaxDuringDecoding(cids, now, tuple, buffer, &made, &ended))
		return InvalidCommandId;
	return made;
}

bool lookup_was_unlogged(Oid relid, CommandId since)
{
	Snapshot now = GetCatalogSnapshot(InvalidOid);
	bool was = false;
	ScanKeyData key;
	by_oid(&key, Anum_pg_class_oid, relid);
	/* All versions that there are: the slot keeps those of the transaction until it is confirmed. */
	struct reading reading = start(RelationRelationId, ClassOidIndexId, SnapshotAny, 1, &key);
	HeapTuple tuple;

	while (!was && HeapTupleIsValid(tuple = systable_getnext(reading.scan))) {
		if (((Form_pg_class)GETSTRUCT(tuple))->relpersistence != RELPERSISTENCE_UNLOGGED ||
		    !is_own(now, HeapTupleHeaderGetRawXmin(tuple->t_data)))
			continue;
		CommandId made = made_by(&reading, now, tuple);
		was = made >= since && made < now->curcid; /* InvalidCommandId is the largest */
	}
	finish(&reading);
	return was;
}

/* It stands in an array of one. */
static Datum read_missing(HeapTuple tuple, TupleDesc desc, Form_pg_attribute attribute)
{
	int one = 1;
	bool isnull;
	Datum array = heap_getattr(tuple, Anum_pg_attribute_attmissingval, desc, &isnull);

	/* A copy: it may stand in the catalog's own page. */
	Datum value = array_get_element(array, 1, &one, -1, attribute->attlen, attribute->attbyval, attribute->attalign, &isnull);

	return datumCopy(value, attribute->attbyval, attribute->attlen);
}

AttrMissing *lookup_missing(Relation rel)
{
	Snapshot now = GetCatalogSnapshot(InvalidOid);
	TupleDesc desc = RelationGetDescr(rel);
	AttrMissing *missing = NULL;
	HeapTuple tuple;
	ScanKeyData key;

	if (now->subxcnt == 0)
		return NULL;
	by_oid(&key, Anum_pg_attribute_attrelid, RelationGetRelid(rel));
	struct reading reading = start(AttributeRelationId, AttributeRelidNumIndexId, SnapshotAny, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(reading.scan))) {
		Form_pg_attribute then = (Form_pg_attribute)GETSTRUCT(tuple);
		if (!then->atthasmissing || then->attnum > desc->natts || !is_own(now, HeapTupleHeaderGetRawXmin(tuple->t_data)))
			continue;
		/* Of one that was dropped since there is nothing to fill. Where another type made the rows anew, they come. */
		Form_pg_attribute current = TupleDescAttr(desc, then->attnum - 1);
		if (current->atthasmissing || current->attisdropped || !IsBinaryCoercible(then->atttypid, current->atttypid) ||
		    made_by(&reading, now, tuple) >= now->curcid)
			continue;
		if (!missing)
			missing = palloc0(desc->natts * sizeof(*missing));
		missing[then->attnum - 1] = (AttrMissing){true, read_missing(tuple, RelationGetDescr(reading.catalog), then)};
	}
	finish(&reading);
	return missing;
}

static Oid output_of(Snapshot snapshot, Oid type)
{
	Oid output = InvalidOid;
	ScanKeyData key;
	by_oid(&key, Anum_pg_type_oid, type);
	struct reading reading = start(TypeRelationId, TypeOidIndexId, snapshot, 1, &key);
	Form_pg_type row = next_row(&reading);

	if (row)
		output = row->typoutput; /* a domain has its base type's */
	finish(&reading);
	return output;
}

static uint64 hash_text(Datum value, uint64 seed)
{
	const text *plain = DatumGetTextPP(value);

	return hash_bytes_extended((const unsigned char *)VARDATA_ANY(plain), (int)VARSIZE_ANY_EXHDR(plain), seed);
}

/* See struct type_output. */
static uint64 code_of(HeapTuple tuple, TupleDesc desc)
{
	Form_pg_proc row = (Form_pg_proc)GETSTRUCT(tuple);
	bool isnull, has_no_library;
	Datum source = heap_getattr(tuple, Anum_pg_proc_prosrc, desc, &isnull);
	Datum library = heap_getattr(tuple, Anum_pg_proc_probin, desc, &has_no_library);
	Oid own = InvalidOid;

	if (row->prolang == ClanguageId && !has_no_library)
		return hash_text(source, hash_text(library, 0)) | UINT64CONST(1) << 63;
	if (row->prolang == INTERNALlanguageId)
		own = fmgr_internal_function(TextDatumGetCString(source));
	return OidIsValid(own) ? own : row->oid;
}

struct type_output lookup_output(Snapshot snapshot, Oid function)
{
	struct type_output output = {function, function};

	if (function < FirstNormalObjectId)
		return output;
	ScanKeyData key;
	by_oid(&key, Anum_pg_proc_oid, function);
	struct reading reading = start(ProcedureRelationId, ProcedureOidIndexId, snapshot, 1, &key);
	HeapTuple tuple = systable_getnext(reading.scan);
	if (HeapTupleIsValid(tuple))
		output.code = code_of(tuple, RelationGetDescr(reading.catalog));
	finish(&reading);
	return output;
}

struct type_output *lookup_outputs(Snapshot snapshot, Oid relid, int count)
{
	struct type_output *outputs = palloc0((count + 1) * sizeof(*outputs));
	Form_pg_attribute row;
	ScanKeyData key;
	by_oid(&key, Anum_pg_attribute_attrelid, relid);
	struct reading reading = start(AttributeRelationId, AttributeRelidNumIndexId, snapshot, 1, &key);

	while ((row = next_row(&reading)))
		if (row->attnum > 0 && row->attnum <= count && !row->attisdropped)
			outputs[row->attnum - 1] = lookup_output(snapshot, output_of(snapshot, row->atttypid));
	finish(&reading);
	return outputs;
}

Oid lookup_name(Snapshot snapshot, const struct table_name *name)
{
	Oid schema = InvalidOid, relid = InvalidOid;
	ScanKeyData keys[2];

	by_name(&keys[0], Anum_pg_namespace_nspname, &name->schema);
	struct reading schemas = start(NamespaceRelationId, NamespaceNameIndexId, snapshot, 1, keys);
	Form_pg_namespace found = next_row(&schemas);
	if (found)
		schema = found->oid;
	finish(&schemas);
	if (!OidIsValid(schema))
		return InvalidOid;

	by_name(&keys[0], Anum_pg_class_relname, &name->table);
	by_oid(&keys[1], Anum_pg_class_relnamespace, schema);
	struct reading tables = start(RelationRelationId, ClassNameNspIndexId, snapshot, 2, keys);
	Form_pg_class row = next_row(&tables);
	if (row && is_replicated(row))
		relid = row->oid;
	finish(&tables);
	return relid;
}

List *lookup_tables_in(Snapshot snapshot, List *relids, Oid schema)
{
	Form_pg_class row;
	ScanKeyData key;
	by_oid(&key, Anum_pg_class_relnamespace, schema);
	struct reading reading = start(RelationRelationId, InvalidOid, snapshot, 1, &key);

	while ((row = next_row(&reading)))
		relids = lappend_oid(relids, row->oid);
	finish(&reading);
	return relids;
}

Oid lookup_row_type(Snapshot snapshot, Oid relid)
{
	Oid type = InvalidOid;
	ScanKeyData key;
	by_oid(&key, Anum_pg_class_oid, relid);
	struct reading reading = start(RelationRelationId, ClassOidIndexId, snapshot, 1, &key);
	Form_pg_class row = next_row(&reading);

	if (row)
		type = row->reltype;
	finish(&reading);
	return type;
}

List *lookup_tables_with(Snapshot snapshot, List *relids, List *types)
{
	/* The list grows by the types that are made of one on it. */
	for (int i = 0; i < list_length(types); i++) {
		Form_pg_depend row;
		ScanKeyData keys[2];
		by_oid(&keys[0], Anum_pg_depend_refclassid, TypeRelationId);
		by_oid(&keys[1], Anum_pg_depend_refobjid, list_nth_oid(types, i));
		struct reading reading = start(DependRelationId, DependReferenceIndexId, snapshot, 2, keys);

		while ((row = next_row(&reading))) {
			Oid type = InvalidOid;
			if (row->classid == RelationRelationId) {
				relids = lappend_oid(relids, row->objid);
				type = lookup_row_type(snapshot, row->objid);
			} else if (row->classid == TypeRelationId) {
				type = row->objid;
			}
			if (OidIsValid(type))
				types = list_append_unique_oid(types, type);
		}
		finish(&reading);
	}
	return relids;
}

List *lookup_renamed_schemas(Snapshot before, Snapshot now)
{
	List *schemas = NIL;
	NameData name;
	Form_pg_namespace row;
	struct reading reading = start(NamespaceRelationId, InvalidOid, before, 0, NULL);

	while ((row = next_row(&reading)))
		if (schema_name(now, row->oid, &name) && strcmp(NameStr(name), NameStr(row->nspname)) != 0)
			schemas = lappend_oid(schemas, row->oid);
	finish(&reading);
	return schemas;
}

List *lookup_types(Snapshot snapshot, bool (*chosen)(void *ctx, Oid type, Oid schema), void *ctx)
{
	List *types = NIL;
	Form_pg_type row;
	struct reading reading = start(TypeRelationId, InvalidOid, snapshot, 0, NULL);

	while ((row = next_row(&reading)))
		if (chosen(ctx, row->oid, row->typnamespace))
			types = lappend_oid(types, row->oid);
	finish(&reading);
	return types;
}

List *lookup_enums(Snapshot snapshot, bool (*chosen)(void *ctx, Oid label), void *ctx)
{
	List *types = NIL;
	Form_pg_enum row;
	struct reading reading = start(EnumRelationId, InvalidOid, snapshot, 0, NULL);

	while ((row = next_row(&reading)))
		if (chosen(ctx, row->oid))
			types = list_append_unique_oid(types, row->enumtypid);
	finish(&reading);
	return types;
}
