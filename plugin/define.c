#include "postgres.h"

#include "miscadmin.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "define.h"
#include "lookup.h"
#include "reprint.h"
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
	/* Where names go round, it may be the one whose definition waits for the others': the rest of it comes behind that. */
	if (relation->wanted && !relation->waits)
		define_print(session, txn, relation, rel->rd_rel->relfilenode);
	RelationClose(rel);
}

/* Of one whose name is not wanted now: what readers had of it is gone with its `drop`, should its name be wanted again. */
static void pass_current(struct session *session, ReorderBufferTXN *txn, Oid relid)
{
	Relation rel = RelationIdGetRelation(relid);

	if (!RelationIsValid(rel))
		return;
	define_pass(session, txn, relation_find(&session->relations, rel), rel->rd_rel->relfilenode);
	RelationClose(rel);
}

static Oid owner_before(ReorderBufferTXN *txn, const struct table_name *name)
{
	Snapshot past = lookup_without_own(txn);
	Oid owner = lookup_name(past, name);

	lookup_free(past);
	return owner;
}

/* Of the table that had the name; `owner` is what relation_announce says. What others have named so since this transaction
 * began, which it does not see, or by an older name, is not gone by it: that comes again at its end. */
static void tell_owner(struct session *session, ReorderBufferTXN *txn, const struct relation *relation, Oid owner)
{
	struct table_name name;

	if (owner == relation->relid)
		return;
	Oid before = owner_before(txn, &relation->name);
	if (!OidIsValid(owner))
		owner = before;
	if (!OidIsValid(owner) || owner == relation->relid ||
	    (owner != before && !relation_was_met(&session->relations, owner, txn->xid)))
		return;
	bool there = OidIsValid(lookup_table(GetCatalogSnapshot(InvalidOid), owner, &name));
	if (there && options_want(&session->options, &name)) {
		print_current(session, txn, owner);
		return;
	}
	print_drop(session, txn, owner, &relation->name);
	if (there)
		pass_current(session, txn, owner);
}

static void print_line(struct session *session, struct relation *relation, const char *definition, int len)
{
	appendBinaryStringInfo(session_begin_line(session, relation), definition, len);
	output_end(&session->output);
}

static void print_partial(struct session *session, ReorderBufferTXN *txn, struct relation *relation, const struct column *column)
{
	session_ensure_begun(session, txn);
	StringInfo out = session_begin_line(session, relation);
	appendStringInfoString(out, "_action\tpartial");
	if (column) {
		appendStringInfoString(out, "\tcolumn");
		appendBinaryStringInfo(out, column->lead, column->lead_len - 1);
	}
	output_end(&session->output);
}

/* `kept`: the rows that readers have were not written anew since the definition before it. */
static void print_definition(struct session *session, ReorderBufferTXN *txn, struct relation *relation, bool kept)
{
	List *reprinted = NIL;
	ListCell *cell;
	Oid owner;

	if (!relation_announce(&session->relations, relation, &owner))
		return;
	if (txn->ninvalidations > 0)
		reprinted = reprint_find(&session->relations, txn, relation, kept);
	/* Names can only have moved where catalogs have changed; a long chain of them goes deep. */
	check_stack_depth();
	relation->waits = true;
	if (txn->ninvalidations > 0)
		tell_owner(session, txn, relation, owner);
	relation->waits = false;
	session_ensure_begun(session, txn);
	if (relation->filling)
		print_line(session, relation, relation->filling, relation->filling_len);
	print_line(session, relation, relation->definition, relation->definition_len);
	foreach (cell, reprinted)
		print_partial(session, txn, relation, &relation->columns[lfirst_int(cell)]);
	list_free(reprinted);
}

static void note_file(ReorderBufferTXN *txn, struct relation *relation, Oid file, CommandId cid)
{
	relation->file_xid = txn->xid;
	relation->file = file;
	relation->file_cid = cid;
}

static void note_current_file(ReorderBufferTXN *txn, struct relation *relation, Oid file)
{
	if (txn->ninvalidations > 0) /* else it has but one */
		note_file(txn, relation, file, GetCatalogSnapshot(InvalidOid)->curcid);
}

/* What the table was before the transaction. That alone tells, so that the same lines come where the transaction comes again. */
static void look_back(struct session *session, ReorderBufferTXN *txn, struct relation *relation)
{
	struct table_name before;
	Snapshot past = lookup_without_own(txn);
	Oid file = lookup_table(past, relation->relid, &before);

	lookup_free(past);
	relation->hidden = OidIsValid(file) && !options_want(&session->options, &before);
	note_file(txn, relation, file, FirstCommandId);
}

/* Whether what readers have of it went without a line: it has another file, and was unlogged in between. What else
 * writes a table anew keeps its rows (CLUSTER), or they come. */
static bool is_emptied(ReorderBufferTXN *txn, struct relation *relation, Oid file)
{
	if (relation->file == file)
		return false;
	bool emptied = OidIsValid(relation->file) && lookup_was_unlogged(relation->relid, relation->file_cid);
	note_current_file(txn, relation, file);
	return emptied;
}

/* Of a table that is wanted: it was changed under a name that was not, or was there before under one. */
static bool lacks_rows(ReorderBufferTXN *txn, struct relation *relation)
{
	bool passed = relation->passed_xid == txn->xid;

	if (!passed && (txn->ninvalidations == 0 || relation->settled_xid == txn->xid))
		return false;
	relation->settled_xid = txn->xid;
	relation->passed_xid = InvalidTransactionId;
	return passed || relation->hidden;
}

void define_print(struct session *session, ReorderBufferTXN *txn, struct relation *relation, Oid file)
{
	bool kept = true;

	/* Only where catalogs have changed it can have another name, or file, than before. */
	if (txn->ninvalidations > 0) {
		if (relation->file_xid != txn->xid)
			look_back(session, txn, relation);
		kept = relation->file == file;
		if (is_emptied(txn, relation, file)) {
			define_print_truncate(session, txn, relation, file);
			return;
		}
	}
	print_definition(session, txn, relation, kept);
	if (relation->definition && lacks_rows(txn, relation))
		print_partial(session, txn, relation, NULL);
}

void define_print_truncate(struct session *session, ReorderBufferTXN *txn, struct relation *relation, Oid file)
{
	/* What it had does not count any more. */
	relation->settled_xid = txn->xid;
	relation->passed_xid = InvalidTransactionId;
	note_current_file(txn, relation, file);
	print_definition(session, txn, relation, false);
	session_ensure_begun(session, txn);
	appendStringInfoString(session_begin_line(session, relation), "_action\ttruncate");
	output_end(&session->output);
}

void define_pass(struct session *session, ReorderBufferTXN *txn, struct relation *relation, Oid file)
{
	if (relation->passed_xid != txn->xid)
		relation_note(&session->relations, relation);
	relation->passed_xid = txn->xid;
	note_current_file(txn, relation, file);
}

/* What is gone comes first: names get free. */
static void print_drops(struct session *session, ReorderBufferTXN *txn, const List *relids, Snapshot past, Snapshot now)
{
	struct table_name before, name;
	ListCell *cell;

	foreach (cell, relids) {
		Oid relid = lfirst_oid(cell);
		bool was = is_wanted(session, past, relid, &before);

		if (!is_wanted(session, now, relid, &name) &&
		    relation_told_name(&session->relations, relid, was ? &before : NULL, &name))
			print_drop(session, txn, relid, &name);
		output_tick(&session->output);
	}
}

static void print_touched(struct session *session, ReorderBufferTXN *txn)
{
	bool defines = session->options.include_schema;
	Snapshot past = lookup_without_own(txn), now = GetCatalogSnapshot(InvalidOid);
	List *relids = touched_find(txn, past, now);
	struct table_name name;
	ListCell *cell;

	if (defines)
		print_drops(session, txn, relids, past, now);
	foreach (cell, relids) {
		Oid relid = lfirst_oid(cell);

		output_tick(&session->output);
		if (!defines && !lookup_was_unlogged(relid, FirstCommandId))
			continue;
		relation_outdate(&session->relations, relid);
		if (is_wanted(session, now, relid, &name))
			print_current(session, txn, relid);
	}
}

/* Of a table that was told in this transaction, or passed over: it is sent no more. */
static void print_gone(struct session *session, ReorderBufferTXN *txn, const struct told *told)
{
	struct table_name name;

	if (!is_wanted(session, GetCatalogSnapshot(InvalidOid), told->relid, &name) &&
	    relation_told_name(&session->relations, told->relid, NULL, &name))
		print_drop(session, txn, told->relid, &name);
}

/* Of such a table, and of the one that has the name now that it had then. */
static void print_again(struct session *session, ReorderBufferTXN *txn, const struct told *told)
{
	Snapshot now = GetCatalogSnapshot(InvalidOid);
	struct table_name name;
	Oid owner;

	if (is_wanted(session, now, told->relid, &name))
		print_current(session, txn, told->relid);
	owner = lookup_name(now, &told->name);
	if (OidIsValid(owner) && owner != told->relid)
		print_current(session, txn, owner);
}

/* A schema, a type or a label can be renamed by others while this transaction writes to a table (nothing locks that): then its
 * rows, and the definition before them, are as they were when it wrote them, and stand behind the renaming's own lines. What is
 * gone comes first, while readers know it by its name. */
static void print_renamed_since(struct session *session, ReorderBufferTXN *txn)
{
	static void (*const prints[])(struct session *, ReorderBufferTXN *, const struct told *) = {print_gone, print_again};
	struct relation_cache *cache = &session->relations;

	for (int step = 0; step < lengthof(prints); step++) {
		for (int i = 0, count = cache->told_count; i < count; i++) {
			struct told told = cache->told[i]; /* which moves when more are told */
			if (!relation_holds(cache, &told))
				prints[step](session, txn, &told);
			output_tick(&session->output);
		}
	}
}

void define_print_rest(struct session *session, ReorderBufferTXN *txn)
{
	if (txn->ninvalidations > 0)
		print_touched(session, txn);
	print_renamed_since(session, txn);
}
