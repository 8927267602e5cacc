#include "postgres.h"

#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

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
	default: break;
	}
	if (type->kind != VALUE_FUNCTION)
		return;
	getTypeOutputInfo(typid, &function, &is_varlena);
	fmgr_info_cxt(function, &type->function, context);
}

static bool append_int(StringInfo out, int64 number)
{
	enlargeStringInfo(out, INT_TEXT_MAX);
	out->len += pg_lltoa(number, out->data + out->len);
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
	case VALUE_BOOL: appendStringInfoCharMacro(out, DatumGetBool(value) ? '1' : '0'); return true;
	case VALUE_INT2: return append_int(out, DatumGetInt16(value));
	case VALUE_INT4: return append_int(out, DatumGetInt32(value));
	case VALUE_INT8: return append_int(out, DatumGetInt64(value));
	case VALUE_TEXT: return append_varlena(text, out, value);
	case VALUE_BYTES: return append_varlena(NULL, out, value);
	default: return append_function(type, text, out, value);
	}
}
