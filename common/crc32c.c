#include "crc32c.h"

#include <isa-l/crc.h>

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
	const unsigned char *at = data;
	const size_t most = 1u << 30; /* crc32_iscsi counts in int */

	crc = ~crc;
	while (len > 0) {
		size_t n = len < most ? len : most;
		/* ISA-L's prototype lacks the const; it does not write. */
		crc = crc32_iscsi((unsigned char *)(uintptr_t)at, (int)n, crc);
		at += n;
		len -= n;
	}
	return ~crc;
}
