#include "report.h"

#include <inttypes.h>
#include <string.h>

static const char *const words[] = {[SUSPECT_OPEN] = "unsettled",
                                    [SUSPECT_EQUAL] = "equal",
                                    [SUSPECT_MISSING] = "missing",
                                    [SUSPECT_EXTRA] = "extra",
                                    [SUSPECT_DIFFERING] = "differing"};

void report_begin(struct report *report, FILE *out)
{
	*report = (struct report){.out = out};
	fputs("table\tresult\trows\tmissing\textra\tdiffering\tnote\n", out);
}

/* How many rows of the table a suspect stands for. */
static uint64_t weight(const struct suspect *suspect)
{
	int64_t more = suspect->after - suspect->mirror;

	return suspect->verdict == SUSPECT_EQUAL ? 0 : more == 0 ? 1 : (uint64_t)(more < 0 ? -more : more);
}

static void print_keys(const struct report *report, const struct suspects *suspects, const struct sides *sides,
                       enum suspect_verdict verdict)
{
	unsigned printed = 0;
	uint64_t more = 0;

	for (const struct suspect *suspect = suspects->all; suspect; suspect = suspect->hh.next) {
		if (suspect->verdict != verdict)
			continue;
		if (printed++ >= REPORT_KEYS_MOST) {
			more++;
			continue;
		}
		char *key = suspect_print(suspect, sides);
		fprintf(report->out, "\t%s\t%s", words[verdict], key ? key : "");
		if (suspect->columns && *suspect->columns && verdict != SUSPECT_EXTRA && verdict != SUSPECT_MISSING)
			fprintf(report->out, "\t%s", suspect->columns);
		else if (!sides->keyed)
			fprintf(report->out, "\t%" PRId64 " at the server, %" PRId64 " in the mirror", suspect->after,
			        suspect->mirror);
		fputc('\n', report->out);
		sqlite3_free(key);
	}
	if (more > 0)
		fprintf(report->out, "\t%s\t... and %" PRIu64 " more\n", words[verdict], more);
}

static const char *result_of(const struct report_table *table, bool equal)
{
	switch (table->kind) {
	case REPORT_EMPTY: return "empty";
	case REPORT_ASIDE: return "aside";
	case REPORT_FAILED: return "FAILED";
	case REPORT_MISSING: return "MISSING";
	case REPORT_EXTRA: return "EXTRA";
	default: return equal ? "equal" : "DIFFERENT";
	}
}

static void append(char *note, size_t size, const char *text)
{
	size_t used = strlen(note);

	snprintf(note + used, size - used, "%s%s", used ? "; " : "", text);
}

void report_add(struct report *report, const struct report_table *table, const struct suspects *suspects,
                const struct sides *sides)
{
	uint64_t counts[SUSPECT_VERDICTS] = {0}, beyond = 0;
	char note[1200] = "", text[200];

	if (table->kind == REPORT_NOTHING)
		return;
	if (table->kind == REPORT_COMPARED) {
		for (const struct suspect *suspect = suspects->all; suspect; suspect = suspect->hh.next)
			counts[suspect->verdict] += weight(suspect);
		for (int verdict = SUSPECT_MISSING; verdict < SUSPECT_VERDICTS; verdict++)
			counts[verdict] += suspects->beyond[verdict];
		beyond = suspects->beyond[SUSPECT_OPEN];
	} else if (table->kind == REPORT_EXTRA) {
		counts[SUSPECT_EXTRA] = table->rows;
	} else if (table->kind == REPORT_MISSING) {
		counts[SUSPECT_MISSING] = table->rows;
	}
	append(note, sizeof note, table->note);
	if (counts[SUSPECT_OPEN] > 0) {
		snprintf(text, sizeof text, "%" PRIu64 " keys change all the time and could not be compared",
		         counts[SUSPECT_OPEN]);
		append(note, sizeof note, text);
	}
	if (beyond > 0) {
		snprintf(text, sizeof text, "%" PRIu64 " of these keys were not looked at again", beyond);
		append(note, sizeof note, text);
	}
	if (table->inexact) {
		snprintf(text, sizeof text, "inexact since %s: it had changes that could not be placed",
		         table->inexact);
		append(note, sizeof note, text);
	}
	bool equal = table->kind == REPORT_COMPARED && beyond == 0 && counts[SUSPECT_OPEN] == 0 &&
	             counts[SUSPECT_MISSING] == 0 && counts[SUSPECT_EXTRA] == 0 && counts[SUSPECT_DIFFERING] == 0;
	fprintf(report->out, "%s\t%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "%s%s\n", table->name,
	        result_of(table, equal), table->kind == REPORT_EXTRA ? 0 : table->rows, counts[SUSPECT_MISSING],
	        counts[SUSPECT_EXTRA], counts[SUSPECT_DIFFERING], *note ? "\t" : "", note);
	for (enum suspect_verdict verdict = SUSPECT_OPEN; table->kind == REPORT_COMPARED && verdict < SUSPECT_VERDICTS;
	     verdict++)
		if (verdict != SUSPECT_EQUAL)
			print_keys(report, suspects, sides, verdict);
	fflush(report->out);
	report->tables++;
	report->rows += table->kind == REPORT_EXTRA ? 0 : table->rows;
	report->different += !equal && table->kind != REPORT_EMPTY && table->kind != REPORT_ASIDE;
}
