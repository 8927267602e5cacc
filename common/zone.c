#include "zone.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { OFFSET_HOURS = 15 }; /* PostgreSQL's limit */

static size_t two_digits(const char *text, int *value)
{
	*value = 0;
	for (size_t i = 0; i < 2; i++) {
		if (!isdigit((unsigned char)text[i]))
			return i;
		*value = *value * 10 + (text[i] - '0');
	}
	return 2;
}

size_t zone_parse_offset(struct zone *zone, const char *text)
{
	int hours, minutes = 0, seconds = 0;
	size_t at = 1, n;

	if ((text[0] != '+' && text[0] != '-') || (n = two_digits(text + at, &hours)) == 0)
		return 0;
	at += n;
	if (isdigit((unsigned char)text[at])) { /* +0530; an odd digit could be read in two ways */
		if (two_digits(text + at, &minutes) != 2)
			return 0;
		at += 2;
	} else if (text[at] == ':') {
		if (two_digits(text + at + 1, &minutes) != 2)
			return 0;
		at += 3;
		if (text[at] == ':') {
			if (two_digits(text + at + 1, &seconds) != 2)
				return 0;
			at += 3;
		}
	}
	if (isalnum((unsigned char)text[at]) || hours > OFFSET_HOURS || minutes > 59 || seconds > 59)
		return 0;
	int64_t offset_s = ((int64_t)hours * 60 + minutes) * 60 + seconds;
	*zone = (struct zone){.kind = ZONE_OFFSET, .offset_s = text[0] == '-' ? -offset_s : offset_s};
	return at;
}

int zone_set_name(struct zone *zone, const char *name, size_t len, struct err *err)
{
	const char *folder = getenv("TZDIR");
	char path[512];
	struct stat st;

	*zone = (struct zone){.kind = ZONE_NAMED};
	/* A zone that counts leap seconds (right/...) is none of PostgreSQL's. */
	if (len < sizeof zone->name && !memmem(name, len, "..", 2) && strncmp(name, "right/", 6) != 0) {
		memcpy(zone->name, name, len);
		snprintf(path, sizeof path, "%s/%s", folder && *folder ? folder : "/usr/share/zoneinfo", zone->name);
		if (stat(path, &st) == 0 && S_ISREG(st.st_mode))
			return 0;
	}
	return err_set(err, -EINVAL, "there is no time zone \"%.*s\" here (the package tzdata has them)",
	               (int)(len < 100 ? len : 100), name);
}

static int64_t offset_at(int64_t utc)
{
	time_t at = (time_t)utc;
	struct tm tm;

	return localtime_r(&at, &tm) ? tm.tm_gmtoff : 0;
}

static int64_t local_utc(int64_t wall)
{
	enum { DAY_S = 86400 }; /* no offset is that large, and no zone changes twice in two days */
	int64_t before = wall - offset_at(wall - DAY_S), after = wall - offset_at(wall + DAY_S);

	/* The later clock's reading where it shows that; so does it where both do, or the clock never changed. */
	return wall - after == offset_at(after) ? after : before;
}

int64_t zone_utc(const struct zone *zone, int64_t wall)
{
	if (zone->kind == ZONE_OFFSET)
		return wall - zone->offset_s;
	if (zone->kind == ZONE_LOCAL) {
		tzset();
		return local_utc(wall);
	}
	const char *set = getenv("TZ");
	char *old = set ? strdup(set) : NULL;
	setenv("TZ", zone->name, 1);
	tzset();
	int64_t utc = local_utc(wall);
	if (old)
		setenv("TZ", old, 1);
	else
		unsetenv("TZ");
	tzset();
	free(old);
	return utc;
}
