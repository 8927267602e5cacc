#include "report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "amount.h"

enum { VALUE_MAX = 2048 };

/* ---- rows --------------------------------------------------------------- */

/* The value of the row, as it stands; "" where there is none. */
static const char *fact(const char *text, const char *name, char value[VALUE_MAX])
{
	size_t len = strlen(name);

	*value = 0;
	for (const char *line = text; line && *line; line = strchr(line, '\n'), line += line ? 1 : 0)
		if (strncmp(line, name, len) == 0 && line[len] == '\t') {
			size_t n = strcspn(line + len + 1, "\n");
			snprintf(value, VALUE_MAX, "%.*s", (int)(n < VALUE_MAX ? n : VALUE_MAX - 1), line + len + 1);
			break;
		}
	return value;
}

static bool has(const char *text, const char *name)
{
	char value[VALUE_MAX];

	return *fact(text, name, value) != 0;
}

static double number(const char *text, const char *name)
{
	char value[VALUE_MAX];

	return strtod(fact(text, name, value), NULL);
}

/* Of a counter, each second; 0 where it began anew. */
static double rate(const struct report *report, const char *name)
{
	double seconds = (double)(report->now_ms - report->before_ms) / 1000;

	if (!report->before || seconds <= 0 || !has(report->before, name))
		return 0;
	double more = number(report->now, name) - number(report->before, name);
	return more > 0 ? more / seconds : 0;
}

/* ---- words -------------------------------------------------------------- */

enum { TIME_MAX = 64 };

static const char *utc(char text[TIME_MAX], time_t second)
{
	struct tm tm;

	if (!gmtime_r(&second, &tm) || !strftime(text, TIME_MAX, "%Y-%m-%d %H:%M:%S", &tm))
		snprintf(text, TIME_MAX, "%lld", (long long)second);
	return text;
}

/* How long ago a position's second is. */
static const char *ago(char text[TIME_MAX], const char *position)
{
	double seconds = (double)time(NULL) - strtod(position, NULL);
	char duration[AMOUNT_TEXT_MAX];

	if (seconds < 0)
		seconds = 0;
	if (seconds < 60)
		snprintf(text, TIME_MAX, "%.0f s ago", seconds);
	else if (seconds < 2 * 86400)
		snprintf(text, TIME_MAX, "%s ago", amount_duration(duration, seconds));
	else
		snprintf(text, TIME_MAX, "%.1f days ago", seconds / 86400);
	return text;
}

static void print_rates(FILE *out, const struct report *report)
{
	char bytes[AMOUNT_TEXT_MAX];

	fprintf(out, "%.1f transactions/s, %.1f lines/s, %s/s", rate(report, "transactions"), rate(report, "lines"),
	        amount_bytes(bytes, rate(report, "shown_bytes")));
}

static void print_lag(FILE *out, const char *now)
{
	char bytes[AMOUNT_TEXT_MAX];

	fprintf(out, "%.0f s, %s", number(now, "lag_seconds"), amount_bytes(bytes, number(now, "lag_bytes")));
}

static void print_slot(FILE *out, const char *now)
{
	char value[VALUE_MAX], bytes[AMOUNT_TEXT_MAX];

	fputs(fact(now, "slot_state", value), out);
	if (!has(now, "slot_wal_status"))
		return;
	fprintf(out, ", %s", fact(now, "slot_wal_status", value));
	fprintf(out, ", keeps %s of WAL", amount_bytes(bytes, number(now, "slot_retained_bytes")));
	double safe = number(now, "slot_safe_wal_size");
	if (strcmp(fact(now, "slot_safe_wal_size", value), "\\N") == 0)
		fputs(", no limit", out);
	else if (safe < 0)
		fputs(", past its limit", out);
	else
		fprintf(out, ", %s until it is in danger", amount_bytes(bytes, safe));
}

/* ---- the screen --------------------------------------------------------- */

static void print_stream(FILE *out, const char *now)
{
	char value[VALUE_MAX], age[TIME_MAX];

	fprintf(out, "state       %s\n", fact(now, "state", value));
	fprintf(out, "stream      database %s", fact(now, "database", value));
	fprintf(out, ", slot %s", fact(now, "slot", value));
	fprintf(out, ", generation %s\n", fact(now, "generation", value));
	fprintf(out, "position    %s", fact(now, "position", value));
	fprintf(out, " (%s), ", ago(age, value));
	fprintf(out, "LSN %s\n", fact(now, "lsn", value));
}

static void print_flow(FILE *out, const struct report *report)
{
	char bytes[AMOUNT_TEXT_MAX];

	if (!has(report->now, "lag_bytes"))
		return;
	fputs("rates       ", out);
	print_rates(out, report);
	fputs("\nlag         ", out);
	print_lag(out, report->now);
	if (has(report->now, "server_lag_bytes"))
		fprintf(out, "; %s by the server's account",
		        amount_bytes(bytes, number(report->now, "server_lag_bytes")));
	if (has(report->now, "slot_age_seconds"))
		fprintf(out, ", %.0f s ago", number(report->now, "slot_age_seconds"));
	fputc('\n', out);
}

static void print_store(FILE *out, const char *now)
{
	char value[VALUE_MAX], age[TIME_MAX], second[TIME_MAX], bytes[AMOUNT_TEXT_MAX];
	double free_bytes = number(now, "disk_free"), size = number(now, "disk_size");

	fact(now, "oldest", value);
	fprintf(out, "retained    since %s (%s)", utc(second, (time_t)strtoll(value, NULL, 10)), ago(age, value));
	fprintf(out, ", %s in %.0f segments", amount_bytes(bytes, number(now, "bytes")), number(now, "segments"));
	if (number(now, "keep_days") > 0)
		fprintf(out, ", of %.0f days", number(now, "keep_days"));
	if (number(now, "keep_bytes") > 0)
		fprintf(out, ", of %s", amount_bytes(bytes, number(now, "keep_bytes")));
	fprintf(out, "\ndisk        %s free", amount_bytes(bytes, free_bytes));
	fprintf(out, " of %s (%.0f%%)\n", amount_bytes(bytes, size), size > 0 ? free_bytes * 100 / size : 0);
	fprintf(out, "snapshot    %s", *fact(now, "snapshot", value) ? value : "none");
	if (*value)
		fprintf(out, " (%s)", ago(age, value));
	if (has(now, "snapshot_state"))
		fprintf(out, ", %s", fact(now, "snapshot_state", value));
	fputc('\n', out);
}

static void print_trouble(FILE *out, const char *name, const char *title, const char *now)
{
	char value[VALUE_MAX];

	if (has(now, name))
		fprintf(out, "%-11s %s\n", title, fact(now, name, value));
}

void report_screen(FILE *out, const struct report *report)
{
	const char *now = report->now;
	char value[VALUE_MAX];

	print_stream(out, now);
	print_flow(out, report);
	if (has(now, "slot_state")) {
		fputs("slot        ", out);
		print_slot(out, now);
		fputc('\n', out);
	}
	print_store(out, now);
	if (has(now, "followers")) {
		fprintf(out, "followers   %s", fact(now, "followers", value));
		fprintf(out, ", of %s open files\n", fact(now, "open_files", value));
	}
	fprintf(out, "damage      %s\n", *fact(now, "damage", value) ? value : "none seen");
	print_trouble(out, "unplaced", "unplaced", now);
	print_trouble(out, "snapshot_error", "no snapshot", now);
	print_trouble(out, "slot_error", "no answer", now);
	print_trouble(out, "last_error", "last error", now);
}

void report_line(FILE *out, const struct report *report)
{
	const char *now = report->now;
	char value[VALUE_MAX], second[TIME_MAX];

	fprintf(out, "%s %s", utc(second, time(NULL)), fact(now, "state", value));
	if (strcmp(value, "waiting") == 0 && has(now, "last_error"))
		fprintf(out, " (%s)", fact(now, "last_error", value));
	fputs(", ", out);
	fprintf(out, "%s, ", fact(now, "position", value));
	fprintf(out, "LSN %s, ", fact(now, "lsn", value));
	if (has(now, "lag_bytes")) {
		print_rates(out, report);
		fputs(", lag ", out);
		print_lag(out, now);
		fputs(", ", out);
	}
	if (has(now, "slot_state")) {
		fputs("slot ", out);
		print_slot(out, now);
		fputs(", ", out);
	}
	if (has(now, "followers"))
		fprintf(out, "%s followers, ", fact(now, "followers", value));
	fprintf(out, "%s\n", *fact(now, "damage", value) ? "DAMAGED" : "no damage seen");
}
