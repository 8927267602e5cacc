#include "metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snapshots.h"

static void head(FILE *out, const char *name, const char *type, const char *help)
{
	fprintf(out, "# HELP daystream_%s %s\n# TYPE daystream_%s %s\n", name, help, name, type);
}

static void gauge(FILE *out, const char *name, uint64_t value, const char *help)
{
	head(out, name, "gauge", help);
	fprintf(out, "daystream_%s %" PRIu64 "\n", name, value);
}

static void counter(FILE *out, const char *name, uint64_t value, const char *help)
{
	head(out, name, "counter", help);
	fprintf(out, "daystream_%s %" PRIu64 "\n", name, value);
}

/* A label's value: backslash, quote and newline are escaped. */
static void label(FILE *out, char before, const char *name, const char *value)
{
	fprintf(out, "%c%s=\"", before, name);
	for (; *value; value++) {
		if (*value == '\n')
			fputs("\\n", out);
		else
			fprintf(out, *value == '"' || *value == '\\' ? "\\%c" : "%c", *value);
	}
	fputc('"', out);
}

static void print_source(FILE *out, const struct store_end *end)
{
	char system[24];

	snprintf(system, sizeof system, "%" PRIu64, end->origin.system);
	head(out, "info", "gauge", "Where the stream comes from.");
	fputs("daystream_info", out);
	label(out, '{', "version", VERSION);
	label(out, ',', "system", system);
	label(out, ',', "database", end->origin.database);
	label(out, ',', "slot", end->origin.slot);
	fputs("} 1\n", out);
	gauge(out, "generation", end->origin.generation, "Generation of the stream: one more where it cannot go on.");
	gauge(out, "timeline", end->origin.timeline, "Timeline of the server.");
}

/* One of `states` is 1. */
static void print_states(FILE *out, const char *name, const char *help, const char *const *states, const char *now)
{
	head(out, name, "gauge", help);
	for (; *states; states++) {
		fprintf(out, "daystream_%s", name);
		label(out, '{', "state", *states);
		fprintf(out, "} %d\n", strcmp(*states, now) == 0);
	}
}

static void print_state(FILE *out, const char *state)
{
	static const char *const states[] = {"connecting", "streaming", "waiting", "stopped", "read-only", NULL};

	print_states(
	    out, "ingest_state",
	    "What the daemon does with the slot; waiting: for space on the disk; read-only: another one follows it.",
	    states, state);
}

static void print_end(FILE *out, const struct store_end *end)
{
	gauge(out, "published_timestamp_seconds", end->last.epoch, "Commit time of the last transaction shown.");
	counter(out, "published_lsn_bytes_total", end->lsn, "End of the last commit record shown, as a WAL position.");
}

static void print_growth(FILE *out, const struct follower_status *read_only)
{
	gauge(out, "growth_age_seconds", read_only->growth_seconds, "Time since more was shown.");
	gauge(out, "growth_waits", *read_only->last_error != 0,
	      "Whether something has come that cannot be shown yet, or the store cannot be read.");
}

static void print_ingest(FILE *out, const struct ingest_status *ingest)
{
	uint64_t source = ingest->source_lsn, durable = ingest->durable_lsn;

	counter(out, "source_lsn_bytes_total", source, "End of the server's WAL, as far as it is known.");
	gauge(out, "lag_bytes", source > durable ? source - durable : 0, "WAL that is not on disk here yet.");
	gauge(out, "lag_seconds", ingest->lag_seconds, "Time since all that was known of the server was on disk here.");
	counter(out, "transactions_total", ingest->transactions, "Transactions taken since the daemon started.");
	counter(out, "lines_total", ingest->lines, "Lines taken since the daemon started.");
}

/* Asked every some seconds; what is not known is left out. */
static void print_slot(FILE *out, const struct health_status *health, uint64_t lsn)
{
	static const char *const states[] = {"reserved", "extended", "unreserved", "lost", "missing", "unknown", NULL};
	const struct server_slot *slot = &health->slot;
	bool exists = health->known && slot->exists;

	print_states(
	    out, "slot_wal_status",
	    "How safe the WAL is that the slot needs, as in pg_replication_slots; unknown: the server did not answer.",
	    states,
	    exists          ? slot->wal_status
	    : health->known ? "missing"
	                    : "unknown");
	if (!exists)
		return;
	gauge(out, "slot_active", slot->active, "Whether the server sends to us by the slot.");
	if (*slot->safe_wal_size) { /* negative where it is past that */
		head(out, "slot_safe_wal_bytes", "gauge",
		     "WAL that the server can still write before the slot is in danger; not there where there is no "
		     "limit.");
		fprintf(out, "daystream_slot_safe_wal_bytes %s\n", slot->safe_wal_size);
	}
	gauge(out, "slot_retained_wal_bytes", server_retained(slot), "WAL that the server keeps for the slot.");
	gauge(out, "server_lag_bytes", server_lag(slot, lsn),
	      "WAL of the server, by its own account, that is not on disk here yet.");
	counter(out, "server_lsn_bytes_total", slot->server_lsn, "End of the server's WAL when it was asked last.");
}

static void print_store(FILE *out, struct store *store)
{
	struct segments *segments = store_segments(store);
	struct segments_edge edge = segments_edge(segments);
	uint64_t free_bytes, bytes;

	gauge(out, "segments", segments_range(segments).newest + 1 - edge.number, "Segments that are retained.");
	status_disk(store_dirfd(store), &free_bytes, &bytes);
	gauge(out, "disk_free_bytes", free_bytes, "Bytes of the store's disk that are free for the daemon.");
	gauge(out, "disk_size_bytes", bytes, "Bytes of the store's disk.");
	gauge(out, "store_bytes", store_len(store) - edge.base, "Bytes of the lines that are retained.");
	counter(out, "published_bytes_total", store_len(store),
	        "Bytes shown, from the oldest retained line on when the daemon started.");
	gauge(out, "oldest_timestamp_seconds", edge.first.epoch, "Commit time of the oldest retained line.");
	gauge(out, "damaged_files", damage_count(store_damage(store)),
	      "Files that were found damaged while they were read, and are not mended.");
}

static void print_limits(FILE *out, const struct config *config)
{
	gauge(out, "keep_seconds", config->keep_days * 86400, "How long lines are retained; 0: no limit.");
	gauge(out, "keep_bytes", config->keep_bytes, "How many bytes are retained; 0: no limit.");
}

static void print_snapshots(FILE *out, struct store *store, const struct standing *standing, uint64_t generation)
{
	static const char *const states[] = {"off", "idle", "taking", "failed", NULL};
	struct position newest;

	if (!standing->read_only)
		print_states(out, "snapshot_state", "What the daemon does about snapshots.", states,
		             standing->keeper.state);
	if (arrived_newest(standing->arrived, store, generation, &newest, NULL) == 1)
		gauge(out, "snapshot_timestamp_seconds", newest.epoch, "Where a new follower can start.");
}

char *metrics_print(size_t *len, struct store *store, const struct config *config, const struct standing *standing)
{
	char *text = NULL;
	FILE *out = open_memstream(&text, len);
	struct store_end end;

	if (!out)
		return NULL;
	store_end(store, &end);
	print_source(out, &end);
	print_state(out, standing->read_only ? "read-only" : standing->ingest.state);
	print_end(out, &end);
	if (standing->read_only) {
		print_growth(out, standing->read_only);
	} else {
		print_ingest(out, &standing->ingest);
		print_slot(out, &standing->health, end.lsn);
		print_limits(out, config);
	}
	print_store(out, store);
	print_snapshots(out, store, standing, end.origin.generation);
	gauge(out, "open_files", standing->files, "Files of the mount that somebody has open.");
	gauge(out, "followers", standing->followers, "Growing files that somebody has open and has read to their end.");
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
