#include "postgres.h"

#include "access/transam.h"
#include "miscadmin.h"
#include "utils/syscache.h"

#include "lookup.h"
#include "touched.h"

/* Hashes of one cache's keys. */
struct hashes {
	uint32 *values; /* in order, once they are complete */
	int count, cap;
};

/* What the messages of a transaction say. */
struct messages {
	List *relids;
	struct hashes types, labels;
	bool schemas;
	List *renamed; /* of these schemas all types count */
};

static void add(struct hashes *hashes, uint32 value)
{
	if (hashes->count == hashes->cap) {
		hashes->cap = hashes->cap ? 2 * hashes->cap : 64;
		hashes->values = hashes->values ? repalloc(hashes->values, hashes->cap * sizeof(uint32))
		                                : palloc(hashes->cap * sizeof(uint32));
	}
	hashes->values[hashes->count++] = value;
}

static int compare(const void *a, const void *b)
{
	uint32 x = *(const uint32 *)a, y = *(const uint32 *)b;

	return x < y ? -1 : x > y;
}

static bool has(const struct hashes *hashes, uint32 value)
{
	return hashes->count > 0 && bsearch(&value, hashes->values, hashes->count, sizeof(uint32), compare);
}

static void read_message(struct messages *messages, const SharedInvalidationMessage *message)
{
	if (message->id == SHAREDINVALRELCACHE_ID) {
		/* The system's own tables have lower OIDs. */
		if (message->rc.dbId == MyDatabaseId && message->rc.relId >= FirstNormalObjectId)
			messages->relids = lappend_oid(messages->relids, message->rc.relId);
	} else if (message->id == TYPEOID) {
		add(&messages->types, message->cc.hashValue);
	} else if (message->id == ENUMOID) {
		add(&messages->labels, message->cc.hashValue);
	} else if (message->id == NAMESPACEOID) {
		messages->schemas = true;
	}
}

static bool type_is_meant(void *ctx, Oid type, Oid schema)
{
	const struct messages *messages = ctx;

	return has(&messages->types, GetSysCacheHashValue1(TYPEOID, ObjectIdGetDatum(type))) ||
	       list_member_oid(messages->renamed, schema);
}

static bool label_is_meant(void *ctx, Oid label)
{
	const struct messages *messages = ctx;

	return has(&messages->labels, GetSysCacheHashValue1(ENUMOID, ObjectIdGetDatum(label)));
}

/* Each once. */
static List *in_order(List *oids)
{
	list_sort(oids, list_oid_cmp);
	list_deduplicate_oid(oids);
	return oids;
}

List *touched_find(ReorderBufferTXN *txn, Snapshot before, Snapshot now)
{
	struct messages messages = {0};
	List *types = NIL;
	ListCell *cell;

	for (uint32 i = 0; i < txn->ninvalidations; i++)
		read_message(&messages, &txn->invalidations[i]);
	qsort(messages.types.values, messages.types.count, sizeof(uint32), compare);
	qsort(messages.labels.values, messages.labels.count, sizeof(uint32), compare);

	if (messages.schemas)
		messages.renamed = lookup_renamed_schemas(before, now);
	foreach (cell, messages.renamed)
		messages.relids = lookup_tables_in(before, messages.relids, lfirst_oid(cell));
	if (messages.types.count > 0 || messages.renamed)
		types = lookup_types(before, type_is_meant, &messages);
	if (messages.labels.count > 0)
		types = list_concat_unique_oid(types, lookup_enums(now, label_is_meant, &messages));
	/* A table's or composite type's rows may be another table's column. */
	List *relids = in_order(messages.relids);
	foreach (cell, relids) {
		Oid type = lookup_row_type(before, lfirst_oid(cell));
		if (OidIsValid(type))
			types = lappend_oid(types, type);
	}
	return in_order(lookup_tables_with(before, relids, types));
}
