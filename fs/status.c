#include "status.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

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

static void number(FILE *out, const char *name, uint64_t value)
{
	fprintf(out, "%s\t%" PRIu64 "\n", name, value);
}

void status_print_slot(FILE *out, const struct server_slot *slot, uint64_t lsn)
{
	char text[LSN_TEXT_MAX];

	if (!slot->exists) {
		row(out, "slot_state", "missing");
		return;
	}
	row(out, "slot_state", "%s", slot->active ? "active" : "inactive");
	row(out, "slot_wal_status", "%s", slot->wal_status);
	fprintf(out, "slot_safe_wal_size\t%s\n", *slot->safe_wal_size ? slot->safe_wal_size : "\\N");
	row(out, "slot_confirmed_lsn", "%s", lsn_print(text, slot->confirmed_lsn));
	number(out, "slot_retained_bytes", server_retained(slot));
	row(out, "server_lsn", "%s", lsn_print(text, slot->server_lsn));
	number(out, "server_lag_bytes", server_lag(slot, lsn));
}

void status_disk(int dirfd, uint64_t *free_bytes, uint64_t *bytes)
{
	struct statvfs st;

	*free_bytes = *bytes = 0;
	if (fstatvfs(dirfd, &st) < 0)
		return;
	*free_bytes = (uint64_t)st.f_bavail * st.f_frsize;
	*bytes = (uint64_t)st.f_blocks * st.f_frsize;
}

static void print_end(FILE *out, const struct store_end *end, const struct config *config)
{
	char position[POSITION_TEXT_MAX], lsn[LSN_TEXT_MAX];

	row(out, "position", "%s", position_print(position, end->last));
	row(out, "lsn", "%s", lsn_print(lsn, end->lsn));
	number(out, "generation", end->origin.generation);
	number(out, "system", end->origin.system);
	number(out, "timeline", end->origin.timeline);
	row(out, "database", "%s", end->origin.database);
	row(out, "slot", "%s", end->origin.slot);
	if (config->tables)
		row(out, "tables", "%s", config->tables);
}

static void print_flow(FILE *out, const struct ingest_status *ingest)
{
	uint64_t durable = ingest->durable_lsn;
	char lsn[LSN_TEXT_MAX];

	row(out, "source_lsn", "%s", lsn_print(lsn, ingest->source_lsn));
	number(out, "lag_bytes", ingest->source_lsn > durable ? ingest->source_lsn - durable : 0);
	number(out, "lag_seconds", ingest->lag_seconds);
	number(out, "transactions", ingest->transactions);
	number(out, "lines", ingest->lines);
}

static void print_health(FILE *out, const struct health_status *health, uint64_t lsn)
{
	if (health->known) {
		status_print_slot(out, &health->slot, lsn);
		number(out, "slot_age_seconds", health->age_seconds);
	} else {
		row(out, "slot_state", "unknown");
	}
	row(out, "slot_error", "%s", health->error);
}

static void print_store(FILE *out, struct store *store, const struct config *config, bool ours)
{
	struct segments_edge edge = segments_edge(store_segments(store));
	char position[POSITION_TEXT_MAX];
	uint64_t free_bytes, bytes;

	number(out, "segments", segments_range(store_segments(store)).newest + 1 - edge.number);
	number(out, "bytes", store_len(store) - edge.base);
	row(out, "oldest", "%s", position_print(position, edge.first));
	if (ours) {
		number(out, "keep_days", config->keep_days);
		number(out, "keep_bytes", config->keep_bytes);
		number(out, "reserve", reserve_bytes(store_dirfd(store)));
	}
	status_disk(store_dirfd(store), &free_bytes, &bytes);
	number(out, "disk_free", free_bytes);
	number(out, "disk_size", bytes);
}

static void print_snapshots(FILE *out, struct store *store, const struct config *config, uint64_t generation,
                            const struct standing *standing)
{
	char position[POSITION_TEXT_MAX] = "";
	struct position newest;

	/* Where nothing is known, the daemon that writes the store takes them. */
	row(out, "snapshots", "%s", config->snapshot ? config->snapshot : "auto");
	if (arrived_newest(standing ? standing->arrived : NULL, store, generation, &newest, NULL) == 1)
		position_print(position, newest);
	row(out, "snapshot", "%s", position);
	if (standing && !standing->read_only) {
		row(out, "snapshot_state", "%s", standing->keeper.state);
		row(out, "snapshot_error", "%s", standing->keeper.error);
		row(out, "unplaced", "%s", standing->ingest.unplaced);
	}
}

char *status_print(size_t *len, struct store *store, const struct config *config, const struct standing *standing)
{
	char *text = NULL, damage[1024];
	FILE *out = open_memstream(&text, len);
	struct store_end end;

	if (!out)
		return NULL;
	store_end(store, &end);
	const struct follower_status *read_only = standing ? standing->read_only : NULL;
	if (standing)
		row(out, "state", "%s", read_only ? "read-only" : standing->ingest.state);
	print_end(out, &end, config);
	if (read_only) {
		number(out, "growth_seconds", read_only->growth_seconds);
		number(out, "shown_bytes", store_len(store));
	} else if (standing) {
		print_flow(out, &standing->ingest);
		number(out, "shown_bytes", store_len(store));
		print_health(out, &standing->health, end.lsn);
	}
	print_store(out, store, config, !read_only);
	print_snapshots(out, store, config, end.origin.generation, standing);
	row(out, "damage", "%s", damage_print(store_damage(store), damage, sizeof damage));
	if (standing) {
		number(out, "open_files", standing->files);
		number(out, "followers", standing->followers);
		row(out, "last_error", "%s", read_only ? read_only->last_error : standing->ingest.last_error);
		if (!read_only)
			number(out, "last_error_time", standing->ingest.last_error_time);
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
