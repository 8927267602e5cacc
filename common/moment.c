#include "moment.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "wall.h"
#include "zone.h"

enum { TEXT_MAX = 100 };

struct reading {
	const char *text;
	char plain[TEXT_MAX + 1]; /* without the zone */
	struct zone zone;
};

static int refuse(const struct reading *reading, struct err *err, const char *why)
{
	return err_set(err, -EINVAL,
	               "\"%.100s\" is no moment%s: give a position (1507507200.10), an LSN (16/B374D848) or a time "
	               "(2026-11-21 10:00; its zone as +01:00, UTC or Europe/Berlin)",
	               reading->text, why);
}

/* ---- zones --------------------------------------------------------------- */

static int set_zone(struct reading *reading, size_t at, size_t len, const struct zone *zone, struct err *err)
{
	if (reading->zone.kind != ZONE_LOCAL)
		return refuse(reading, err, ", since it has two zones");
	reading->zone = *zone;
	memset(reading->plain + at, ' ', len);
	return 0;
}

static bool is_utc(const char *word, size_t len)
{
	static const char *const names[] = {"UTC", "GMT", "UT", "Z", "Zulu"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (strlen(names[i]) == len && strncasecmp(word, names[i], len) == 0)
			return true;
	return false;
}

/* Whether a zone may begin at text[at]: behind a space, or directly behind a time of day, where that is
 * `clock`. */
static bool may_begin(const char *text, size_t at, bool clock)
{
	return at > 0 && (text[at - 1] == ' ' || (clock && isdigit((unsigned char)text[at - 1])));
}

/* The word at text[at], which may be a zone: 0, and its length. */
static int take_word(struct reading *reading, size_t at, bool clock, size_t *len, struct err *err)
{
	const char *word = reading->text + at;
	struct zone zone = {.kind = ZONE_OFFSET};
	bool begins = may_begin(reading->text, at, clock);
	size_t n = 0;

	while (isalpha((unsigned char)word[n]))
		n++;
	if (begins && word[n] == '/' && isalpha((unsigned char)word[n + 1])) {
		*len = strcspn(word, " ");
		int r = zone_set_name(&zone, word, *len, err);
		return r < 0 ? r : set_zone(reading, at, *len, &zone, err);
	}
	*len = n;
	/* UTC+2 is east of it to some, and west to others. */
	return begins && is_utc(word, n) && (!word[n] || word[n] == ' ') ? set_zone(reading, at, n, &zone, err) : 0;
}

/* Takes the zone out. */
static int take_zone(struct reading *reading, struct err *err)
{
	const char *text = reading->text;
	bool clock = false; /* the word so far has a time of day */
	struct zone zone;
	size_t len;
	int r = 0;

	memcpy(reading->plain, text, strlen(text) + 1);
	for (size_t at = 0; r == 0 && text[at]; at += len) {
		len = 1;
		clock = text[at] != ' ' && (clock || text[at] == ':' || text[at] == 'T');
		if (isalpha((unsigned char)text[at])) {
			r = take_word(reading, at, clock, &len, err);
		} else if ((text[at] == '+' || text[at] == '-') && may_begin(text, at, clock)) {
			if ((len = zone_parse_offset(&zone, text + at)) == 0)
				return refuse(reading, err, ", since its offset is none");
			r = set_zone(reading, at, len, &zone, err);
		}
	}
	return r;
}

/* ---- moments ------------------------------------------------------------- */

static void set_time(struct moment *moment, int64_t second, bool fraction)
{
	*moment = (struct moment){.kind = MOMENT_TIME};
	if (second >= 0) {
		moment->position.epoch = (uint64_t)second;
		moment->fraction = fraction;
	}
}

static int parse_time(struct moment *moment, const char *text, struct err *err)
{
	struct reading reading = {.text = text};
	int64_t second;
	bool fraction;
	int r;

	if (strlen(text) > TEXT_MAX)
		return refuse(&reading, err, "");
	if ((r = take_zone(&reading, err)) < 0)
		return r;
	if (!wall_parse(reading.plain, &second, &fraction))
		return refuse(&reading, err, "");
	set_time(moment, zone_utc(&reading.zone, second), fraction);
	return 0;
}

int moment_parse(struct moment *moment, const char *text, struct err *err)
{
	struct timespec now;
	size_t len;

	text += strspn(text, " ");
	len = strlen(text);
	*moment = (struct moment){.kind = MOMENT_POSITION};
	if (position_parse(text, len, &moment->position))
		return 0;
	moment->kind = MOMENT_LSN;
	if (lsn_parse(text, len, &moment->lsn))
		return 0;
	if (strcasecmp(text, "now") == 0) {
		clock_gettime(CLOCK_REALTIME, &now);
		set_time(moment, now.tv_sec, now.tv_nsec > 0);
		return 0;
	}
	if (strcasecmp(text, "epoch") == 0) {
		set_time(moment, 0, false);
		return 0;
	}
	return parse_time(moment, text, err);
}

bool moment_first(const struct moment *since, struct position *first)
{
	*first = since->position;
	return since->kind != MOMENT_LSN;
}

bool moment_before(const struct moment *since, uint64_t lsn)
{
	return since->kind == MOMENT_LSN && lsn <= since->lsn;
}

bool moment_has(const struct moment *until, struct position commit, uint64_t lsn)
{
	switch (until->kind) {
	case MOMENT_POSITION: return position_cmp(commit, until->position) <= 0;
	case MOMENT_LSN: return lsn <= until->lsn;
	case MOMENT_TIME: return commit.epoch < until->position.epoch + until->fraction;
	default: return true;
	}
}
