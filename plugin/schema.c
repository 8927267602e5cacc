#include "postgres.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "name.h"
#include "schema.h"

/* On 18 a constraint may stand there that old rows do not fulfil yet. */
static bool never_null(TupleDesc desc, int i)
{
#if PG_VERSION_NUM >= 180000
	if (TupleDescCompactAttr(desc, i)->attnullability == ATTNULLABLE_INVALID)
		return false;
#endif
	return TupleDescAttr(desc, i)->attnotnull;
}

static void print_key(const struct text *text, StringInfo out, const struct column *columns, const struct key *key)
{
	char part[3 * NAMEDATALEN];

	if (key->kind == KEY_FULL)
		appendStringInfoCharMacro(out, '*');
	else if (key->kind == KEY_NONE)
		appendStringInfoString(out, "\\N");
	for (int i = 0; i < key->count; i++) {
		const char *name = columns[key->columns[i] - 1].name;
		Size len = name_encode(part, name, strlen(name));

		if (i > 0)
			appendStringInfoCharMacro(out, ',');
		if (strcmp(name, "*") == 0)
			appendStringInfoString(out, "%2A");
		else
			(void)text_append(text, out, part, len); /* went well for the column's lead */
	}
}

static void print_fact(StringInfo facts, const char *name, const char *value)
{
	appendStringInfo(facts, "\t%s\t", name);
	text_escape(facts, value, strlen(value));
}

static int compare_labels(const void *a, const void *b)
{
	float4 x = ((Form_pg_enum)GETSTRUCT(*(const HeapTuple *)a))->enumsortorder;
	float4 y = ((Form_pg_enum)GETSTRUCT(*(const HeapTuple *)b))->enumsortorder;

	return x < y ? -1 : x > y;
}

static void print_comma(StringInfo list)
{
	if (list->len > 0)
		appendStringInfoCharMacro(list, ',');
}

/* An enum's labels with their OIDs, which a renamed one keeps: rows print it otherwise from then on. */
static void print_labels(StringInfo list, Oid type)
{
	char part[3 * NAMEDATALEN];
	CatCList *found = SearchSysCacheList1(ENUMTYPOIDNAME, ObjectIdGetDatum(type));
	HeapTuple *labels = palloc((found->n_members + 1) * sizeof(*labels));

	for (int i = 0; i < found->n_members; i++)
		labels[i] = &found->members[i]->tuple;
	qsort(labels, found->n_members, sizeof(*labels), compare_labels);
	for (int i = 0; i < found->n_members; i++) {
		Form_pg_enum label = (Form_pg_enum)GETSTRUCT(labels[i]);
		const char *name = NameStr(label->enumlabel);
		Size len = name_encode(part, name, strlen(name));

		print_comma(list);
		appendStringInfo(list, "%u=", label->oid);
		appendBinaryStringInfo(list, part, (int)len);
	}
	pfree(labels);
	ReleaseSysCacheList(found);
}

/* What values of the type print of other types: labels, and a composite's attributes as "type:number". */
static void print_parts(StringInfo list, Oid type)
{
	Oid inner = get_element_type(type);

	check_stack_depth();
	type = getBaseType(type);
	if (!OidIsValid(inner))
		inner = get_element_type(type);
	if (OidIsValid(inner)) {
		print_parts(list, inner);
		return;
	}
	switch (get_typtype(type)) {
	case TYPTYPE_ENUM: print_labels(list, type); break;
	case TYPTYPE_RANGE: print_parts(list, get_range_subtype(type)); break;
#if PG_VERSION_NUM >= 140000
	case TYPTYPE_MULTIRANGE: print_parts(list, get_multirange_range(type)); break;
#endif
	case TYPTYPE_COMPOSITE: {
		TupleDesc desc = lookup_rowtype_tupdesc_copy(type, -1);
		for (int i = 0; i < desc->natts; i++) {
			if (TupleDescAttr(desc, i)->attisdropped)
				continue;
			print_comma(list);
			appendStringInfo(list, "%u:%d", type, i + 1);
			print_parts(list, TupleDescAttr(desc, i)->atttypid);
		}
		FreeTupleDesc(desc);
		break;
	}
	default: break;
	}
}

/* `type` is no domain. */
static void print_made_of(StringInfo facts, Oid type)
{
	bool is_enum = get_typtype(type) == TYPTYPE_ENUM;
	StringInfoData list;

	initStringInfo(&list);
	print_parts(&list, type);
	if (list.len > 0)
		print_fact(facts, is_enum ? "labels" : "parts", list.data);
	pfree(list.data);
}

/* The value that a fast ADD COLUMN gave to the rows that were there. */
static void print_missing(StringInfo facts, struct column *column, const AttrMissing *missing)
{
	static const struct text as_it_is;

	appendStringInfoString(facts, "\tmissing\t");
	(void)value_append(&column->type, &as_it_is, facts, missing->am_value);
}

static void print_facts(StringInfo facts, struct column *column, TupleDesc desc, int i,
                        const struct key *primary, const AttrMissing *missing)
{
	Form_pg_attribute attribute = TupleDescAttr(desc, i);
	int32 typmod = attribute->atttypmod;
	Oid base = getBaseTypeAndTypmod(attribute->atttypid, &typmod);

	appendStringInfo(facts, "number\t%d", attribute->attnum);
	print_fact(facts, "type", format_type_with_typemod(attribute->atttypid, attribute->atttypmod));
	if (base != attribute->atttypid)
		print_fact(facts, "base", format_type_with_typemod(base, typmod));
	if (base >= FirstNormalObjectId)
		print_made_of(facts, base);
	if (never_null(desc, i))
		print_fact(facts, "notnull", "1");
	for (int place = 0; place < primary->count; place++)
		if (primary->columns[place] == attribute->attnum)
			appendStringInfo(facts, "\tpk\t%d", place + 1);
	if (attribute->atthasmissing && desc->constr)
		missing = desc->constr->missing;
	if (missing && missing[i].am_present)
		print_missing(facts, column, &missing[i]);
}

void schema_print(const struct text *text, StringInfo out, Relation rel, const struct table_name *name,
                  struct column *columns, const struct key *key, const AttrMissing *missing)
{
	struct key primary;
	StringInfoData facts;

	key_find_primary(&primary, rel);
	initStringInfo(&facts);
	appendStringInfo(out, "_relid\t%u\t_key\t", RelationGetRelid(rel));
	print_key(text, out, columns, key);
	appendStringInfoString(out, "\t_action\tschema");
	for (int i = 0; i < RelationGetNumberOfAttributes(rel); i++) {
		struct column *column = &columns[i];

		if (column->silent)
			continue;
		resetStringInfo(&facts);
		print_facts(&facts, column, RelationGetDescr(rel), i, &primary, missing);
		appendBinaryStringInfo(out, column->lead, column->lead_len);
		if (!text_append(text, out, facts.data, (Size)facts.len))
			text_refuse(text, NameStr(name->schema), NameStr(name->table), column->name);
	}
	pfree(facts.data);
}
