#include "crc32c.h"

#include <isa-l/crc.h>

/* ISA-L leaves the upper halves of vector registers in use, for which each SSE instruction behind it would wait. */
static void leave_wide(void)
{
#ifdef __x86_64__
	if (__builtin_cpu_supports("avx"))
		__asm__ volatile("vzeroupper");
#endif
}

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
	leave_wide();
	return ~crc;
}
