/*
 * value.h - one value as its type prints it.
 *
 * The commonest types are printed here directly, which halves the plugin's
 * share of the processor; all others by their output function, looked up once.
 * Under the settings of settings.h only.
 */
#ifndef DELTAFLOOD_VALUE_H
#define DELTAFLOOD_VALUE_H

#include "datatype/timestamp.h"
#include "fmgr.h"

#include "text.h"

struct value_type {
	enum {
		VALUE_FUNCTION,
		VALUE_BOOL,
		VALUE_INT2,
		VALUE_INT4,
		VALUE_INT8,
		VALUE_TEXT,
		VALUE_BYTES,
		VALUE_DATE,
		VALUE_TIMESTAMP,
		VALUE_TIMESTAMPTZ,
		VALUE_NUMERIC,
		VALUE_FLOAT4,
		VALUE_FLOAT8,
		VALUE_UUID,
	} kind;
	FmgrInfo function; /* pg_type.typoutput; what it caches lives in the context given to value_init */
};

/* A domain prints as the type it is made of. */
void value_init(struct value_type *type, Oid typid, bool convert_bool, MemoryContext context);

/* Appends a value that is not NULL. False where text_append says so. What it
 * allocates is left to the current memory context. */
bool value_append(struct value_type *type, const struct text *text, StringInfo out, Datum value);

/* A moment, as timestamptz prints. */
void value_append_time(StringInfo out, TimestampTz time);

#endif
