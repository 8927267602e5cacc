#include "line.h"

#include <endian.h>
#include <stdint.h>
#include <string.h>

/* The letter behind the backslash for a byte, 0 where it stands for itself. */
static char escape_letter(unsigned char byte)
{
	switch (byte) {
	case '\\': return '\\';
	case '\t': return 't';
	case '\n': return 'n';
	case '\r': return 'r';
	case '\b': return 'b';
	case '\f': return 'f';
	case '\v': return 'v';
	default: return 0;
	}
}

enum { BLOCK = 16 };
typedef unsigned char block __attribute__((vector_size(BLOCK)));
typedef signed char signed_block __attribute__((vector_size(BLOCK)));

static bool any(block matches)
{
	uint64_t halves[2];

	memcpy(halves, &matches, sizeof halves);
	return (halves[0] | halves[1]) != 0;
}

size_t line_plain_len(const char *text, size_t len)
{
	size_t i = 0;

	for (block bytes; len - i >= BLOCK; i += BLOCK) {
		memcpy(&bytes, text + i, BLOCK);
		if (any((block)(bytes - '\b' <= '\r' - '\b') | (block)(bytes == '\\')))
			break;
	}
	/* Nearly all bytes are above both tests; only what is left asks the switch. */
	while (i < len &&
	       (((unsigned char)text[i] >= ' ' && text[i] != '\\') || !escape_letter((unsigned char)text[i])))
		i++;
	return i;
}

/* The same for eight bytes. */
static bool plain_eight(uint64_t eight)
{
	const uint64_t ones = 0x0101010101010101;
	uint64_t slash = eight ^ ones * '\\';

	return !((eight | (eight - ones * ' ') | (slash - ones)) & ones << 7);
}

size_t line_copy_plain(char *out, const char *text, size_t len)
{
	uint64_t eight;
	size_t i = 0;

	/* All that is not ASCII is less than a space, too, where bytes have a sign. */
	for (block bytes; len - i >= BLOCK; i += BLOCK) {
		memcpy(&bytes, text + i, BLOCK);
		if (any((block)((signed_block)bytes < ' ') | (block)(bytes == '\\')))
			break;
		memcpy(out + i, &bytes, BLOCK);
	}
	if (len - i >= sizeof eight && (memcpy(&eight, text + i, sizeof eight), plain_eight(eight))) {
		memcpy(out + i, &eight, sizeof eight);
		i += sizeof eight;
	}
	for (; i < len && (signed char)text[i] >= ' ' && text[i] != '\\'; i++)
		out[i] = text[i];
	return i;
}

size_t line_escape(char *out, const char *text, size_t len)
{
	char *end = out;

	for (;;) {
		size_t plain = line_plain_len(text, len);
		memcpy(end, text, plain);
		end += plain;
		if (plain == len)
			return (size_t)(end - out);
		*end++ = '\\';
		*end++ = escape_letter((unsigned char)text[plain]);
		text += plain + 1;
		len -= plain + 1;
	}
}

static int unescape_letter(char letter)
{
	switch (letter) {
	case '\\': return '\\';
	case 't': return '\t';
	case 'n': return '\n';
	case 'r': return '\r';
	case 'b': return '\b';
	case 'f': return '\f';
	case 'v': return '\v';
	default: return -1;
	}
}

bool line_is_escape(char letter)
{
	return unescape_letter(letter) >= 0;
}

long line_unescape(char *out, struct span value)
{
	const char *at = value.at, *end = value.at + value.len;
	char *to = out;

	while (at < end) {
		const char *slash = memchr(at, '\\', (size_t)(end - at));
		size_t plain = (size_t)((slash ? slash : end) - at);
		memmove(to, at, plain);
		to += plain;
		at += plain;
		if (!slash)
			break;
		int byte = slash + 1 < end ? unescape_letter(slash[1]) : -1;
		if (byte < 0)
			return -1;
		*to++ = (char)byte;
		at += 2;
	}
	return to - out;
}

bool line_is_null(struct span value)
{
	return value.len == 2 && value.at[0] == '\\' && value.at[1] == 'N';
}

/* The highest bit of each byte of `eight` that is `byte`, and maybe of some behind the first such one. */
static uint64_t bytes_that_are(uint64_t eight, char byte)
{
	const uint64_t ones = 0x0101010101010101;
	uint64_t differs = eight ^ ones * (unsigned char)byte;

	return (differs - ones) & ~differs & ones << 7;
}

size_t line_value_len(const char *text, size_t len, bool *escaped)
{
	size_t at = 0;
	uint64_t eight[2], found = 0;

	for (block bytes; !found && len - at >= BLOCK;) {
		memcpy(&bytes, text + at, BLOCK);
		bytes = (block)(bytes == '\t') | (block)(bytes == '\\');
		memcpy(eight, &bytes, sizeof eight);
		found = le64toh(eight[0]);
		if (found)
			break;
		at += sizeof *eight;
		found = le64toh(eight[1]);
		if (!found)
			at += sizeof *eight;
	}
	if (!found && len - at >= sizeof *eight) {
		memcpy(eight, text + at, sizeof *eight);
		found = bytes_that_are(le64toh(*eight), '\t') | bytes_that_are(le64toh(*eight), '\\');
		at += found ? 0 : sizeof *eight;
	}
	if (found)
		at += (size_t)__builtin_ctzll(found) / 8;
	while (at < len && text[at] != '\t' && text[at] != '\\')
		at++;
	*escaped = at < len && text[at] == '\\';
	if (!*escaped)
		return at;
	const char *tab = memchr(text + at, '\t', len - at);
	return tab ? (size_t)(tab - text) : len;
}

int line_next(struct span *rest, struct span *name, struct span *value)
{
	if (!rest->at)
		return 0;

	const char *end = rest->at + rest->len;
	const char *tab = memchr(rest->at, '\t', rest->len);
	if (!tab)
		return -1;
	*name = (struct span){rest->at, (size_t)(tab - rest->at)};

	const char *at = tab + 1;
	tab = memchr(at, '\t', (size_t)(end - at));
	*value = (struct span){at, (size_t)((tab ? tab : end) - at)};
	*rest = tab ? (struct span){tab + 1, (size_t)(end - tab - 1)} : (struct span){NULL, 0};
	return 1;
}

static inline bool is_next(const struct span *rest, const char *name)
{
	size_t len = strlen(name);

	return rest->at && rest->len > len && rest->at[len] == '\t' && memcmp(rest->at, name, len) == 0;
}

/* Takes the pair called `name` off `rest` into `value` where it is next. */
static inline __attribute__((always_inline)) bool take(struct span *rest, const char *name, struct span *value)
{
	if (!is_next(rest, name))
		return false;
	const char *at = rest->at + strlen(name) + 1, *end = rest->at + rest->len;
	const char *tab = memchr(at, '\t', (size_t)(end - at));
	*value = (struct span){at, (size_t)((tab ? tab : end) - at)};
	*rest = tab ? (struct span){tab + 1, (size_t)(end - tab - 1)} : (struct span){NULL, 0};
	return true;
}

/* The same of one whose value has to be a number. */
static inline bool take_number(struct span *rest, const char *name, uint64_t *number)
{
	if (!is_next(rest, name))
		return false;
	const char *at = rest->at + strlen(name) + 1;
	size_t len = rest->len - strlen(name) - 1, n = position_parse_number(at, len, number);
	*rest = n < len ? (struct span){at + n + 1, len - n - 1} : (struct span){NULL, 0};
	return n > 0 && (n == len || at[n] == '\t');
}

static bool parse_stamp(struct span *rest, struct line_head *head)
{
	const char *line = rest->at;

	*head = (struct line_head){0};
	if (!is_next(rest, "_c"))
		return true;
	if (!take_number(rest, "_c", &head->position.epoch) || !take_number(rest, "_s", &head->position.seq))
		return false;
	head->stamped = true;
	head->stamp_len = rest->at ? (size_t)(rest->at - line) : 0;
	return true;
}

static bool parse_rest(struct span rest, struct line_head *head)
{
	const char *start = rest.at;
	bool has_schema = take(&rest, "_schema", &head->schema);
	if (take(&rest, "_table", &head->table))
		head->table_pairs = (struct span){start, (size_t)(head->table.at + head->table.len - start)};
	else if (has_schema)
		return false;

	take(&rest, "_xid", &head->xid);
	take(&rest, "_relid", &head->relid);
	take(&rest, "_key", &head->key);
	if (!take(&rest, "_action", &head->action))
		return false;
	head->pairs = rest;
	return true;
}

bool line_parse(const char *line, size_t len, struct line_head *head)
{
	struct span rest = {line, len};

	return parse_stamp(&rest, head) && parse_rest(rest, head);
}

static inline void move(struct span *span, const char *from, const char *to)
{
	span->at = span->at ? to + (span->at - from) : NULL;
}

/* Its line, which began at `from`, now stands at `to`. */
static inline void move_head(struct line_head *head, const char *from, const char *to)
{
	move(&head->schema, from, to);
	move(&head->table, from, to);
	move(&head->xid, from, to);
	move(&head->relid, from, to);
	move(&head->key, from, to);
	move(&head->action, from, to);
	move(&head->table_pairs, from, to);
	move(&head->pairs, from, to);
}

/* Where it has no pairs, or is longer than usual, the next one is taken apart as well. */
static void remember(struct line_before *before, const char *rest, const struct line_head *head)
{
	size_t len = head->pairs.at ? (size_t)(head->pairs.at - rest) : 0;

	before->len = len <= sizeof before->text ? len : 0;
	if (before->len == 0)
		return;
	memcpy(before->text, rest, len);
	before->head = *head;
	move_head(&before->head, rest, before->text);
}

static bool parse_like(struct line_before *before, struct span rest, struct line_head *head)
{
	size_t len = before->len;

	if (len == 0 || rest.len < len || memcmp(rest.at, before->text, len) != 0) {
		before->len = 0;
		if (!rest.at || !parse_rest(rest, head))
			return false;
		remember(before, rest.at, head);
		return true;
	}
	struct line_head stamp = *head;
	*head = before->head;
	head->same = true;
	head->stamped = stamp.stamped;
	head->stamp_len = stamp.stamp_len;
	head->position = stamp.position;
	move_head(head, before->text, rest.at);
	head->pairs = (struct span){rest.at + len, rest.len - len};
	return true;
}

bool line_parse_next(struct line_before *before, const char *line, size_t len, struct line_head *head)
{
	struct span rest = {line, len};

	if (!parse_stamp(&rest, head)) {
		before->len = 0;
		return false;
	}
	return parse_like(before, rest, head);
}

bool line_parse_rest(const char *line, size_t len, struct line_head *head)
{
	return parse_rest((struct span){line + head->stamp_len, len - head->stamp_len}, head);
}

size_t line_char_len(const char *at, size_t len)
{
	const unsigned char *text = (const unsigned char *)at;
	unsigned char first = text[0], second = len > 1 ? text[1] : 0;
	size_t n = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : first < 0xf5 ? 4 : 0;

	if (n > len || (first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) ||
	    (first == 0xf0 && second < 0x90) || (first == 0xf4 && second > 0x8f))
		return 0;
	for (size_t i = 1; i < n; i++)
		if ((text[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

size_t line_utf8_len(const char *text, size_t len)
{
	const uint64_t high_bits = 0x8080808080808080;
	size_t i = 0, n;
	uint64_t eight;

	while (i < len) {
		if (len - i >= sizeof eight && (memcpy(&eight, text + i, sizeof eight), !(eight & high_bits))) {
			i += sizeof eight;
			continue;
		}
		if ((n = line_char_len(text + i, len - i)) == 0)
			break;
		i += n;
	}
	return i;
}
