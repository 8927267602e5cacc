#include "postgres.h"

#include "access/transam.h"
#include "catalog/pg_class.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "utils/catcache.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "lookup.h"
#include "relation.h"

/* A database that makes a partition each hour needs years to get there; one
 * that has so many tables gets its schema lines again now and then. */
#define RELATION_MAX 16384

/* More than this is not kept for the next transaction. */
#define TOLD_KEPT 4096

struct owner {
	struct table_name name; /* the hash key */
	Oid relid;              /* InvalidOid: readers know that the name is free */
};

/* Where the server's messages go. They cannot be unsubscribed, so this is
 * NULL whenever there is no session, however that came about. */
static struct relation_cache *live;

static void invalidate_all(void)
{
	HASH_SEQ_STATUS scan;
	struct relation *relation;

	hash_seq_init(&scan, live->by_oid);
	while ((relation = hash_seq_search(&scan)))
		relation->valid = false;
}

/* These come at any time a catalog is looked at, so also while a row is being
 * printed: they only mark, and free nothing. */
static void on_relation(Datum arg, Oid relid)
{
	struct relation *relation;

	if (!live)
		return;
	if (!OidIsValid(relid))
		invalidate_all();
	else if ((relation = hash_search(live->by_oid, &relid, HASH_FIND, NULL)))
		relation->valid = false;
}

/* A schema, a type or an enum's label was changed, maybe renamed. That is rare enough not to ask which. */
static void on_syscache(Datum arg, int cache, uint32 hash)
{
	if (!live)
		return;
	invalidate_all();
	live->renamed = true;
}

static void on_context_gone(void *arg)
{
	if (live == arg)
		live = NULL;
}

static void subscribe(struct relation_cache *cache, MemoryContext parent)
{
	static bool subscribed = false;
	MemoryContextCallback *callback = MemoryContextAllocZero(parent, sizeof(*callback));

	callback->func = on_context_gone;
	callback->arg = cache;
	MemoryContextRegisterResetCallback(parent, callback);
	live = cache;

	if (subscribed)
		return;
	CacheRegisterRelcacheCallback(on_relation, (Datum)0);
	CacheRegisterSyscacheCallback(NAMESPACEOID, on_syscache, (Datum)0);
	CacheRegisterSyscacheCallback(TYPEOID, on_syscache, (Datum)0);
	CacheRegisterSyscacheCallback(ENUMOID, on_syscache, (Datum)0);
	subscribed = true;
}

static void create_tables(struct relation_cache *cache)
{
	HASHCTL by_oid = {.keysize = sizeof(Oid), .entrysize = sizeof(struct relation), .hcxt = cache->context};
	HASHCTL by_name = {
	    .keysize = sizeof(struct table_name), .entrysize = sizeof(struct owner), .hcxt = cache->context};

	cache->by_oid = hash_create("deltaflood relations", 128, &by_oid, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	cache->by_name = hash_create("deltaflood names", 128, &by_name, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

void relation_cache_init(struct relation_cache *cache, const struct options *options, const struct text *text,
                         MemoryContext parent)
{
	*cache = (struct relation_cache){.options = options, .text = text};
	cache->context = AllocSetContextCreate(parent, "deltaflood relations", ALLOCSET_DEFAULT_SIZES);
	create_tables(cache);
	subscribe(cache, parent);
}

/* Nothing locks a schema or a type of a table that is being written to. So one may have been renamed, and be known by its new name, before a
 * transaction comes that wrote under the older one: the server's messages reach that in the midst of its changes only. */
static void forget_newer_names(struct relation_cache *cache, const ReorderBufferTXN *txn)
{
	if (cache->renamed)
		cache->renamed_lsn = cache->last_end;
	if (txn->base_snapshot_lsn < cache->renamed_lsn) {
		CatalogCacheFlushCatalog(NamespaceRelationId);
		CatalogCacheFlushCatalog(TypeRelationId);
		CatalogCacheFlushCatalog(EnumRelationId);
		invalidate_all();
	}
	cache->renamed = false;
	cache->last_end = txn->end_lsn;
}

void relation_cache_begin(struct relation_cache *cache, const ReorderBufferTXN *txn)
{
	forget_newer_names(cache, txn);
	if (cache->told_cap > TOLD_KEPT) {
		pfree(cache->told);
		cache->told = NULL;
		cache->told_cap = 0;
	}
	cache->told_count = 0;
	if (hash_get_num_entries(cache->by_oid) <= RELATION_MAX && hash_get_num_entries(cache->by_name) <= RELATION_MAX)
		return;
	live = NULL;
	cache->recent = NULL;
	cache->told = NULL;
	cache->told_cap = 0;
	MemoryContextReset(cache->context);
	create_tables(cache);
	live = cache;
}

/* What is built goes through the caller's memory context, which is a change's,
 * and is kept in the size that it has. */
static const char *keep(const struct relation *relation, StringInfo built, int *len)
{
	char *kept = MemoryContextAlloc(relation->context, (Size)built->len + 1);

	memcpy(kept, built->data, (Size)built->len + 1);
	*len = built->len;
	pfree(built->data);
	return kept;
}

static void refuse_name(const struct relation_cache *cache, const struct relation *relation)
{
	text_refuse(cache->text, NameStr(relation->name.schema), NameStr(relation->name.table), NULL);
}

static bool append_name(const struct relation_cache *cache, StringInfo out, const char *name)
{
	if (!text_append(cache->text, out, name, strlen(name)))
		return false;
	appendStringInfoCharMacro(out, '\t');
	return true;
}

bool relation_append_lead(const struct relation_cache *cache, StringInfo out, const struct table_name *name)
{
	if (strcmp(NameStr(name->schema), "public") != 0) {
		appendStringInfoString(out, "_schema\t");
		if (!append_name(cache, out, NameStr(name->schema)))
			return false;
	}
	appendStringInfoString(out, "_table\t");
	return append_name(cache, out, NameStr(name->table));
}

static void build_lead(struct relation_cache *cache, struct relation *relation)
{
	StringInfoData lead;

	initStringInfo(&lead);
	if (!relation_append_lead(cache, &lead, &relation->name))
		refuse_name(cache, relation);
	relation->lead = keep(relation, &lead, &relation->lead_len);
}

static void build_column(struct relation_cache *cache, struct relation *relation, struct column *column,
                         Form_pg_attribute attribute)
{
	StringInfoData lead;

	column->name = MemoryContextStrdup(relation->context, NameStr(attribute->attname));
	/* 'v' is a generated column that is computed when read (PostgreSQL 18). */
	column->silent = attribute->attisdropped || attribute->attgenerated == 'v';
	if (column->silent)
		return;
	initStringInfo(&lead);
	appendStringInfoCharMacro(&lead, '\t');
	if (!append_name(cache, &lead, column->name))
		refuse_name(cache, relation);
	column->lead = keep(relation, &lead, &column->lead_len);
	column->may_be_external = attribute->attlen == -1;
	value_init(&column->type, attribute->atttypid, cache->options->convert_bool, relation->context);
}

static const char *build_definition(struct relation_cache *cache, struct relation *relation, Relation rel, const struct key *key,
                                    const AttrMissing *missing, int *len)
{
	StringInfoData line;

	initStringInfo(&line);
	schema_print(cache->text, &line, rel, &relation->name, relation->columns, key, missing);
	return keep(relation, &line, len);
}

static void build(struct relation_cache *cache, struct relation *relation, Relation rel)
{
	TupleDesc desc = RelationGetDescr(rel);
	struct key key;

	build_lead(cache, relation);
	relation->column_count = desc->natts;
	relation->columns = MemoryContextAllocZero(relation->context, desc->natts * sizeof(struct column));
	relation->values = MemoryContextAlloc(relation->context, desc->natts * sizeof(Datum));
	relation->nulls = MemoryContextAlloc(relation->context, desc->natts * sizeof(bool));
	for (int i = 0; i < desc->natts; i++)
		build_column(cache, relation, &relation->columns[i], TupleDescAttr(desc, i));

	key_find(&key, rel);
	for (int i = 0; i < desc->natts; i++)
		relation->columns[i].in_key = key.kind == KEY_FULL;
	for (int i = 0; i < key.count; i++)
		relation->columns[key.columns[i] - 1].in_key = true;

	relation->definition = relation->filling = NULL;
	if (cache->options->include_schema) {
		const AttrMissing *missing = lookup_missing(rel);
		if (missing)
			relation->filling = build_definition(cache, relation, rel, &key, missing, &relation->filling_len);
		relation->definition = build_definition(cache, relation, rel, &key, NULL, &relation->definition_len);
	}
}

static void read_name(struct relation *relation, Relation rel)
{
	char *schema = get_namespace_name(RelationGetNamespace(rel));

	if (!schema)
		elog(ERROR, "deltaflood: no schema %u of table \"%s\"", RelationGetNamespace(rel),
		     RelationGetRelationName(rel));
	memset(&relation->name, 0, sizeof(relation->name));
	strlcpy(NameStr(relation->name.schema), schema, NAMEDATALEN);
	strlcpy(NameStr(relation->name.table), RelationGetRelationName(rel), NAMEDATALEN);
}

static void refresh(struct relation_cache *cache, struct relation *relation, Relation rel)
{
	/* First, since a message may come during the work. An error in it ends the session. */
	relation->valid = true;
	relation->announced = false;
	if (relation->context)
		MemoryContextReset(relation->context);
	read_name(relation, rel);
	/* Materialized views come too, but what is in them follows from the tables; and initdb's own (information_schema). */
	relation->wanted = rel->rd_rel->relkind == RELKIND_RELATION && RelationGetRelid(rel) >= FirstNormalObjectId &&
					   options_want(cache->options, &relation->name);
	if (!relation->wanted)
		return;
	if (!relation->context)
		relation->context = AllocSetContextCreate(cache->context, "deltaflood relation", ALLOCSET_SMALL_SIZES);
	build(cache, relation, rel);
}

struct relation *relation_find(struct relation_cache *cache, Relation rel)
{
	Oid relid = RelationGetRelid(rel);
	struct relation *relation = cache->recent;
	bool found;

	if (!relation || relation->relid != relid) {
		relation = hash_search(cache->by_oid, &relid, HASH_ENTER, &found);
		if (!found)
			*relation = (struct relation){.relid = relid};
		cache->recent = relation;
	}
	if (!relation->valid)
		refresh(cache, relation, rel);
	return relation;
}

/* Makes it the owner of its name. */
static Oid take_name(struct relation_cache *cache, struct relation *relation)
{
	bool found;
	struct owner *owner = hash_search(cache->by_name, &relation->name, HASH_ENTER, &found);
	Oid before = !found ? InvalidOid : OidIsValid(owner->relid) ? owner->relid : relation->relid;
	struct relation *other;

	owner->relid = relation->relid;
	if (before != relation->relid && (other = hash_search(cache->by_oid, &before, HASH_FIND, NULL))) {
		other->announced = false;
		other->lost = true;
	}
	return before;
}

static void leave_name(struct relation_cache *cache, Oid relid, const struct table_name *name)
{
	struct owner *owner = hash_search(cache->by_name, name, HASH_FIND, NULL);

	if (owner && owner->relid == relid)
		owner->relid = InvalidOid;
}

static bool is_sent(const struct relation *relation)
{
	return relation->sent && !relation->lost &&
	       relation->sent_len == relation->lead_len + relation->definition_len &&
	       memcmp(relation->sent, relation->lead, (Size)relation->lead_len) == 0 &&
	       memcmp(relation->sent + relation->lead_len, relation->definition, (Size)relation->definition_len) == 0;
}

void relation_note(struct relation_cache *cache, const struct relation *relation)
{
	if (cache->told_count == cache->told_cap) {
		cache->told_cap = cache->told_cap ? 2 * cache->told_cap : 64;
		Size size = (Size)cache->told_cap * sizeof(struct told);
		cache->told = cache->told ? repalloc_huge(cache->told, size)
		                          : MemoryContextAllocHuge(cache->context, size);
	}
	cache->told[cache->told_count++] = (struct told){relation->relid, relation->name};
}

bool relation_announce(struct relation_cache *cache, struct relation *relation, Oid *before)
{
	if (relation->announced || !relation->definition)
		return false;
	relation->announced = true;
	/* In any case: the name is to be taken. */
	*before = take_name(cache, relation);
	if (*before == relation->relid && is_sent(relation))
		return false;

	if (relation->sent) {
		if (memcmp(&relation->sent_name, &relation->name, sizeof(relation->name)) != 0)
			leave_name(cache, relation->relid, &relation->sent_name);
		pfree(relation->sent);
	}
	relation->sent_len = relation->lead_len + relation->definition_len;
	relation->sent = MemoryContextAlloc(cache->context, (Size)relation->sent_len);
	memcpy(relation->sent, relation->lead, (Size)relation->lead_len);
	memcpy(relation->sent + relation->lead_len, relation->definition, (Size)relation->definition_len);
	relation->sent_name = relation->name;
	relation->lost = false;
	relation_note(cache, relation);
	return true;
}

bool relation_holds(struct relation_cache *cache, const struct told *told)
{
	struct relation *relation = hash_search(cache->by_oid, &told->relid, HASH_FIND, NULL);

	return relation && relation->valid && memcmp(&relation->name, &told->name, sizeof(told->name)) == 0;
}

bool relation_was_met(struct relation_cache *cache, Oid relid, TransactionId xid)
{
	struct relation *relation = hash_search(cache->by_oid, &relid, HASH_FIND, NULL);

	return relation && relation->file_xid == xid;
}

bool relation_told_name(struct relation_cache *cache, Oid relid, const struct table_name *past, struct table_name *name)
{
	struct relation *relation = hash_search(cache->by_oid, &relid, HASH_FIND, NULL);

	if (relation && relation->sent)
		*name = relation->sent_name;
	else if (past)
		*name = *past;
	else
		return false;
	struct owner *owner = hash_search(cache->by_name, name, HASH_FIND, NULL);
	return !owner || owner->relid == relid;
}

void relation_outdate(struct relation_cache *cache, Oid relid)
{
	struct relation *relation = hash_search(cache->by_oid, &relid, HASH_FIND, NULL);

	if (relation)
		relation->valid = false;
}

void relation_forget(struct relation_cache *cache, Oid relid, const struct table_name *name)
{
	struct relation *relation = hash_search(cache->by_oid, &relid, HASH_FIND, NULL);
	bool found;
	struct owner *owner = hash_search(cache->by_name, name, HASH_ENTER, &found);

	if (!found || owner->relid == relid)
		owner->relid = InvalidOid;
	if (!relation)
		return;
	if (relation->sent)
		pfree(relation->sent);
	relation->sent = NULL;
	relation->announced = false;
}
