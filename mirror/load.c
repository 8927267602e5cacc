#include "load.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "feed.h"
#include "filter.h"
#include "log.h"
#include "registry.h"
#include "stop.h"

/* So many rows are told to the progress at once. */
#define TELL_ROWS 1000

void load_tell(struct load *load)
{
	progress_add(load->progress, load->rows, load->bytes);
	load->rows = load->bytes = 0;
}

int load_text(struct load *load, const char *text, size_t len, struct err *err)
{
	struct follow_line line = {.text = text, .len = len};

	if (!line_parse(text, len, &line.head))
		line.head = (struct line_head){0};
	return load_line(load, &line, err);
}

int load_line(void *ctx, const struct follow_line *line, struct err *err)
{
	struct load *load = ctx;
	const struct line_head *head = &line->head;

	if (!head->action.at || head->xid.at || head->stamped || !head->table.at)
		return err_set(err, -EBADMSG, "what stands there is no line of a copy (docs/FORMAT.md): %.*s",
		               (int)(line->len < 100 ? line->len : 100), line->text);
	int rc = apply_line(load->apply, head, err);
	load->rows += span_is(head->action, "insert");
	load->bytes += line->len + 1;
	if (load->rows >= TELL_ROWS)
		load_tell(load);
	return rc;
}

/* Whether the copy lacks what the line says. */
static int is_lacking(struct load *load, const struct line_head *head, struct err *err)
{
	struct origin origin;
	uint64_t xid;

	if (span_is(head->action, "origin") && !head->table.at && load->generation) {
		if (!origin_parse(head, &origin))
			return err_set(err, -EBADMSG, "the origin line does not follow the format (docs/FORMAT.md)");
		if (origin.generation > load->generation)
			return err_set(err, -ESTALE, "generation %" PRIu64 " of the stream began meanwhile",
			               origin.generation);
		load->passing = origin.generation < load->generation;
	}
	if (load->passing)
		return 0;
	if (!head->xid.at) /* of no transaction is what tells of other tables */
		return span_is(head->action, "message");
	if (position_parse_number(head->xid.at, head->xid.len, &xid) != head->xid.len)
		return err_set(err, -EBADMSG, "%.*s is no transaction's number", (int)head->xid.len, head->xid.at);
	if (!load->visible)
		return 1;
	bool lacks = !visible_has(load->visible, xid);
	int rc = lacking_line(load->lacking, lacks, head, err);
	return rc < 0 ? rc : lacks && rc == 0;
}

/* Whether this commit line is the marker's. */
static bool is_marker(const struct load *load, const struct line_head *head)
{
	struct commit commit;
	uint64_t xid = 0;

	if (load->marker_xid) {
		position_parse_number(head->xid.at, head->xid.len, &xid);
		return xid == load->marker_xid;
	}
	return position_cmp(head->position, load->marker) == 0 && commit_parse(head, &commit) &&
	       commit.lsn == load->marker_lsn;
}

int load_rest(struct load *load, struct follow *follow, bool grows, struct err *err)
{
	struct follow_line line;
	int rc = 0;

	while (!load->marked && (rc = stop_asked() ? -EINTR : follow_next(follow, &line, err)) >= 0) {
		if (rc == 0 && !grows)
			return err_set(err, -EBADMSG, "it ends before the transaction that marks the snapshot");
		if (rc == 0) {
			follow_wait(follow, stop_fd());
			continue;
		}
		rc = is_lacking(load, &line.head, err);
		if (rc == 1)
			rc = apply_line(load->apply, &line.head, err);
		if (rc < 0)
			return rc;
		load->bytes += line.len + 1;
		if (line.commit)
			load_tell(load);
		load->marked = line.commit && is_marker(load, &line.head);
	}
	return load->marked ? 0 : rc;
}

static int load_overlap(struct load *load, const struct snapshot *snapshot, struct err *err)
{
	const struct manifest *manifest = &snapshot->manifest;
	struct follow *follow = NULL;
	char path[4200];

	load->marker = (struct position){manifest->position.epoch, manifest->position.seq - 1};
	load->marker_lsn = manifest->lsn;
	snprintf(path, sizeof path, "%s/overlap", snapshot->folder);
	progress_at(load->progress, "overlap");
	int rc = follow_open_file(&follow, path, err);
	if (rc == 0)
		rc = load_rest(load, follow, false, err);
	if (rc == -EBADMSG)
		err_prefix(err, rc, "%s", path);
	if (rc == -EBADMSG || rc == -ENOTCONN || (rc < 0 && !follow))
		rc = snapshot_failed(snapshot, rc, err);
	follow_close(follow);
	return rc;
}

static uint64_t wanted_bytes(const struct manifest *manifest, const char *tables)
{
	uint64_t bytes = manifest->overlap_bytes;

	for (size_t i = 0; i < manifest->count; i++)
		if (filter_has(tables, manifest->list[i].name, strlen(manifest->list[i].name)))
			bytes += manifest->list[i].bytes;
	return bytes;
}

/* Only its definition: should it get a name that is wanted, it is known that its rows are missing. */
static int load_stranger(struct load *load, const struct snapshot *snapshot, const struct manifest_table *table,
                         struct err *err)
{
	char *line = NULL;
	size_t len;
	int rc = snapshot_definition(snapshot, table, &line, &len, err);

	if (rc == 0)
		rc = load_text(load, line, len, err);
	free(line);
	return rc;
}

/* That may be a slip of the pen, and nothing would ever say so. */
static void say_missing(const struct snapshot *snapshot, const char *tables)
{
	const struct manifest *manifest = &snapshot->manifest;

	for (const char *at = tables; at && *at;) {
		size_t len = strcspn(at, ","), i = 0;
		while (i < manifest->count &&
		       (strlen(manifest->list[i].name) != len || memcmp(manifest->list[i].name, at, len) != 0))
			i++;
		if (i == manifest->count)
			log_warn("%s has no table %.*s; it comes where it is made later", snapshot->folder, (int)len,
			         at);
		at += len + (at[len] == ',');
	}
}

/* A table's file, read by a thread. */
struct table_read {
	const struct snapshot *snapshot;
	const struct manifest_table *table;
	struct feed *feed;
};

static int give_line(void *ctx, const char *text, size_t len, struct err *err)
{
	struct table_read *read = ctx;

	return feed_line(read->feed, text, len, err);
}

static int read_table(void *ctx, struct feed *feed, struct err *err)
{
	struct table_read *read = ctx;

	read->feed = feed;
	return snapshot_table(read->snapshot, read->table, give_line, read, err);
}

int load_snapshot(struct apply *apply, const struct snapshot *snapshot, const char *tables, struct err *err)
{
	const struct manifest *manifest = &snapshot->manifest;
	struct load load = {.apply = apply};

	int rc = apply_refill(apply, &manifest->origin, err);
	if (rc < 0)
		return rc;
	say_missing(snapshot, tables);
	load.progress = progress_open("copying", wanted_bytes(manifest, tables));
	for (size_t i = 0; rc == 0 && i < manifest->count; i++) {
		const struct manifest_table *table = &manifest->list[i];
		if (!filter_has(tables, table->name, strlen(table->name))) {
			rc = load_stranger(&load, snapshot, table, err);
			continue;
		}
		progress_at(load.progress, table->name);
		struct table_read read = {snapshot, table, NULL};
		rc = feed_run(read_table, &read, load_line, &load, NULL, err);
		load_tell(&load);
	}
	if (rc == 0)
		rc = apply_refilled(apply, err);
	if (rc == 0 && manifest->existing)
		rc = registry_expect(apply_registry(apply), manifest->existing, err);
	if (rc == 0)
		rc = load_overlap(&load, snapshot, err);
	load_tell(&load);
	progress_close(load.progress, rc == 0);
	return rc;
}
