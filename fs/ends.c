#include "ends.h"

#include <string.h>

static size_t find_each(const char *bytes, size_t len, uint16_t *at)
{
	size_t n = 0;

	for (const char *next = bytes; (next = memchr(next, '\n', len - (size_t)(next - bytes))); next++)
		at[n++] = (uint16_t)(next - bytes);
	return n;
}

#ifdef __x86_64__
#include <immintrin.h>

#define WITH_AVX2 __attribute__((target("avx2,bmi,popcnt")))

WITH_AVX2 static inline uint64_t newlines(const char *bytes)
{
	const __m256i *at = (const __m256i *)(const void *)bytes, newline = _mm256_set1_epi8('\n');
	uint64_t low = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_loadu_si256(at), newline));
	uint64_t high = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_loadu_si256(at + 1), newline));

	return low | high << 32;
}

/* Most of 64 bytes have none, one or two, in no order that a branch could follow: so two are written, and then counted. */
WITH_AVX2 static size_t find_many(const char *bytes, size_t len, uint16_t *at)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i += 64) {
		uint64_t mask = newlines(bytes + i), more = _blsr_u64(mask);
		uint16_t *to = at + n;
		to[0] = (uint16_t)(i + _tzcnt_u64(mask));
		to[1] = (uint16_t)(i + _tzcnt_u64(more));
		n += (size_t)_mm_popcnt_u64(mask);
		for (to += 2; __builtin_expect((more = _blsr_u64(more)) != 0, 0); to++)
			*to = (uint16_t)(i + _tzcnt_u64(more));
	}
	return n;
}

static size_t find(const char *bytes, size_t len, uint16_t *at)
{
	if (len % 64 != 0 || !__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("bmi"))
		return find_each(bytes, len, at);
	return find_many(bytes, len, at);
}
#else
#define find find_each
#endif

void ends_init(struct ends *ends, const char *from, const char *to)
{
	ends->base = ends->from = from;
	ends->to = to;
	ends->next = ends->count = 0;
}

int ends_more(struct ends *ends)
{
	size_t len = (size_t)(ends->to - ends->from);

	len = len > ENDS_LEN ? ENDS_LEN : len > 64 ? len - len % 64 : len;
	ends->base = ends->from;
	ends->from += len;
	ends->next = 0;
	ends->count = find(ends->base, len, ends->at);
	return len > 0;
}
