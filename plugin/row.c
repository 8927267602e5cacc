#include "postgres.h"

#include "access/htup_details.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#include "put.h"
#include "row.h"

/* Where we are, for errors out of a type's own code. */
struct place {
	const struct relation *relation;
	const struct column *column;
};

static void say_place(void *arg)
{
	const struct place *place = arg;

	if (place->column)
		errcontext("column \"%s\" of table \"%s.%s\"", place->column->name,
		           NameStr(place->relation->name.schema), NameStr(place->relation->name.table));
}

static void append_column(StringInfo out, const struct relation_cache *cache, const struct relation *relation,
                          struct column *column, Datum value, bool is_null)
{
	const struct options *options = cache->options;

	if (is_null ? options->skip_nulls
	            : column->may_be_external && VARATT_IS_EXTERNAL_ONDISK(DatumGetPointer(value)))
		return;
	put(out, column->lead, column->lead_len);
	if (is_null)
		put(out, options->null, options->null_len);
	else if (!value_append(&column->type, cache->text, out, value))
		text_refuse(cache->text, NameStr(relation->name.schema), NameStr(relation->name.table), column->name);
}

static void append_row(StringInfo out, const struct relation_cache *cache, struct relation *relation, TupleDesc desc,
                       HeapTuple tuple, bool key_only)
{
	struct place place = {.relation = relation};
	ErrorContextCallback callback = {.previous = error_context_stack, .callback = say_place, .arg = &place};

	error_context_stack = &callback;
	heap_deform_tuple(tuple, desc, relation->values, relation->nulls);
	for (int i = 0; i < relation->column_count; i++) {
		struct column *column = &relation->columns[i];

		if (column->silent || (key_only && !column->in_key))
			continue;
		place.column = column;
		append_column(out, cache, relation, column, relation->values[i], relation->nulls[i]);
	}
	error_context_stack = callback.previous;
}

void row_append_new(StringInfo out, const struct relation_cache *cache, struct relation *relation, TupleDesc desc,
                    HeapTuple tuple)
{
	append_row(out, cache, relation, desc, tuple, false);
}

void row_append_old(StringInfo out, const struct relation_cache *cache, struct relation *relation, TupleDesc desc,
                    HeapTuple tuple)
{
	append_row(out, cache, relation, desc, tuple, true);
}
