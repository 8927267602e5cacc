#include "postgres.h"

#include "catalog/pg_class.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "key.h"

static void read_index(struct key *key, Oid index)
{
	key->kind = KEY_NONE;
	key->count = 0;
	if (!OidIsValid(index))
		return;

	Relation rel = RelationIdGetRelation(index);
	if (!RelationIsValid(rel))
		elog(ERROR, "deltaflood: no index %u", index);
	for (int i = 0; i < IndexRelationGetNumberOfKeyAttributes(rel); i++)
		key->columns[key->count++] = rel->rd_index->indkey.values[i];
	RelationClose(rel);
	if (key->count > 0)
		key->kind = KEY_COLUMNS;
}

void key_find(struct key *key, Relation rel)
{
	if (rel->rd_rel->relreplident == REPLICA_IDENTITY_FULL) {
		key->kind = KEY_FULL;
		key->count = 0;
		return;
	}
	read_index(key, RelationGetReplicaIndex(rel));
}

void key_find_primary(struct key *key, Relation rel)
{
#if PG_VERSION_NUM >= 180000
	read_index(key, RelationGetPrimaryKeyIndex(rel, false));
#else
	read_index(key, RelationGetPrimaryKeyIndex(rel));
#endif
}
