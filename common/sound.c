#include "sound.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "line.h"

/* A block of bytes at a time; most hold nothing but plain bytes and tabs. */
enum { BLOCK = 16 };
typedef unsigned char block __attribute__((vector_size(BLOCK)));
typedef signed char signed_block __attribute__((vector_size(BLOCK)));

/* A bit for each byte of a block. */
struct marks {
	unsigned tabs, newlines, others; /* others: all else that may not stand just anywhere */
};

/* The lowest bit of each byte of `matches`, which are 0 or 255. */
static unsigned bits_of(block matches)
{
#ifdef __SSE2__
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

static struct marks marks_of(block bytes)
{
	block tabs = (block)(bytes == '\t'), newlines = (block)(bytes == '\n');
	/* NUL, \b to \r, backslashes, and all of a character that is not ASCII. */
	block others = (block)(bytes == 0) | (block)(bytes - '\b' <= '\r' - '\b') | (block)(bytes == '\\') |
	               (block)(bytes >= 0x80);

	return (struct marks){bits_of(tabs), bits_of(newlines), bits_of(others & ~tabs & ~newlines)};
}

/* Those of marks_of and some plain ones, for two comparisons: where they are no more than the tabs, all else is plain. */
static unsigned suspects_of(block bytes)
{
	return bits_of((block)((signed_block)bytes < ' ') | (block)(bytes == '\\'));
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

static bool ends_at(const char *text, size_t len, size_t at)
{
	return at == len || text[at] == '\n';
}

/* The length of the escape or character at text[at], which is one of `others`; 0: it cannot stand there. */
static size_t other_len(const char *text, size_t len, size_t at, bool in_value)
{
	char next = at + 1 < len ? text[at + 1] : 0;

	if ((unsigned char)text[at] >= 0x80)
		return line_char_len(text + at, len - at);
	if (text[at] != '\\')
		return 0;
	if (next != 'N')
		return line_is_escape(next) ? 2 : 0;
	/* NULL is a whole value. */
	return in_value && text[at - 1] == '\t' && (ends_at(text, len, at + 2) || text[at + 2] == '\t') ? 2 : 0;
}

size_t sound_line(const char *text, size_t len, bool *sound)
{
	size_t seen = 0;    /* up to here all can be read */
	bool value = false; /* an odd number of tabs stands before */

	for (size_t at = 0; at < len; at += BLOCK) {
		block bytes = block_at(text + at, len - at);
		unsigned plain_tabs = bits_of((block)(bytes == '\t'));
		if (suspects_of(bytes) == plain_tabs) {
			value ^= __builtin_parity(plain_tabs);
			continue;
		}
		struct marks marks = marks_of(bytes);
		unsigned line =
		    (marks.newlines & -marks.newlines) - 1; /* before the first newline; all, where there is none */
		for (unsigned others = marks.others & line; others; others &= others - 1) {
			unsigned bit = (unsigned)__builtin_ctz(others), before = marks.tabs & ((1u << bit) - 1);
			if (at + bit < seen)
				continue;
			size_t n = other_len(text, len, at + bit, value ^ __builtin_parity(before));
			if (n == 0) {
				const char *newline = memchr(text + at, '\n', len - at);
				*sound = false;
				return newline ? (size_t)(newline - text) : len;
			}
			seen = at + bit + n;
		}
		value ^= __builtin_parity(marks.tabs & line);
		if (marks.newlines) {
			*sound = value;
			return at + (unsigned)__builtin_ctz(marks.newlines);
		}
	}
	*sound = value;
	return len;
}
