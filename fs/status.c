#include "status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "snapshots.h"

struct out {
	char *text;
	size_t size, len;
};

static void row(struct out *out, const char *name, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

static void row(struct out *out, const char *name, const char *fmt, ...)
{
	char value[1100], escaped[2 * sizeof value];
	va_list args;

	va_start(args, fmt);
	vsnprintf(value, sizeof value, fmt, args);
	va_end(args);
	size_t len = line_escape(escaped, value, strlen(value));
	int n = snprintf(out->text + out->len, out->size - out->len, "%s\t%.*s\n", name, (int)len, escaped);
	if (n > 0)
		out->len += (size_t)n < out->size - out->len ? (size_t)n : out->size - out->len - 1;
}

size_t status_print(char *text, size_t size, struct store *store, const struct config *config,
                    const struct ingest_status *ingest, const struct keeper_status *keeper)
{
	struct out out = {text, size, 0};
	struct store_end end;
	struct position newest;
	char position[POSITION_TEXT_MAX], lsn[LSN_TEXT_MAX];
	uint64_t durable = ingest->durable_lsn;

	store_end(store, &end);
	row(&out, "state", "%s", ingest->state);
	row(&out, "position", "%s", position_print(position, end.last));
	row(&out, "lsn", "%s", lsn_print(lsn, end.lsn));
	row(&out, "generation", "%llu", (unsigned long long)end.origin.generation);
	row(&out, "system", "%llu", (unsigned long long)end.origin.system);
	row(&out, "timeline", "%u", end.origin.timeline);
	row(&out, "database", "%s", end.origin.database);
	row(&out, "slot", "%s", end.origin.slot);
	row(&out, "source_lsn", "%s", lsn_print(lsn, ingest->source_lsn));
	row(&out, "lag_bytes", "%llu",
	    (unsigned long long)(ingest->source_lsn > durable ? ingest->source_lsn - durable : 0));
	row(&out, "lag_seconds", "%llu", (unsigned long long)ingest->lag_seconds);
	struct segments_edge edge = segments_edge(store_segments(store));
	row(&out, "segments", "%zu", segments_range(store_segments(store)).newest + 1 - edge.number);
	row(&out, "bytes", "%llu", (unsigned long long)(store_len(store) - edge.base));
	row(&out, "oldest", "%s", position_print(position, edge.first));
	row(&out, "keep_days", "%llu", (unsigned long long)config->keep_days);
	row(&out, "keep_bytes", "%llu", (unsigned long long)config->keep_bytes);
	bool any = snapshots_newest(store_dirfd(store), end.origin.generation, &newest, NULL) == 1;
	row(&out, "snapshots", "%s", config->snapshot);
	row(&out, "snapshot", "%s", any ? position_print(position, newest) : "");
	row(&out, "snapshot_state", "%s", keeper->state);
	row(&out, "snapshot_error", "%s", keeper->error);
	row(&out, "unplaced", "%s", ingest->unplaced);
	row(&out, "last_error", "%s", ingest->last_error);
	return out.len;
}
