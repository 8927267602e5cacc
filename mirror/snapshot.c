#include "snapshot.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "input.h"
#include "lines.h"
#include "mountpoint.h"
#include "stop.h"

/* A manifest of a million tables is half of that. */
#define MANIFEST_MOST ((size_t)256 << 20)

static int out_of_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory for a snapshot's manifest");
}

/* Else why not. */
static bool mounted(const char *mount, struct err *err)
{
	char path[4096];

	snprintf(path, sizeof path, "%s/live", mount);
	return input_look(path, err) == 0;
}

static int is_damaged(int code, struct err *err)
{
	struct err reason = *err;

	return err_set(err, code, "%.900s; `daystream snapshot` on the store takes another one", reason.text);
}

int snapshot_failed(const struct snapshot *snapshot, int code, struct err *err)
{
	char path[4200];

	if (code == -EBADMSG)
		return is_damaged(code, err);
	if (code == -EINTR || code == -ENOMEM)
		return code;
	if (!mounted(snapshot->mount, NULL))
		return -ENOTCONN;
	snprintf(path, sizeof path, "%s/manifest", snapshot->folder);
	int rc = input_look(path, NULL);
	if (rc == -ENOENT || rc == -ESTALE)
		return err_set(err, -ESTALE, "the snapshot %s has gone meanwhile", snapshot->folder);
	if (code != -ENOENT && mountpoint_blame_damage(snapshot->mount, err))
		return is_damaged(-EIO, err);
	return code == -ENOENT ? -EBADMSG : -ENOTCONN;
}

static int read_manifest(struct snapshot *snapshot, struct err *err)
{
	char path[4200], *text = NULL;
	size_t len = 0, size = 0;
	struct input input;
	long n = 0;

	snprintf(path, sizeof path, "%s/manifest", snapshot->folder);
	int rc = input_open(&input, path, err);
	if (rc < 0)
		return rc;
	do {
		if (len == size) {
			char *more = realloc(text, size = size ? 2 * size : 65536);
			if (!more)
				rc = out_of_memory(err);
			text = more ? more : text;
		}
		if (rc == 0 && (n = input_read(&input, text + len, size - len)) > 0)
			len += (size_t)n;
	} while (rc == 0 && n > 0 && len < MANIFEST_MOST);
	if (rc == 0 && n < 0)
		rc = err_set(err, -ENOTCONN, "cannot read %s: %s", path, strerror((int)-n));
	input_close(&input);
	if (rc == 0 && (rc = manifest_parse(&snapshot->manifest, text, len, err)) < 0)
		err_prefix(err, rc, "%s", path);
	free(text);
	return rc;
}

/* Whether it is of all tables, or has all those of the list. */
static bool is_enough(const struct manifest *manifest, const char *tables)
{
	if (!manifest->tables)
		return true;
	for (const char *at = tables; at;) {
		size_t len = strcspn(at, ",");
		if (!filter_has(manifest->tables, at, len))
			return false;
		at = at[len] ? at + len + 1 : NULL;
	}
	return tables;
}

/* Whether it has nothing that is too new. */
static bool is_old_enough(struct snapshot *snapshot, const struct until *until)
{
	const struct manifest *manifest = &snapshot->manifest;
	struct position marker = {manifest->position.epoch, manifest->position.seq - 1};

	if (!until || moment_has(&until->moment, marker, manifest->lsn))
		return true;
	if (snapshot->later.epoch == 0 || position_cmp(marker, snapshot->later) < 0)
		snapshot->later = marker;
	return false;
}

/* 1: this one will do; 0: it does not. */
static int consider(struct snapshot *snapshot, const char *name, const struct snapshot_want *want, struct err *err)
{
	struct position position;

	if (!position_parse(name, strlen(name), &position))
		return 0;
	free(snapshot->folder);
	manifest_fini(&snapshot->manifest);
	snapshot->manifest = (struct manifest){0};
	if (asprintf(&snapshot->folder, "%s/snapshots/%s", snapshot->mount, name) < 0) {
		snapshot->folder = NULL;
		return out_of_memory(err);
	}
	int rc = read_manifest(snapshot, err);
	if (rc == -ENOENT)
		return 0; /* not whole yet, or removed */
	if (rc < 0)
		return rc;
	if (position_cmp(snapshot->manifest.position, position) != 0 || position.seq == 0)
		return err_set(err, -EBADMSG, "%s/manifest is of another snapshot", snapshot->folder);
	return is_enough(&snapshot->manifest, want->tables) &&
	       (want->generation == 0 || snapshot->manifest.origin.generation == want->generation) &&
	       is_old_enough(snapshot, want->until);
}

/* qsort's: names that are none last. */
static int newest_first(const void *a, const void *b)
{
	const char *const *one = a, *const *other = b;
	struct position x = {0}, y = {0};

	position_parse(*one, strlen(*one), &x);
	position_parse(*other, strlen(*other), &y);
	return position_cmp(y, x);
}

static int find_listed(struct snapshot *snapshot, const char *folder, const struct snapshot_want *want, struct err *err)
{
	struct err first = {0};
	char **names;
	int count = input_list(folder, &names, err), rc = 0, failed = 0;

	if (count < 0)
		return count == -ENOENT && mounted(snapshot->mount, NULL) ? 0 : count;
	if (count > 0)
		qsort(names, (size_t)count, sizeof *names, newest_first);
	/* An older one is better than one that cannot be read. */
	for (int i = 0; i < count && rc <= 0; i++) {
		if ((rc = consider(snapshot, names[i], want, err)) < 0 && !failed) {
			failed = rc;
			first = *err;
		}
	}
	input_free(names, count);
	if (rc <= 0 && failed) {
		*err = first;
		return failed;
	}
	return rc;
}

int snapshot_find(struct snapshot *snapshot, const char *mount, const struct snapshot_want *want, struct err *err)
{
	const char *tables = want->tables;
	char folder[4096], path[4200], latest[100];

	*snapshot = (struct snapshot){.mount = strdup(mount)};
	if (!snapshot->mount)
		return out_of_memory(err);
	snprintf(folder, sizeof folder, "%s/snapshots", mount);
	snprintf(path, sizeof path, "%s/latest", folder);
	/* It is of all tables: of some there may be newer ones. */
	int rc = !tables && input_link(path, latest, sizeof latest) == 0 ? consider(snapshot, latest, want, err) : 0;
	if (rc <= 0 && rc != -ENOMEM && rc != -EINTR)
		rc = find_listed(snapshot, folder, want, err);
	if (rc == 1)
		return 0;
	if (rc == 0)
		return mounted(mount, err) ? err_set(err, -ENOENT, "%s has no snapshot%s%s", folder,
		                                     tables ? " with the tables " : "", tables ? tables : "")
		                           : -ENOTCONN;
	return snapshot->folder ? snapshot_failed(snapshot, rc, err) : -ENOTCONN;
}

void snapshot_close(struct snapshot *snapshot)
{
	manifest_fini(&snapshot->manifest);
	free(snapshot->folder);
	free(snapshot->mount);
	*snapshot = (struct snapshot){0};
}

static int check_file(const char *path, const struct manifest_table *table, uint64_t bytes, uint64_t count,
                      const struct lines *lines, struct err *err)
{
	const char *rest;
	size_t len = lines_rest(lines, &rest);
	uint32_t crc = lines_sum(lines, NULL);

	if (bytes + len != table->bytes || len > 0)
		return err_set(err, -EBADMSG, "%s has %" PRIu64 " bytes, its manifest says %" PRIu64, path, bytes + len,
		               table->bytes);
	if (crc != table->crc)
		return err_set(err, -EBADMSG, "%s is damaged: its crc is %08" PRIx32 ", its manifest says %08" PRIx32,
		               path, crc, table->crc);
	if (count != table->rows + 1)
		return err_set(err, -EBADMSG, "%s has %" PRIu64 " lines, its manifest says %" PRIu64 " rows", path,
		               count, table->rows);
	return 0;
}

int snapshot_table(const struct snapshot *snapshot, const struct manifest_table *table,
                   int (*each)(void *ctx, const char *line, size_t len, struct err *err), void *ctx, struct err *err)
{
	char path[8192];
	struct lines lines;
	uint64_t bytes = 0, count = 0;
	const char *line;
	size_t len;

	snprintf(path, sizeof path, "%s/tables/%s", snapshot->folder, table->name);
	int rc = lines_open(&lines, path, err);
	if (rc < 0)
		rc = snapshot_failed(snapshot, rc, err);
	while (rc == 0 && (rc = lines_next(&lines, &line, &len, err)) == 1) {
		bytes += len + 1;
		rc = ++count % 1024 == 0 && stop_asked() ? -EINTR : each(ctx, line, len, err);
	}
	if (rc == 0)
		rc = check_file(path, table, bytes, count, &lines, err);
	lines_close(&lines);
	return rc == -ENOTCONN || rc == -EBADMSG ? snapshot_failed(snapshot, rc, err) : rc;
}

int snapshot_definition(const struct snapshot *snapshot, const struct manifest_table *table, char **definition,
                        size_t *len, struct err *err)
{
	char path[8192];
	struct lines lines;
	const char *line;

	*definition = NULL;
	snprintf(path, sizeof path, "%s/tables/%s", snapshot->folder, table->name);
	int rc = lines_open(&lines, path, err);
	if (rc == 0)
		rc = lines_next(&lines, &line, len, err);
	if (rc == 0)
		rc = err_set(err, -EBADMSG, "%s is empty", path);
	if (rc == 1)
		rc = (*definition = strndup(line, *len)) ? 0 : out_of_memory(err);
	lines_close(&lines);
	return rc == -ENOTCONN ? snapshot_failed(snapshot, rc, err) : rc;
}
