#include "stamp.h"

#include <string.h>

static size_t print_number(char *out, uint64_t number)
{
	char digits[20];
	size_t n = sizeof digits;

	do
		digits[--n] = (char)('0' + number % 10);
	while (number /= 10);
	memcpy(out, digits + n, sizeof digits - n);
	return sizeof digits - n;
}

size_t stamp_print(char *out, struct position position)
{
	size_t n = 0;

	memcpy(out, "_c\t", 3);
	n = 3 + print_number(out + 3, position.epoch);
	memcpy(out + n, "\t_s\t", 4);
	n += 4;
	n += print_number(out + n, position.seq);
	out[n++] = '\t';
	return n;
}

size_t stamp_print_next(struct stamp *stamp, char *out, struct position position)
{
	struct position hundred = {position.epoch, position.seq / 100};
	unsigned last = (unsigned)(position.seq % 100);

	if (position.seq < 10) /* has no tens */
		return stamp_print(out, position);
	if (stamp->len == 0 || position_cmp(hundred, stamp->hundred) != 0) {
		stamp->len = stamp_print(stamp->text, position);
		stamp->hundred = hundred;
	}
	/* The text stays as it is: a processor waits where it reads what was written just before in smaller pieces. */
	memcpy(out, stamp->text, sizeof stamp->text);
	out[stamp->len - 3] = (char)('0' + last / 10);
	out[stamp->len - 2] = (char)('0' + last % 10);
	return stamp->len;
}

struct position stamp_next(struct position last, uint64_t second)
{
	bool same = last.epoch >= second;

	return same ? (struct position){last.epoch, last.seq + 1} : (struct position){second, 0};
}
