/*
 * handmade.h - snapshots made by hand for the unit tests: the tables zzz and sales.zzz of one row
 * each, and an overlap, below the folder of a fixture's store.
 */
#ifndef TESTS_HANDMADE_H
#define TESTS_HANDMADE_H

#include "crc32c.h"
#include "fixture.h"
#include "manifest.h"

static const char snapshot_table[] = "_table\tzzz\t_relid\t1\t_key\ta\t_action\tschema\ta\tnumber\\t1\\ttype\\ttext\n"
                                     "_table\tzzz\t_action\tinsert\ta\tfox61\n";
static const char snapshot_overlap[] = "";

static inline void snapshot_folder(const struct fixture *f, const char *name)
{
	char path[PATH_MAX];

	snprintf(path, sizeof path, "%s/%s", f->path, name);
	must(mkdir(path, 0700) == 0 || errno == EEXIST);
}

/* All but the manifest, in the folder of that name. */
static inline void snapshot_parts(const struct fixture *f, const char *folder)
{
	static const char *const parts[] = {"", "/tables"};
	static const struct {
		const char *name, *text;
	} files[] = {{"/tables/zzz", snapshot_table}, {"/tables/sales.zzz", ""}, {"/overlap", snapshot_overlap}};
	char path[256];

	snapshot_folder(f, "snapshots");
	for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
		snprintf(path, sizeof path, "snapshots/%s%s", folder, parts[i]);
		snapshot_folder(f, path);
	}
	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		snprintf(path, sizeof path, "snapshots/%s%s", folder, files[i].name);
		fixture_write(f, path, files[i].text, strlen(files[i].text));
	}
}

/* A whole one. `tables`: as in the manifest. */
static inline void snapshot_put(struct fixture *f, struct position position, uint64_t generation, char *tables)
{
	struct manifest_table list[] = {
	    {"sales.zzz", 0, 0, 0},
	    {"zzz", 1, sizeof snapshot_table - 1, crc32c(0, snapshot_table, sizeof snapshot_table - 1)}};
	struct manifest manifest = {
	    .position = position,
	    .lsn = f->lsn,
	    .visible = (char[]){"10:10:"},
	    .tables = tables,
	    .origin = {.system = 7123, .timeline = 1, .generation = generation, .database = "app", .slot = "daystream"},
	    .list = list,
	    .count = 2};
	char name[POSITION_TEXT_MAX], path[256], *text;
	size_t len;

	snapshot_parts(f, position_print(name, position));
	works(manifest_print(&manifest, &text, &len, &f->err), f->err);
	snprintf(path, sizeof path, "snapshots/%s/manifest", name);
	fixture_write(f, path, text, len);
	free(text);
}

#endif
