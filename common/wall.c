#include "wall.h"

#include <ctype.h>
#include <langinfo.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* libpgtypes reads more, but takes what the server refuses for something else (2026-13-01, 31/12/1999), and
 * forgets zones. strptime(3) does what its format says. */

struct wall {
	struct tm tm;
	double fraction; /* of the second */
};

struct format {
	const char *text;
	size_t digits; /* not 0: it begins with exactly so many, which tells it from others */
};

static const struct format dates[] = {{"%Y-%m-%d", 4}, {"%Y/%m/%d", 4}, {"%Y.%m.%d", 4}, {"%m/%d/%Y", 0},
                                      {"%m-%d-%Y", 0}, {"%m.%d.%Y", 0}, {"%Y%m%d", 8},   {"%d-%b-%Y", 0},
                                      {"%d %b %Y", 0}, {"%b-%d-%Y", 0}, {"%b %d %Y", 0}, {"%b %d, %Y", 0},
                                      {"%Y-%b-%d", 4}, {NULL, 0}};
static const struct format clocks[] = {{"%I:%M:%S %p", 0}, {"%I:%M %p", 0}, {"%H:%M:%S", 0}, {"%H:%M", 0},
                                       {"%H%M%S", 6},      {"%H%M", 4},     {NULL, 0}};
static const struct format both[] = {{"%b %d %H:%M:%S %Y", 0}, {NULL, 0}}; /* date(1) */

static size_t digits(const char *text)
{
	return strspn(text, "0123456789");
}

/* Of a second, as the server rounds it. Returns behind it. */
static const char *read_fraction(struct wall *wall, const char *text)
{
	if (*text != '.' || digits(text + 1) == 0)
		return text;
	wall->fraction = rint(strtod(text, NULL) * 1e6) / 1e6;
	return text + 1 + digits(text + 1);
}

/* Behind what was read; NULL: `text` does not begin with any of these, and a T or a space behind it. */
static const char *read_one(struct wall *wall, const char *text, const struct format *formats)
{
	for (; formats->text; formats++) {
		struct wall read = *wall;
		const char *end = NULL;
		if (!formats->digits || digits(text) == formats->digits)
			end = strptime(text, formats->text, &read.tm);
		if (end && strcmp(formats->text, "%H:%M:%S") == 0)
			end = read_fraction(&read, end);
		if (!end || (*end && *end != ' ' && (*end != 'T' || strstr(formats->text, "%b"))) ||
		    read.tm.tm_sec > 59)
			continue;
		*wall = read;
		return end;
	}
	return NULL;
}

static const char *read_word(struct wall *wall, const char *text)
{
	static const struct {
		const char *name;
		int days;
	} words[] = {{"yesterday", -1}, {"today", 0}, {"tomorrow", 1}};
	time_t now = time(NULL);
	struct tm tm;
	size_t len = strcspn(text, " ");

	for (size_t i = 0; i < sizeof words / sizeof *words; i++)
		if (strlen(words[i].name) == len && strncasecmp(words[i].name, text, len) == 0 &&
		    localtime_r(&now, &tm)) {
			wall->tm.tm_year = tm.tm_year;
			wall->tm.tm_mon = tm.tm_mon;
			wall->tm.tm_mday = tm.tm_mday + words[i].days;
			return text + len;
		}
	return NULL;
}

/* Whether there is such a day: timegm takes the 30th of February for one in March. */
static bool is_day(const struct tm *tm)
{
	struct tm same = *tm;

	timegm(&same);
	return same.tm_mday == tm->tm_mday && tm->tm_year >= 1000 - 1900;
}

/* strptime passes over spaces wherever a number may stand; here they stand between words only. */
static bool spaced_well(const char *text)
{
	for (const char *at = strchr(text, ' '); at; at = strchr(at + 1, ' '))
		if ((at > text && !isalnum((unsigned char)at[-1]) && at[-1] != ',' && at[-1] != ' ') ||
		    (at[1] && at[1] != ' ' && !isalnum((unsigned char)at[1])))
			return false;
	return true;
}

static bool is_one(const char *word, size_t len, nl_item first, nl_item last)
{
	for (nl_item item = first; item <= last; item++)
		if (strlen(nl_langinfo(item)) == len && strncasecmp(nl_langinfo(item), word, len) == 0)
			return true;
	return false;
}

/* strptime takes "MonTue" for a day, too. */
static bool named_well(const char *text)
{
	size_t len;

	for (; *text; text += len ? len : 1) {
		for (len = 0; isalpha((unsigned char)text[len]); len++)
			;
		if ((is_one(text, len < 3 ? len : 3, ABDAY_1, ABDAY_7) && !is_one(text, len, ABDAY_1, DAY_7)) ||
		    (is_one(text, len < 3 ? len : 3, ABMON_1, ABMON_12) && !is_one(text, len, ABMON_1, MON_12)))
			return false;
	}
	return true;
}

/* Behind the name of a day, which says nothing that the date does not; the server has none before a date in one word,
 * but for one of digits alone. */
static const char *skip_day(const char *text)
{
	struct tm tm = {0};
	const char *end = isalpha((unsigned char)*text) ? strptime(text, "%a", &tm) : NULL;

	if (!end || (*end != ' ' && *end != ','))
		return text;
	end += *end == ',';
	end += strspn(end, " ");
	char mark = end[strcspn(end, "-/. ")];
	return !mark || mark == ' ' ? end : text;
}

static const char *read_all(struct wall *wall, const char *text)
{
	const char *end = read_one(wall, text, both);

	if (end)
		return is_day(&wall->tm) ? end : NULL;
	end = read_one(wall, text, dates);
	if (end ? !is_day(&wall->tm) : !(end = read_word(wall, text)))
		return NULL;
	bool joined = *end == 'T';
	end += joined ? 1 : strspn(end, " ");
	return *end || joined ? read_one(wall, end, clocks) : end;
}

bool wall_parse(const char *text, int64_t *second, bool *fraction)
{
	struct wall wall = {0};

	text += strspn(text, " ");
	if (!spaced_well(text) || !named_well(text))
		return false;
	const char *end = read_all(&wall, skip_day(text));
	if (!end || end[strspn(end, " ")])
		return false;
	*second = timegm(&wall.tm) + (wall.fraction >= 1);
	*fraction = wall.fraction > 0 && wall.fraction < 1;
	return true;
}
