/*
 * lookup.h - the system catalogs as a given snapshot sees them.
 *
 * The server's caches know one state of the catalogs, that of the change at
 * hand. What was before a transaction is read from the catalogs themselves.
 */
#ifndef DELTAFLOOD_LOOKUP_H
#define DELTAFLOOD_LOOKUP_H

#include "access/tupdesc_details.h"
#include "nodes/pg_list.h"
#include "replication/reorderbuffer.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "options.h"

/* What all others have committed before this point of the WAL; nothing of the
 * transaction that is being decoded. In the current memory context. It can be large: where
 * there are many, free each. */
Snapshot lookup_without_own(ReorderBufferTXN *txn);
void lookup_free(Snapshot before);

/* The file (pg_class.relfilenode) of an ordinary table that is replicated: neither temporary nor unlogged,
 * and no rewrite under way. Else InvalidOid. */
Oid lookup_table(Snapshot snapshot, Oid relid, struct table_name *name);

/* Such a table of this name, or InvalidOid. */
Oid lookup_name(Snapshot snapshot, const struct table_name *name);

/* Whether the transaction at hand has left the table an unlogged one after some command, `since` or a later one; it may have ended
 * that again. Reads all versions of its row. */
bool lookup_was_unlogged(Oid relid, CommandId since);

/* What a fast ADD COLUMN of the transaction at hand gave to the rows that were there, where the catalogs do not say it any more,
 * since the transaction has written the table anew behind it: for each column of `rel`. NULL: there is none. */
AttrMissing *lookup_missing(Relation rel);

/* What a type prints by (pg_type.typoutput). Extensions have functions that run the same code as others do, PostgreSQL's own
 * among them (citext, isn): `code` is alike for these. */
struct type_output {
	Oid function;
	uint64 code; /* the OID of PostgreSQL's own function; above all OIDs, a hash of library and symbol; else the function */
};

/* Of a function that may be one of the snapshot's past: by now it can be gone with its type. */
struct type_output lookup_output(Snapshot snapshot, Oid function);

/* What the first `count` columns of a table print by; zero of one that is not there, or dropped. */
struct type_output *lookup_outputs(Snapshot snapshot, Oid relid, int count);

/* Appends all tables of a schema, whatever their kind. */
List *lookup_tables_in(Snapshot snapshot, List *relids, Oid schema);

/* The type of a table's rows, also of a composite type's; InvalidOid where there is none. */
Oid lookup_row_type(Snapshot snapshot, Oid relid);

/* Appends the tables, of whatever kind, that have a column of one of the types: arrays,
 * domains, ranges and composites over it count. */
List *lookup_tables_with(Snapshot snapshot, List *relids, List *types);

/* The schemas that have another name now. */
List *lookup_renamed_schemas(Snapshot before, Snapshot now);

/* The types that were there and that `chosen` says yes to. */
List *lookup_types(Snapshot snapshot, bool (*chosen)(void *ctx, Oid type, Oid schema), void *ctx);

/* The types of the enum labels that `chosen` says yes to. */
List *lookup_enums(Snapshot snapshot, bool (*chosen)(void *ctx, Oid label), void *ctx);

#endif
