#include "postgres.h"

#include "miscadmin.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "define.h"
#include "lookup.h"
#include "touched.h"

/* A name that UTF-8 cannot write was never told. */
static void print_drop(struct session *session, ReorderBufferTXN *txn, Oid relid, const struct table_name *name)
{
	StringInfoData lead;

	relation_forget(&session->relations, relid, name);
	initStringInfo(&lead);
	if (!relation_append_lead(&session->relations, &lead, name))
		return;
	session_ensure_begun(session, txn);
	StringInfo out = output_begin(&session->output);
	appendBinaryStringInfo(out, lead.data, lead.len);
	appendBinaryStringInfo(out, session->xid, session->xid_len);
	appendStringInfoString(out, "_action\tdrop");
	output_end(&session->output);
	pfree(lead.data);
}

static bool is_wanted(const struct session *session, Snapshot snapshot, Oid relid, struct table_name *name)
{
	return lookup_table(snapshot, relid, name) && options_want(&session->options, name);
}

/* Of a table that is there now. */
static void print_current(struct session *session, ReorderBufferTXN *txn, Oid relid)
{
	Relation rel = RelationIdGetRelation(relid);

	if (!RelationIsValid(rel))
		return;
	struct relation *relation = relation_find(&session->relations, rel);
	if (relation->wanted)
		define_print(session, txn, relation);
	RelationClose(rel);
}

/* Of the table that had the name; `owner` is what relation_announce says. */
static void tell_owner(struct session *session, ReorderBufferTXN *txn, const struct relation *relation, Oid owner)
{
	struct table_name name;

	if (!OidIsValid(owner))
		owner = lookup_name(lookup_without_own(txn), &relation->name);
	if (!OidIsValid(owner) || owner == relation->relid)
		return;
	if (is_wanted(session, GetCatalogSnapshot(InvalidOid), owner, &name))
		print_current(session, txn, owner);
	else
		print_drop(session, txn, owner, &relation->name);
}

static void print_definition(struct session *session, ReorderBufferTXN *txn, struct relation *relation)
{
	Oid owner;

	if (!relation_announce(&session->relations, relation, &owner))
		return;
	/* Names can only have moved where catalogs have changed; a long chain of them goes deep. */
	check_stack_depth();
	if (txn->ninvalidations > 0)
		tell_owner(session, txn, relation, owner);
	session_ensure_begun(session, txn);
	appendBinaryStringInfo(session_begin_line(session, relation), relation->definition, relation->definition_len);
	output_end(&session->output);
}

/* Of a table that is wanted: it was changed under a name that was not, or was there before under one, which is only
 * so where catalogs have changed. What the transaction alone tells, so that the line comes again where the transaction does. */
static bool lacks_rows(struct session *session, ReorderBufferTXN *txn, struct relation *relation)
{
	struct table_name before;
	bool passed = relation->passed_xid == txn->xid;

	if (!passed && (txn->ninvalidations == 0 || relation->settled_xid == txn->xid))
		return false;
	relation->settled_xid = txn->xid;
	relation->passed_xid = InvalidTransactionId;
	if (passed)
		return true;
	Snapshot past = lookup_without_own(txn);
	bool hidden = lookup_table(past, relation->relid, &before) && !options_want(&session->options, &before);
	lookup_free(past);
	return hidden;
}

void define_print(struct session *session, ReorderBufferTXN *txn, struct relation *relation)
{
	print_definition(session, txn, relation);
	if (!relation->definition || !lacks_rows(session, txn, relation))
		return;
	session_ensure_begun(session, txn);
	appendStringInfoString(session_begin_line(session, relation), "_action\tpartial");
	output_end(&session->output);
}

void define_print_emptied(struct session *session, ReorderBufferTXN *txn, struct relation *relation)
{
	relation->settled_xid = txn->xid;
	relation->passed_xid = InvalidTransactionId;
	print_definition(session, txn, relation);
}

void define_print_rest(struct session *session, ReorderBufferTXN *txn)
{
	if (txn->ninvalidations == 0 || !session->options.include_schema)
		return;

	Snapshot past = lookup_without_own(txn), now = GetCatalogSnapshot(InvalidOid);
	List *relids = touched_find(txn, past, now);
	struct table_name before, name;
	ListCell *cell;

	/* What is gone comes first: names get free. */
	foreach (cell, relids) {
		Oid relid = lfirst_oid(cell);
		bool was = is_wanted(session, past, relid, &before);

		if (!is_wanted(session, now, relid, &name) &&
		    relation_told_name(&session->relations, relid, was ? &before : NULL, &name))
			print_drop(session, txn, relid, &name);
		output_tick(&session->output);
	}
	foreach (cell, relids) {
		relation_outdate(&session->relations, lfirst_oid(cell));
		if (is_wanted(session, now, lfirst_oid(cell), &name))
			print_current(session, txn, lfirst_oid(cell));
		output_tick(&session->output);
	}
}
