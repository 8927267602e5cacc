#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/lsyscache.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#include "print.h"
#include "put.h"
#include "value.h"

/* Room for a sign, the digits of 64 bits and a NUL. */
#define INT_TEXT_MAX 21

void value_init(struct value_type *type, Oid typid, bool convert_bool, MemoryContext context)
{
	Oid function;
	bool is_varlena;

	type->kind = VALUE_FUNCTION;
	switch (getBaseType(typid)) {
	case BOOLOID:
		if (convert_bool)
			type->kind = VALUE_BOOL;
		break;
	case INT2OID: type->kind = VALUE_INT2; break;
	case INT4OID: type->kind = VALUE_INT4; break;
	case INT8OID: type->kind = VALUE_INT8; break;
	case TEXTOID:
	case VARCHAROID:
	case BPCHAROID:
	case JSONOID: type->kind = VALUE_TEXT; break;
	case BYTEAOID: type->kind = VALUE_BYTES; break;
	case DATEOID: type->kind = VALUE_DATE; break;
	case TIMESTAMPOID: type->kind = VALUE_TIMESTAMP; break;
	case TIMESTAMPTZOID: type->kind = VALUE_TIMESTAMPTZ; break;
	case NUMERICOID: type->kind = VALUE_NUMERIC; break;
	case FLOAT4OID: type->kind = VALUE_FLOAT4; break;
	case FLOAT8OID: type->kind = VALUE_FLOAT8; break;
	case UUIDOID: type->kind = VALUE_UUID; break;
	default: break;
	}
	getTypeOutputInfo(typid, &function, &is_varlena);
	fmgr_info_cxt(function, &type->function, context);
}

static bool append_int(StringInfo out, int32 number)
{
	put_room(out, INT_TEXT_MAX);
	out->len += pg_ltoa(number, out->data + out->len);
	return true;
}

static bool append_int8(StringInfo out, int64 number)
{
	put_room(out, INT_TEXT_MAX);
	out->len += pg_lltoa(number, out->data + out->len);
	return true;
}

/* As float4out and float8out do where extra_float_digits is 1 or more. */
static bool append_float4(StringInfo out, float4 number)
{
	put_room(out, FLOAT_SHORTEST_DECIMAL_LEN);
	out->len += float_to_shortest_decimal_buf(number, out->data + out->len);
	return true;
}

static bool append_float8(StringInfo out, float8 number)
{
	put_room(out, DOUBLE_SHORTEST_DECIMAL_LEN);
	out->len += double_to_shortest_decimal_buf(number, out->data + out->len);
	return true;
}

/* Text; without `text`, bytes. */
static bool append_varlena(const struct text *text, StringInfo out, Datum value)
{
	struct varlena *plain = PG_DETOAST_DATUM_PACKED(value);
	bool good = true;

	if (text)
		good = text_append(text, out, VARDATA_ANY(plain), VARSIZE_ANY_EXHDR(plain));
	else
		text_hex(out, VARDATA_ANY(plain), VARSIZE_ANY_EXHDR(plain));

	/* At once, since it may be long and the row may have more of them. */
	if ((Pointer)plain != DatumGetPointer(value))
		pfree(plain);
	return good;
}

/* What timestamp_out and timestamptz_out do where dates are ISO and the zone is UTC, without a copy or a zone's history. */
static bool append_timestamp(StringInfo out, Timestamp time, bool with_zone)
{
	struct pg_tm parts;
	fsec_t fraction;

	if (print_timestamp(out, time, with_zone))
		return true;
	enlargeStringInfo(out, MAXDATELEN + 1);
	char *text = out->data + out->len;
	if (TIMESTAMP_NOT_FINITE(time)) {
		EncodeSpecialTimestamp(time, text);
	} else {
		if (timestamp2tm(time, NULL, &parts, &fraction, NULL, NULL) != 0)
			ereport(ERROR,
			        (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE), errmsg("timestamp out of range")));
		parts.tm_isdst = 0; /* below that no zone is printed */
		EncodeDateTime(&parts, fraction, with_zone, 0, NULL, USE_ISO_DATES, text);
	}
	out->len += (int)strlen(text);
	return true;
}

void value_append_time(StringInfo out, TimestampTz time)
{
	(void)append_timestamp(out, time, true);
}

static bool append_function(struct value_type *type, const struct text *text, StringInfo out, Datum value)
{
	char *printed = OutputFunctionCall(&type->function, value);
	bool good = text_append(text, out, printed, strlen(printed));

	pfree(printed);
	return good;
}

bool value_append(struct value_type *type, const struct text *text, StringInfo out, Datum value)
{
	switch (type->kind) {
	case VALUE_BOOL: put(out, DatumGetBool(value) ? "1" : "0", 1); return true;
	case VALUE_INT2: return append_int(out, DatumGetInt16(value));
	case VALUE_INT4: return append_int(out, DatumGetInt32(value));
	case VALUE_INT8: return append_int8(out, DatumGetInt64(value));
	case VALUE_TEXT: return append_varlena(text, out, value);
	case VALUE_BYTES: return append_varlena(NULL, out, value);
	case VALUE_TIMESTAMP: return append_timestamp(out, DatumGetTimestamp(value), false);
	case VALUE_TIMESTAMPTZ: return append_timestamp(out, DatumGetTimestampTz(value), true);
	case VALUE_FLOAT4: return append_float4(out, DatumGetFloat4(value));
	case VALUE_FLOAT8: return append_float8(out, DatumGetFloat8(value));
	case VALUE_UUID: print_uuid(out, DatumGetUUIDP(value)); return true;
	case VALUE_DATE:
		if (print_date(out, DatumGetDateADT(value)))
			return true;
		break;
	case VALUE_NUMERIC:
		if (print_numeric(out, value))
			return true;
		break;
	default: break;
	}
	return append_function(type, text, out, value);
}
