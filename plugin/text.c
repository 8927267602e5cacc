#include "postgres.h"

#include "catalog/namespace.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "line.h"
#include "put.h"
#include "text.h"

/* Bytes escaped or converted at a time. */
#define PIECE 8192

/* What a message may hold, with room for its header and for what stands between values. */
#define LINE_MAX_LEN ((Size)MaxAllocSize - 1024 * 1024)

void text_init(struct text *text, bool to_utf8)
{
	*text = (struct text){.from = GetDatabaseEncoding()};
	text->to_utf8 = to_utf8;
	if (!to_utf8 || text->from == PG_UTF8 || text->from == PG_SQL_ASCII)
		return;
	text->proc = FindDefaultConversionProc(text->from, PG_UTF8);
	if (!OidIsValid(text->proc))
		ereport(ERROR, (errcode(ERRCODE_UNDEFINED_FUNCTION),
		                errmsg("deltaflood: no default conversion from encoding \"%s\" to \"UTF8\"",
		                       pg_encoding_to_char(text->from))));
}

/* An enlarged buffer, where the server can send it. */
static void make_room(StringInfo out, Size len)
{
	if ((Size)out->len + len > LINE_MAX_LEN)
		ereport(ERROR,
		        (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
		         errmsg("deltaflood: the row takes more than 1 GB as text, which the server cannot send")));
	put_room(out, (int)len);
}

void text_escape(StringInfo out, const char *bytes, Size len)
{
	while (len > 0) {
		Size piece = Min(len, PIECE);

		make_room(out, 2 * piece);
		out->len += (int)line_escape(out->data + out->len, bytes, piece);
		bytes += piece;
		len -= piece;
	}
	out->data[out->len] = '\0';
}

void text_hex(StringInfo out, const char *bytes, Size len)
{
	appendStringInfoString(out, "\\\\x");
	make_room(out, 2 * len);
	out->len += (int)hex_encode(bytes, len, out->data + out->len);
	out->data[out->len] = '\0';
}

bool text_fits(const struct text *text, StringInfo out, Size len)
{
	Size most = text->to_utf8 && text->from != PG_UTF8 ? 2 * MAX_CONVERSION_GROWTH : 2;

	return len <= (LINE_MAX_LEN - out->len) / most;
}

/* Whether it is ASCII, without NUL: valid in every encoding of a server. */
static bool is_plain(const char *bytes, Size len)
{
	const uint64 high = UINT64CONST(0x8080808080808080);
	uint64 seen = 0, none = high, word;

	for (; len >= sizeof word; bytes += sizeof word, len -= sizeof word) {
		memcpy(&word, bytes, sizeof word);
		seen |= word;
		none &= word + ~high; /* of what has no high bit, all but NUL gets one */
	}
	for (; len > 0; bytes++, len--) {
		seen |= (unsigned char)*bytes;
		none &= *bytes ? high : 0;
	}
	return !(seen & high) && none == high;
}

#if PG_VERSION_NUM >= 140000
static bool append_converted(const struct text *text, StringInfo out, const char *bytes, Size len)
{
	unsigned char utf8[PIECE];

	while (len > 0) {
		/* It takes as much as is sure to fit, and stops before a character that it cannot convert. */
		int taken = pg_do_encoding_conversion_buf(text->proc, text->from, PG_UTF8, (unsigned char *)bytes,
		                                          (int)len, utf8, PIECE, true);
		if (taken <= 0)
			return false;
		text_escape(out, (char *)utf8, strlen((char *)utf8));
		bytes += taken;
		len -= (Size)taken;
	}
	return true;
}
#else
/* These servers can only convert or throw. */
static bool append_converted(const struct text *text, StringInfo out, const char *bytes, Size len)
{
	char *utf8 = (char *)pg_do_encoding_conversion((unsigned char *)bytes, (int)len, text->from, PG_UTF8);

	text_escape(out, utf8, strlen(utf8));
	pfree(utf8);
	return true;
}
#endif

/* From the first byte on that is not plain. */
static bool append_any(const struct text *text, StringInfo out, const char *bytes, Size len)
{
	if (text->to_utf8 && !is_plain(bytes, len)) {
		if (OidIsValid(text->proc))
			return append_converted(text, out, bytes, len);
		/* Text of a UTF8 database may be none: from before a check that newer servers make, or by a cast. */
		if (!pg_verify_mbstr(PG_UTF8, bytes, (int)len, true))
			return false;
	}
	text_escape(out, bytes, len);
	return true;
}

bool text_append(const struct text *text, StringInfo out, const char *bytes, Size len)
{
	/* Most text is plain as a whole: looked at and copied in one go. */
	while (len > 0) {
		Size piece = Min(len, PIECE);

		make_room(out, piece);
		Size plain = line_copy_plain(out->data + out->len, bytes, piece);
		out->len += (int)plain;
		bytes += plain;
		len -= plain;
		if (plain < piece)
			return append_any(text, out, bytes, len);
	}
	out->data[out->len] = '\0';
	return true;
}

/* A name that the server can put into a message to a client whose encoding is UTF8. */
static char *said(const struct text *text, const char *name)
{
	StringInfoData out;

	if (!name || text->from != PG_SQL_ASCII || pg_verify_mbstr(PG_UTF8, name, (int)strlen(name), true))
		return (char *)name;
	initStringInfo(&out);
	for (; *name; name++)
		if (IS_HIGHBIT_SET(*name))
			appendStringInfo(&out, "\\x%02x", (unsigned char)*name);
		else
			appendStringInfoCharMacro(&out, *name);
	return out.data;
}

void text_refuse(const struct text *text, const char *schema, const char *table, const char *column)
{
	schema = said(text, schema);
	table = said(text, table);
	column = said(text, column);
	ereport(ERROR,
	        (errcode(ERRCODE_UNTRANSLATABLE_CHARACTER),
	         column ? errmsg("deltaflood: a value of column \"%s\" of table \"%s.%s\" cannot be written in UTF-8",
	                         column, schema, table)
	                : errmsg("deltaflood: the names in table \"%s.%s\" cannot be written in UTF-8", schema, table),
	         errdetail("The database's encoding is %s, where these bytes stand for no character that is known.",
	                   pg_encoding_to_char(text->from)),
	         errhint("Leave the table out by the option \"tables\"; or have all its text in UTF-8 and begin "
	                 "with a new slot, since this one has to pass the change.")));
}
