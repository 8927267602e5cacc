#include "sound.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "line.h"

/* A block of bytes at a time; most hold nothing but plain bytes and tabs. */
enum { BLOCK = 16 };
typedef unsigned char block __attribute__((vector_size(BLOCK)));
typedef signed char signed_block __attribute__((vector_size(BLOCK)));

/* The lowest bit of each byte of `matches`, which are 0 or 255. */
static unsigned bits_of(block matches)
{
#ifdef __x86_64__
	return (unsigned)_mm_movemask_epi8((__m128i)matches);
#else
	unsigned bits = 0;

	for (int i = 0; i < BLOCK / 8; i++) {
		uint64_t eight;
		memcpy(&eight, (const char *)&matches + 8 * i, sizeof eight);
		eight = (le64toh(eight) & 0x8040201008040201) * 0x0101010101010101;
		bits |= (unsigned)(eight >> 56) << 8 * i;
	}
	return bits;
#endif
}

/* The bytes left; what is behind them is plain. */
static block block_at(const char *text, size_t len)
{
	block bytes;

	if (len < BLOCK) {
		memset(&bytes, ' ', sizeof bytes);
		memcpy(&bytes, text, len);
	} else {
		memcpy(&bytes, text, sizeof bytes);
	}
	return bytes;
}

/* What stands in one block or some, a bit for each byte. */
struct marks {
	uint64_t tabs, suspects; /* suspects: tabs, other control characters, backslashes, and what is not ASCII */
};

static struct marks marks_of(block bytes)
{
	return (struct marks){bits_of((block)(bytes == '\t')),
	                      bits_of((block)((signed_block)bytes < ' ') | (block)(bytes == '\\'))};
}

/* The first that is neither plain nor a tab; 64: there is none. *tabs is turned where tabs stand before it: by an odd
 * number of them an odd number of its bits. */
static inline unsigned first_other(struct marks marks, uint64_t *tabs)
{
	uint64_t others = marks.suspects ^ marks.tabs;

	*tabs ^= others ? marks.tabs & ((others & -others) - 1) : marks.tabs;
	return others ? (unsigned)__builtin_ctzll(others) : 64;
}

/* Each of these goes on from `at` by whole blocks. True: it stands at a byte that is neither plain nor a tab. */
#ifdef __x86_64__
#define WITH_AVX2 __attribute__((target("avx2")))

enum { WIDE = 64 };

WITH_AVX2 static inline struct marks wide_marks_of(const char *text)
{
	const __m256i *at = (const __m256i *)(const void *)text, tab = _mm256_set1_epi8('\t'),
	              space = _mm256_set1_epi8(' '), backslash = _mm256_set1_epi8('\\');
	struct marks marks = {0, 0};

	for (int half = 0; half < 2; half++) {
		__m256i bytes = _mm256_loadu_si256(at + half);
		__m256i suspects =
		    _mm256_or_si256(_mm256_cmpgt_epi8(space, bytes), _mm256_cmpeq_epi8(bytes, backslash));
		marks.tabs |= (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(bytes, tab)) << 32 * half;
		marks.suspects |= (uint64_t)(uint32_t)_mm256_movemask_epi8(suspects) << 32 * half;
	}
	return marks;
}

WITH_AVX2 static bool pass_wide(const char *text, size_t len, size_t *at, bool *value)
{
	size_t i = *at;
	unsigned other = WIDE;
	uint64_t tabs = 0;

	for (; other == WIDE && len - i >= WIDE; i += other)
		other = first_other(wide_marks_of(text + i), &tabs);
	*at = i;
	*value ^= __builtin_parityll(tabs);
	return other < WIDE;
}

static bool has_wide(void)
{
	return __builtin_cpu_supports("avx2");
}
#else
static bool pass_wide(const char *text, size_t len, size_t *at, bool *value)
{
	(void)text, (void)len, (void)at, (void)value;
	return false;
}

static bool has_wide(void)
{
	return false;
}
#endif

static bool pass_blocks(const char *text, size_t len, size_t *at, bool *value)
{
	size_t i = *at;
	unsigned other = 64;
	uint64_t tabs = 0;

	for (; i < len; i += BLOCK)
		if ((other = first_other(marks_of(block_at(text + i, len - i)), &tabs)) < BLOCK)
			break;
	*at = other < BLOCK ? i + other : len;
	*value ^= __builtin_parityll(tabs);
	return other < BLOCK;
}

/* From `at` on: the first byte that is neither plain nor a tab, or `len`. *value is turned by each tab before it. */
static size_t pass_plain(const char *text, size_t len, size_t at, bool *value)
{
	if (!has_wide() || !pass_wide(text, len, &at, value))
		pass_blocks(text, len, &at, value);
	return at;
}

static bool ends_at(const char *text, size_t len, size_t at)
{
	return at == len || text[at] == '\n';
}

/* The length of what stands at text[at], which is no tab; 0: it cannot stand there. */
static size_t other_len(const char *text, size_t len, size_t at, bool in_value)
{
	unsigned char byte = (unsigned char)text[at];
	char next = at + 1 < len ? text[at + 1] : 0;

	if (byte >= 0x80)
		return line_char_len(text + at, len - at);
	if (byte != '\\')
		return byte != 0 && (byte < '\b' || byte > '\r');
	if (next != 'N')
		return line_is_escape(next) ? 2 : 0;
	/* NULL is a whole value. */
	return in_value && text[at - 1] == '\t' && (ends_at(text, len, at + 2) || text[at + 2] == '\t') ? 2 : 0;
}

size_t sound_line(const char *text, size_t len, bool *sound)
{
	bool value = false; /* an odd number of tabs stands before */
	size_t at = 0, n;

	while (!ends_at(text, len, at = pass_plain(text, len, at, &value))) {
		do { /* what is not ASCII comes in words */
			n = other_len(text, len, at, value);
			at += n;
		} while (n > 0 && at < len && (unsigned char)text[at] >= 0x80);
		if (n == 0) {
			const char *newline = memchr(text + at, '\n', len - at);
			*sound = false;
			return newline ? (size_t)(newline - text) : len;
		}
	}
	*sound = value;
	return at;
}
