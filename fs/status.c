#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reserve.h"
#include "snapshots.h"

static void row(FILE *out, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void row(FILE *out, const char *name, const char *fmt, ...)
{
	char *value, escaped[1024];
	va_list args;

	va_start(args, fmt);
	int len = vasprintf(&value, fmt, args);
	va_end(args);
	if (len < 0)
		return;
	fprintf(out, "%s\t", name);
	for (size_t done = 0, n; done < (size_t)len; done += n) {
		n = (size_t)len - done < sizeof escaped / 2 ? (size_t)len - done : sizeof escaped / 2;
		size_t escaped_len = line_escape(escaped, value + done, n);
		fwrite(escaped, 1, escaped_len, out);
	}
	fputc('\n', out);
	free(value);
}

char *status_print(size_t *len, struct store *store, const struct config *config, const struct ingest_status *ingest,
                   const struct keeper_status *keeper)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, len);
	struct store_end end;
	struct position newest;
	char position[POSITION_TEXT_MAX], lsn[LSN_TEXT_MAX];
	uint64_t durable = ingest->durable_lsn;

	if (!out)
		return NULL;
	store_end(store, &end);
	row(out, "state", "%s", ingest->state);
	row(out, "position", "%s", position_print(position, end.last));
	row(out, "lsn", "%s", lsn_print(lsn, end.lsn));
	row(out, "generation", "%llu", (unsigned long long)end.origin.generation);
	row(out, "system", "%llu", (unsigned long long)end.origin.system);
	row(out, "timeline", "%u", end.origin.timeline);
	row(out, "database", "%s", end.origin.database);
	row(out, "slot", "%s", end.origin.slot);
	row(out, "tables", "%s", config->tables);
	row(out, "source_lsn", "%s", lsn_print(lsn, ingest->source_lsn));
	row(out, "lag_bytes", "%llu",
	    (unsigned long long)(ingest->source_lsn > durable ? ingest->source_lsn - durable : 0));
	row(out, "lag_seconds", "%llu", (unsigned long long)ingest->lag_seconds);
	struct segments_edge edge = segments_edge(store_segments(store));
	row(out, "segments", "%zu", segments_range(store_segments(store)).newest + 1 - edge.number);
	row(out, "bytes", "%llu", (unsigned long long)(store_len(store) - edge.base));
	row(out, "oldest", "%s", position_print(position, edge.first));
	row(out, "keep_days", "%llu", (unsigned long long)config->keep_days);
	row(out, "keep_bytes", "%llu", (unsigned long long)config->keep_bytes);
	char damage[1024];
	row(out, "reserve", "%llu", (unsigned long long)reserve_bytes(store_dirfd(store)));
	bool any = snapshots_newest(store_dirfd(store), end.origin.generation, &newest, NULL) == 1;
	row(out, "snapshots", "%s", config->snapshot);
	row(out, "snapshot", "%s", any ? position_print(position, newest) : "");
	row(out, "snapshot_state", "%s", keeper->state);
	row(out, "snapshot_error", "%s", keeper->error);
	row(out, "unplaced", "%s", ingest->unplaced);
	row(out, "damage", "%s", damage_print(store_damage(store), damage, sizeof damage));
	row(out, "last_error", "%s", ingest->last_error);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
