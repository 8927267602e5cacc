/* Moments as people write them: positions, LSNs, times; and what stands before and behind them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "moment.h"

static int in_zone(void **state)
{
	(void)state;
	return setenv("TZ", "Europe/Berlin", 1);
}

static struct moment parse(const char *text)
{
	struct moment moment;
	struct err err = {""};

	if (moment_parse(&moment, text, &err) < 0)
		fail_msg("%s", err.text);
	return moment;
}

static void refused(const char *text, const char *reason)
{
	struct moment moment;
	struct err err = {""};

	assert_int_equal(moment_parse(&moment, text, &err), -EINVAL);
	if (!strstr(err.text, reason))
		fail_msg("no \"%s\" in: %s", reason, err.text);
}

/* What PostgreSQL 15 says is extract(epoch from text::timestamptz) in that zone; tests/flow/94-moments.sh asks it. */
static void is_time(const char *text, uint64_t second, bool fraction)
{
	struct moment moment = parse(text);

	assert_int_equal(moment.kind, MOMENT_TIME);
	assert_int_equal(moment.position.epoch, second);
	assert_int_equal(moment.position.seq, 0);
	assert_int_equal(moment.fraction, fraction);
}

static void digits_and_a_dot_are_a_position(void **state)
{
	struct moment moment = parse("1507507200.10");

	(void)state;
	assert_int_equal(moment.kind, MOMENT_POSITION);
	assert_int_equal(moment.position.epoch, 1507507200);
	assert_int_equal(moment.position.seq, 10);
	assert_int_equal(parse("1999.8").kind, MOMENT_POSITION);
	refused("1999.008", "is no moment");
	refused("1507507200", "is no moment");
	refused("1.2.3", "is no moment");
}

static void digits_and_a_slash_are_an_lsn(void **state)
{
	(void)state;
	assert_int_equal(parse("16/B374D848").kind, MOMENT_LSN);
	assert_true(parse("16/b374d848").lsn == 0x16b374d848);
	assert_int_equal(parse("1507507/10").kind, MOMENT_LSN);
	refused("16/", "is no moment");
}

static void a_time_without_a_zone_is_local(void **state)
{
	(void)state;
	is_time("2026-11-21 10:00", 1795251600, false);
	is_time("2026-07-01 10:00", 1782892800, false);
	is_time("2026-11-21", 1795215600, false);
	is_time("  20261121T100000", 1795251600, false);
	is_time("Nov 21, 2026 10:00 AM", 1795251600, false);
	is_time("11/21/2026 22:00", 1795294800, false);
}

static void a_time_has_its_zone(void **state)
{
	(void)state;
	is_time("2026-11-21 10:00+01", 1795251600, false);
	is_time("2026-11-21T09:00:00Z", 1795251600, false);
	is_time("2026-11-21 04:00 America/New_York", 1795251600, false);
	is_time("Sat Nov 21 09:00:00 UTC 2026", 1795251600, false);
	is_time("Sat 20261121 09:00 UTC", 1795251600, false);
	is_time("2026-11-21 14:30:00 +0530", 1795251600, false);
	is_time("2026-11-21 14:30:15+05:30:15", 1795251600, false);
	is_time("20261121T040000-05", 1795251600, false);
	assert_string_equal(getenv("TZ"), "Europe/Berlin");
}

static void a_fraction_rounds_down_and_is_remembered(void **state)
{
	(void)state;
	is_time("2026-11-21 10:00:00.000001", 1795251600, true);
	is_time("2026-11-21 10:00:59.999999+01", 1795251659, true);
	is_time("2026-11-21 10:00:00.000", 1795251600, false);
}

static void what_a_change_of_clocks_hides_or_doubles_is_standard_time(void **state)
{
	(void)state;
	is_time("2026-03-29 01:59:59", 1774745999, false);
	is_time("2026-03-29 02:30", 1774747800, false);
	is_time("2026-03-29 03:00", 1774746000, false);
	is_time("2026-10-25 01:59", 1792886340, false);
	is_time("2026-10-25 02:30", 1792891800, false);
	is_time("2026-10-25 03:00", 1792893600, false);
}

static void words_name_days(void **state)
{
	struct moment today, yesterday;

	(void)state;
	uint64_t before = (uint64_t)time(NULL);
	struct moment now = parse("NOW");
	struct timespec clock; /* time() may be some milliseconds behind it */
	clock_gettime(CLOCK_REALTIME, &clock);
	uint64_t second = (uint64_t)clock.tv_sec;
	assert_in_range(now.position.epoch, before, second);
	do { /* both before midnight, or both after it */
		today = parse("today");
		yesterday = parse("yesterday 18:00");
	} while (parse("today").position.epoch != today.position.epoch);
	clock_gettime(CLOCK_REALTIME, &clock);
	second = (uint64_t)clock.tv_sec;
	assert_in_range(second - today.position.epoch, 0, 25 * 3600 + 5);
	assert_in_range(today.position.epoch - yesterday.position.epoch, 5 * 3600, 7 * 3600);
	is_time("epoch", 0, false);
	is_time("1969-12-31 10:00+00", 0, false);
}

static void what_could_be_misread_is_refused(void **state)
{
	(void)state;
	refused("2026-07-01 10:00 CET", "Europe/Berlin");
	refused("2026-07-01 10:00 UTC+2", "UTC");
	refused("2026-07-01 10:00 Europe/Atlantis", "Europe/Atlantis");
	refused("2026-07-01 10:00 right/UTC", "right/UTC");
	refused("2026-07-01 10:00 ../../etc/passwd", "etc/passwd");
	refused("2026-07-01 10:00+01 UTC", "two zones");
	refused("20260701 100000-08", "is no moment");
	refused("2026-07-01 10:00+16", "offset");
	refused("2026-07-01 10:00+130", "offset");
	refused("2026-02-30", "is no moment");
	refused("Sat 2026-11-21", "is no moment");
	refused("FriSat, 21 Nov 2026", "is no moment");
	refused("OctNov 21 2026", "is no moment");
	refused("Sat, 21-Nov-2026", "is no moment");
	refused("2026-13-01", "is no moment");
	refused("21/11/2026", "is no moment");
	refused("2026-11-21 25:00", "is no moment");
	refused("infinity", "infinity");
	refused("now UTC", "now");
	refused("10:00 2026-11-21", "is no moment");
	refused("UTC 2026-11-21", "is no moment");
	refused("Aug-13-2000z", "is no moment");
	refused("26-11-21", "is no moment");
	refused("2026-11-21 -", "is no moment");
	refused("2026- 11-21", "is no moment");
	refused("2026-11-21T", "is no moment");
	refused("", "is no moment");
	refused("2026-11-21 10:00\n", "is no moment");
	refused("2026-11-21 10:00 ü", "is no moment");
	refused("99999999999999999999.0", "is no moment");
	refused("2026-11-21 10:00 2026-11-21 10:00 2026-11-21 10:00 2026-11-21 10:00 2026-11-21 10:00 2026-11-21 10:00 "
	        "2026",
	        "is no moment");
}

static bool has(const char *until, uint64_t epoch, uint64_t seq, uint64_t lsn)
{
	struct moment moment = parse(until);

	return moment_has(&moment, (struct position){epoch, seq}, lsn);
}

static void until_has_what_was_committed_by_then(void **state)
{
	struct moment none = {0};

	(void)state;
	assert_true(moment_has(&none, (struct position){UINT64_MAX, UINT64_MAX}, UINT64_MAX));
	assert_true(has("100.5", 100, 5, 1));
	assert_true(has("100.5", 99, 7, 1));
	assert_false(has("100.5", 100, 6, 1));
	assert_true(has("0/10", 100, 5, 0x10));
	assert_false(has("0/10", 100, 5, 0x11));
	assert_true(has("1970-01-01 00:01:40+00", 99, 7, 1));
	assert_false(has("1970-01-01 00:01:40+00", 100, 0, 1));
	assert_true(has("1970-01-01 00:01:40.1+00", 100, 9, 1));
	assert_false(has("1970-01-01 00:01:40.1+00", 101, 0, 1));
	assert_false(has("1969-01-01", 0, 0, 1));
}

static void since_begins_at_a_position_or_behind_an_lsn(void **state)
{
	struct moment moment = parse("1970-01-01 00:01:40.9+00"), none = {0};
	struct position first;

	(void)state;
	assert_true(moment_first(&moment, &first));
	assert_int_equal(first.epoch, 100);
	assert_int_equal(first.seq, 0);
	assert_true(moment_first(&none, &first));
	assert_int_equal(first.epoch, 0);
	moment = parse("100.7");
	assert_true(moment_first(&moment, &first));
	assert_int_equal(first.seq, 7);
	assert_false(moment_before(&moment, 0));
	moment = parse("0/10");
	assert_false(moment_first(&moment, &first));
	assert_true(moment_before(&moment, 0x10));
	assert_false(moment_before(&moment, 0x11));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(digits_and_a_dot_are_a_position),
	    cmocka_unit_test(digits_and_a_slash_are_an_lsn),
	    cmocka_unit_test(a_time_without_a_zone_is_local),
	    cmocka_unit_test(a_time_has_its_zone),
	    cmocka_unit_test(a_fraction_rounds_down_and_is_remembered),
	    cmocka_unit_test(what_a_change_of_clocks_hides_or_doubles_is_standard_time),
	    cmocka_unit_test(words_name_days),
	    cmocka_unit_test(what_could_be_misread_is_refused),
	    cmocka_unit_test(until_has_what_was_committed_by_then),
	    cmocka_unit_test(since_begins_at_a_position_or_behind_an_lsn),
	};

	return cmocka_run_group_tests(tests, in_zone, NULL);
}
