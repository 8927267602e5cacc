#include "postgres.h"

#include "utils/datetime.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#include "print.h"
#include "put.h"

/* Of "2026-01-01 00:00:00.000000+00". */
#define TIME_ROOM 32

/* 0001-01-01 and 9999-12-31 as Julian days. */
#define DAY_FIRST 1721426
#define DAY_LAST 5373484

static const char two_digits[] = "00010203040506070809"
                                 "10111213141516171819"
                                 "20212223242526272829"
                                 "30313233343536373839"
                                 "40414243444546474849"
                                 "50515253545556575859"
                                 "60616263646566676869"
                                 "70717273747576777879"
                                 "80818283848586878889"
                                 "90919293949596979899";

static char *two(char *at, unsigned number)
{
	memcpy(at, two_digits + 2 * number, 2);
	return at + 2;
}

static char *four(char *at, unsigned number)
{
	return two(two(at, number / 100), number % 100);
}

/* ---- dates -------------------------------------------------------------- */

/* NULL: not a year of four digits of our era. */
static char *date_at(char *at, int64 julian_day)
{
	int year, month, day;

	if (julian_day < DAY_FIRST || julian_day > DAY_LAST)
		return NULL;
	j2date((int)julian_day, &year, &month, &day);
	at = four(at, (unsigned)year);
	*at++ = '-';
	at = two(at, (unsigned)month);
	*at++ = '-';
	return two(at, (unsigned)day);
}

bool print_date(StringInfo out, DateADT date)
{
	put_room(out, TIME_ROOM);
	char *end = date_at(out->data + out->len, (int64)date + POSTGRES_EPOCH_JDATE);
	if (!end)
		return false;
	out->len = (int)(end - out->data);
	return true;
}

/* Without zeros at its end. */
static char *fraction_at(char *at, unsigned microseconds)
{
	if (microseconds == 0)
		return at;
	*at++ = '.';
	at = two(at, microseconds / 10000);
	at = four(at, microseconds % 10000);
	while (at[-1] == '0')
		at--;
	return at;
}

bool print_timestamp(StringInfo out, Timestamp time, bool with_zone)
{
	int64 day = time / USECS_PER_DAY, rest = time % USECS_PER_DAY;

	if (rest < 0) {
		rest += USECS_PER_DAY;
		day--;
	}
	put_room(out, TIME_ROOM);
	char *at = date_at(out->data + out->len, day + POSTGRES_EPOCH_JDATE);
	if (!at)
		return false;
	unsigned seconds = (unsigned)(rest / USECS_PER_SEC);
	*at++ = ' ';
	at = two(at, seconds / SECS_PER_HOUR);
	*at++ = ':';
	at = two(at, seconds / SECS_PER_MINUTE % MINS_PER_HOUR);
	*at++ = ':';
	at = two(at, seconds % SECS_PER_MINUTE);
	at = fraction_at(at, (unsigned)(rest % USECS_PER_SEC));
	if (with_zone) {
		memcpy(at, "+00", 3);
		at += 3;
	}
	out->len = (int)(at - out->data);
	return true;
}

/* ---- numbers ------------------------------------------------------------ */

/* A numeric on disk: a head, and digits to the base of 10000, the first one's weight being a power of that. */
enum {
	KIND = 0xc000, /* the head's highest bits */
	KIND_LONG_NEGATIVE = 0x4000,
	KIND_SHORT = 0x8000,
	KIND_SPECIAL = 0xc000,
	SHORT_NEGATIVE = 0x2000,
	SHORT_SCALE = 0x1f80,
	SHORT_SCALE_SHIFT = 7,
	SHORT_WEIGHT_SIGN = 0x40,
	SHORT_WEIGHT = 0x3f,
	LONG_SCALE = 0x3fff,
	DIGITS = 4, /* that a digit stands for */
	MOST = 64,  /* digits before the point, and behind it */
};

struct stored {
	bool negative;
	int weight, scale;
	const char *digits;
	int count;
};

static uint16 number_at(const char *bytes)
{
	uint16 number;

	memcpy(&number, bytes, sizeof number); /* behind a short head nothing is aligned */
	return number;
}

static bool take_apart(Datum value, struct stored *stored)
{
	const struct varlena *held = (const struct varlena *)DatumGetPointer(value);

	if (VARATT_IS_EXTERNAL(held) || VARATT_IS_COMPRESSED(held))
		return false;
	const char *bytes = VARDATA_ANY(held);
	int len = (int)VARSIZE_ANY_EXHDR(held), head_len = sizeof(uint16);
	uint16 head = number_at(bytes);

	if ((head & KIND) == KIND_SPECIAL)
		return false;
	if ((head & KIND) == KIND_SHORT) {
		stored->negative = head & SHORT_NEGATIVE;
		stored->scale = (head & SHORT_SCALE) >> SHORT_SCALE_SHIFT;
		stored->weight = (head & SHORT_WEIGHT) - (head & SHORT_WEIGHT_SIGN);
	} else {
		stored->negative = (head & KIND) == KIND_LONG_NEGATIVE;
		stored->scale = head & LONG_SCALE;
		stored->weight = (int16)number_at(bytes + sizeof(uint16));
		head_len += (int)sizeof(int16);
	}
	stored->digits = bytes + head_len;
	stored->count = (len - head_len) / (int)sizeof(int16);
	return stored->weight < MOST / DIGITS && stored->scale <= MOST;
}

static unsigned digit(const struct stored *stored, int i)
{
	return i >= 0 && i < stored->count ? number_at(stored->digits + (Size)i * sizeof(uint16)) : 0;
}

static char *whole_at(char *at, const struct stored *stored)
{
	char first[DIGITS];
	unsigned leading = digit(stored, 0);
	int zeros = leading < 10 ? 3 : leading < 100 ? 2 : leading < 1000;

	if (stored->weight < 0) {
		*at++ = '0';
		return at;
	}
	four(first, leading);
	for (int i = zeros; i < DIGITS; i++)
		*at++ = first[i];
	for (int i = 1; i <= stored->weight; i++)
		at = four(at, digit(stored, i));
	return at;
}

bool print_numeric(StringInfo out, Datum value)
{
	struct stored stored;

	if (!take_apart(value, &stored))
		return false;
	put_room(out, 1 + MOST + 1 + MOST + DIGITS);
	char *at = out->data + out->len;
	if (stored.negative)
		*at++ = '-';
	at = whole_at(at, &stored);
	if (stored.scale > 0) {
		*at++ = '.';
		char *end = at + stored.scale;
		for (int i = stored.weight + 1; at < end; i++)
			at = four(at, digit(&stored, i));
		at = end;
	}
	out->len = (int)(at - out->data);
	return true;
}

/* ---- others ------------------------------------------------------------- */

void print_uuid(StringInfo out, const pg_uuid_t *uuid)
{
	static const char hex[] = "0123456789abcdef";

	put_room(out, 2 * UUID_LEN + 4);
	char *at = out->data + out->len;
	for (int i = 0; i < UUID_LEN; i++) {
		if (i == 4 || i == 6 || i == 8 || i == 10)
			*at++ = '-';
		*at++ = hex[uuid->data[i] >> 4];
		*at++ = hex[uuid->data[i] & 15];
	}
	out->len = (int)(at - out->data);
}
