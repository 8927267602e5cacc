/*
 * put.h - bytes behind a line. There are some for each value, so this is what
 * the server's appendBinaryStringInfo does without the calls, and without the NUL behind
 * them: whoever reads a line goes by its length.
 */
#ifndef DELTAFLOOD_PUT_H
#define DELTAFLOOD_PUT_H

#include "lib/stringinfo.h"

static inline void put_room(StringInfo out, int len)
{
	if (unlikely(len >= out->maxlen - out->len))
		enlargeStringInfo(out, len);
}

static inline void put(StringInfo out, const char *bytes, int len)
{
	put_room(out, len);
	memcpy(out->data + out->len, bytes, (Size)len);
	out->len += len;
}

#define PUT_LITERAL(out, text) put(out, text, (int)sizeof(text) - 1)

#endif
