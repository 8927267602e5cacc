#include "position.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

int position_cmp(struct position a, struct position b)
{
	if (a.epoch != b.epoch)
		return a.epoch < b.epoch ? -1 : 1;
	return (a.seq > b.seq) - (a.seq < b.seq);
}

bool position_follows(struct position last, struct position next)
{
	if (next.epoch == last.epoch)
		return next.seq > 0 && next.seq - 1 == last.seq;
	return next.epoch > last.epoch && next.seq == 0;
}

size_t position_parse_number(const char *text, size_t len, uint64_t *number)
{
	uint64_t value = 0;
	size_t i = 0;

	if (len > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9')
		return 0;
	if (len >= 16) {
		i = position_parse_sixteen(text, &value);
		if (i < 16) {
			*number = value;
			return i;
		}
	} else if (len >= 8) {
		i = position_parse_eight(text, &value);
	}
	/* So many digits fit in any case. */
	for (; i < len && i < 19 && text[i] >= '0' && text[i] <= '9'; i++)
		value = 10 * value + (uint64_t)(text[i] - '0');
	for (; i < len && text[i] >= '0' && text[i] <= '9'; i++) {
		if (__builtin_mul_overflow(value, 10u, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value))
			return 0;
	}
	*number = value;
	return i;
}

bool position_parse(const char *text, size_t len, struct position *pos)
{
	size_t n = position_parse_number(text, len, &pos->epoch);

	if (n == 0 || n >= len || text[n] != '.')
		return false;
	n++;
	size_t m = position_parse_number(text + n, len - n, &pos->seq);
	return m > 0 && n + m == len;
}

char *position_print(char *text, struct position pos)
{
	snprintf(text, POSITION_TEXT_MAX, "%" PRIu64 ".%" PRIu64, pos.epoch, pos.seq);
	return text;
}

static size_t parse_hex32(const char *text, size_t len, uint64_t *half)
{
	size_t i = 0;

	*half = 0;
	for (; i < len && i < 8; i++) {
		char c = text[i];
		unsigned digit;
		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if (c >= 'A' && c <= 'F')
			digit = (unsigned)(c - 'A') + 10;
		else if (c >= 'a' && c <= 'f')
			digit = (unsigned)(c - 'a') + 10;
		else
			break;
		*half = *half << 4 | digit;
	}
	return i;
}

size_t lsn_parse_next(const char *text, size_t len, uint64_t *lsn)
{
	uint64_t high, low;
	size_t n = parse_hex32(text, len, &high);

	if (n == 0 || n >= len || text[n] != '/')
		return 0;
	n++;
	size_t m = parse_hex32(text + n, len - n, &low);
	*lsn = high << 32 | low;
	return m == 0 ? 0 : n + m;
}

bool lsn_parse(const char *text, size_t len, uint64_t *lsn)
{
	size_t n = lsn_parse_next(text, len, lsn);

	return n > 0 && n == len;
}

char *lsn_print(char *text, uint64_t lsn)
{
	snprintf(text, LSN_TEXT_MAX, "%" PRIX32 "/%" PRIX32, (uint32_t)(lsn >> 32), (uint32_t)lsn);
	return text;
}
