/*
 * relation.h - what a session knows of the tables it has met.
 *
 * A relation is built from the catalogs as they stood when the change was
 * made (the server has set the historic snapshot), kept until the server says
 * that something of it may have changed, and then built again at its next
 * change, or at the end of the transaction that changed it. Many such messages
 * mean nothing (ANALYZE): so a definition is compared with the one sent last
 * before it is sent again.
 *
 * A `schema` line tells a reader what the lines under a name mean from there
 * on. So it is due before a table's line when its own definition was not sent
 * or has changed, and also when another table has sent one under the same
 * name since: each name has an owner, the table that sent last under it.
 */
#ifndef DELTAFLOOD_RELATION_H
#define DELTAFLOOD_RELATION_H

#include "access/htup.h"
#include "replication/reorderbuffer.h"
#include "utils/rel.h"

#include "schema.h"

struct relation {
	Oid relid; /* the hash key */
	bool valid;
	bool wanted; /* an ordinary table that the options name; nothing below is set else */
	struct table_name name;

	MemoryContext context; /* of what is built again together */
	const char *lead;      /* "[_schema\tS\t]_table\tT\t" */
	int lead_len;
	const char *definition; /* the schema line behind _xid; NULL where it is not asked for */
	int definition_len;
	const char *filling; /* comes before it, where new columns have values in older rows that it does not tell; else NULL */
	int filling_len;
	int column_count; /* with dropped ones */
	struct column *columns;
	Datum *values; /* room for a row */
	bool *nulls;

	bool announced; /* the definition is in force at the reader */
	char *sent;     /* lead and definition of the last schema line; NULL before, and after a drop */
	int sent_len;
	struct table_name sent_name;
	bool lost;  /* that name, to another table: readers know it by none */
	bool waits; /* its schema line comes next, once those of others have */

	/* The rewrite (a table of its own, for a while) whose `truncate` was printed, and its transaction. */
	Oid rewrite;
	TransactionId rewrite_xid;

	/* The last transaction in which a change of it was passed over, since its name was not wanted then; and the one
	 * in which readers know already whether they have all of its rows. */
	TransactionId passed_xid, settled_xid;

	/* Of the transaction file_xid, which has changed catalogs: the file (pg_class.relfilenode) whose rows readers have,
	 * InvalidOid where they need not know; the command at which that was so; and whether the table's name before it was
	 * not wanted, unless passed_xid or settled_xid, which then count, are of this transaction already. */
	TransactionId file_xid;
	bool hidden;
	Oid file;
	CommandId file_cid;

	/* What the columns printed by in the definition that the transaction outputs_xid told last; see reprint.h. */
	TransactionId outputs_xid;
	struct type_output *outputs;
	int output_count;
};

/* Under which name the transaction at hand told a table, or passed it over. */
struct told {
	Oid relid;
	struct table_name name;
};

struct relation_cache {
	const struct options *options;
	const struct text *text;
	MemoryContext context;
	HTAB *by_oid;            /* struct relation */
	struct relation *recent; /* the one that was asked for last, or NULL */
	HTAB *by_name;           /* owners of names */
	struct told *told;
	int told_count, told_cap;
	bool renamed;           /* a schema, a type or a label may have been, since the last transaction began; */
	XLogRecPtr renamed_lsn; /* or before this */
	XLogRecPtr last_end;    /* of that transaction */
};

/* There is one cache at a time in a backend: the server's messages about
 * changes go to the last one, until its `parent` context goes. */
void relation_cache_init(struct relation_cache *cache, const struct options *options, const struct text *text,
                         MemoryContext parent);

/* A transaction begins. Forgets everything where that has become very much, and names that may be newer than the transaction's.
 * No struct relation may be in use. */
void relation_cache_begin(struct relation_cache *cache, const ReorderBufferTXN *txn);

/* The relation, up to date; valid until relation_cache_begin. What it points
 * to is valid until the next call for the same table. The current memory
 * context is one that is reset soon. */
struct relation *relation_find(struct relation_cache *cache, Relation rel);

/* Whether a schema line has to stand before the next line of this table. If
 * so, it counts as sent from then on. *before is the table that had the
 * name for readers, itself where that is free; InvalidOid: the session does not know. */
bool relation_announce(struct relation_cache *cache, struct relation *relation, Oid *before);

/* Its change is passed over, since its name is not wanted. */
void relation_note(struct relation_cache *cache, const struct relation *relation);

/* Whether the table still has the definition that was told last, under the name that it had then. */
bool relation_holds(struct relation_cache *cache, const struct told *told);

/* Whether the transaction, which has changed catalogs, has told the table, or passed it over. */
bool relation_was_met(struct relation_cache *cache, Oid relid, TransactionId xid);

/* The name under which readers know the table: the one sent last, or, where the session has
 * sent none, `past`. False where there is neither, or where it is another table's now. */
bool relation_told_name(struct relation_cache *cache, Oid relid, const struct table_name *past,
                        struct table_name *name);

/* The next relation_find builds it anew: something that it is made of may have changed. */
void relation_outdate(struct relation_cache *cache, Oid relid);

/* Its `drop` under `name` is sent: readers know it no longer. */
void relation_forget(struct relation_cache *cache, Oid relid, const struct table_name *name);

/* Appends "[_schema\tS\t]_table\tT\t"; false where that cannot be written in UTF-8. */
bool relation_append_lead(const struct relation_cache *cache, StringInfo out, const struct table_name *name);

#endif
