#include "record.h"

#include <string.h>

void crc_print(char text[8], uint32_t crc)
{
	for (int i = 7; i >= 0; i--, crc >>= 4)
		text[i] = "0123456789abcdef"[crc & 15];
}

static bool crc_parse(struct span value, uint32_t *crc)
{
	*crc = 0;
	for (size_t i = 0; i < value.len; i++) {
		char c = value.at[i];
		bool digit = c >= '0' && c <= '9';
		if (!digit && !(c >= 'a' && c <= 'f'))
			return false;
		*crc = *crc << 4 | (uint32_t)(digit ? c - '0' : c - 'a' + 10);
	}
	return value.len == 8;
}

bool commit_parse(const struct line_head *head, struct commit *commit)
{
	struct span rest = head->pairs, name, value;
	bool has_lsn = false;
	int more;

	*commit = (struct commit){0};
	if (!span_is(head->action, "commit"))
		return false;
	while ((more = line_next(&rest, &name, &value)) == 1) {
		if (commit->has_crc) /* nothing is covered behind it */
			return false;
		if (span_is(name, "lsn")) {
			if (!(has_lsn = lsn_parse(value.at, value.len, &commit->lsn)))
				return false;
		} else if (span_is(name, "time")) {
			commit->time = value;
		} else if (span_is(name, "crc")) {
			if (!(commit->has_crc = crc_parse(value, &commit->crc)))
				return false;
			commit->crc_at = name.at;
		}
	}
	return more == 0 && has_lsn && commit->time.at;
}

static bool number(struct span value, uint64_t *out)
{
	size_t n = position_parse_number(value.at, value.len, out);

	return n > 0 && n == value.len;
}

static bool text(struct span value, char *out, size_t size)
{
	if (value.len >= size)
		return false;
	long len = line_unescape(out, value);
	if (len < 0)
		return false;
	out[len] = 0;
	return true;
}

bool origin_parse(const struct line_head *head, struct origin *origin)
{
	struct span rest = head->pairs, name, value;
	unsigned seen = 0;
	uint64_t timeline = 0;
	int more;

	*origin = (struct origin){0};
	if (!span_is(head->action, "origin"))
		return false;
	while ((more = line_next(&rest, &name, &value)) == 1) {
		bool good = true;
		if (span_is(name, "system"))
			seen |= 1, good = number(value, &origin->system);
		else if (span_is(name, "timeline"))
			seen |= 2, good = number(value, &timeline) && timeline <= UINT32_MAX;
		else if (span_is(name, "database"))
			seen |= 4, good = text(value, origin->database, sizeof origin->database);
		else if (span_is(name, "slot"))
			seen |= 8, good = text(value, origin->slot, sizeof origin->slot);
		else if (span_is(name, "generation"))
			seen |= 16, good = number(value, &origin->generation);
		if (!good)
			return false;
	}
	origin->timeline = (uint32_t)timeline;
	return more == 0 && seen == 31;
}
