#include "message.h"

#include <endian.h>
#include <errno.h>
#include <string.h>

enum { DATA_HEADER = 1 + 8 + 8 + 8, KEEPALIVE = 1 + 8 + 8 + 1 };

static uint64_t get64(const char *at)
{
	uint64_t big;

	memcpy(&big, at, sizeof big);
	return be64toh(big);
}

int message_parse(const char *message, size_t len, struct source_event *event, uint64_t *end_lsn, struct err *err)
{
	char kind = len > 0 ? message[0] : 0;
	size_t least = kind == 'w' ? DATA_HEADER : KEEPALIVE;

	if (kind != 'w' && kind != 'k')
		return err_set(err, -EPROTO, "the server sent a replication message of the unknown kind 0x%02x",
		               (unsigned)(unsigned char)kind);
	if (len < least)
		return err_set(err, -EPROTO, "the server sent a replication message of the kind %c with %zu bytes",
		               kind, len);
	uint64_t end = get64(message + (kind == 'w' ? 9 : 1));
	if (end > *end_lsn)
		*end_lsn = end;
	*event = kind == 'w' ? (struct source_event){SOURCE_LINES, message + DATA_HEADER, len - DATA_HEADER, 0, false}
	                     : (struct source_event){SOURCE_IDLE, NULL, 0, end, message[KEEPALIVE - 1] != 0};
	return 0;
}
