#include "exchange.h"

#include <errno.h>
#include <string.h>

#include "keep.h"
#include "name.h"
#include "registry.h"
#include "sql.h"

#define OTHER "_daystream_other"

static int copy_rows(sqlite3 *sqlite, const struct schema *to, const struct schema *from, struct err *err)
{
	sqlite3_str *columns = sqlite3_str_new(sqlite);

	for (unsigned i = 0; i < to->column_count; i++)
		sqlite3_str_appendf(columns, "%s\"%w\"", i ? ", " : "", to->columns[i].name);
	if (to->column_count == 0)
		sqlite3_str_appendall(columns, "_daystream_no_column");
	char *list = sqlite3_str_finish(columns);
	char *sql = list ? sqlite3_mprintf("INSERT INTO main.\"%w\" (%s) SELECT %s FROM " OTHER ".\"%w\"", to->name,
	                                   list, list, from->name)
	                 : NULL;
	int rc = sql ? sql_run(sqlite, sql, err) : err_set(err, -ENOMEM, "out of memory for a statement");
	if (rc < 0)
		err_prefix(err, rc, "cannot exchange the rows of table \"%s\"", to->name);
	sqlite3_free(sql);
	sqlite3_free(list);
	return rc;
}

static int exchange_table(struct mirror *mirror, const struct relation *other, const char *name, struct err *err)
{
	struct registry *registry = apply_registry(mirror->apply);
	struct relation *ours = registry_named(registry, name);
	sqlite3 *sqlite = mirror->database.sqlite;
	struct line_head head;

	if (!other && !ours)
		return err_set(err, -ENOENT, "there is no table %s, neither in %s nor in the source", name,
		               mirror->database.path);
	if (!other)
		return registry_remove(registry, ours, err);
	if (other->partial)
		return err_set(err, -ESTALE,
		               "table %s had another name when the snapshot was taken, or was left out: take a newer "
		               "one (daystream "
		               "snapshot), or give --from",
		               name);
	if (*other->schema.inexact_since)
		return err_set(
		    err, -ESTALE,
		    "a change of table %s at %s cannot be placed, and the newest snapshot is older: mend what the "
		    "warning says, take another (daystream snapshot) and run this again, or give --from",
		    name, other->schema.inexact_since);
	if (!line_parse(other->schema.text, strlen(other->schema.text), &head))
		return err_set(err, -EBADMSG, "the definition of table %s is none", name);
	int rc = registry_mend(registry, name, mirror->database.position, err);
	if (rc == 0)
		rc = registry_define(registry, &head, err);
	if (rc == 0 && !(ours = registry_named(registry, name)))
		rc = err_set(err, -EINVAL, "%s was made without table %s", mirror->database.path, name);
	if (rc < 0)
		return rc;
	rc = keep_save(sqlite, &ours->schema, err);
	if (rc == 0)
		rc = relation_truncate(ours, err);
	if (rc == 0)
		rc = copy_rows(sqlite, &ours->schema, &other->schema, err);
	if (rc == 0)
		rc = keep_restore(sqlite, &ours->schema, err);
	return rc < 0 ? registry_remedy(registry, ours, rc, err) : relation_unmark(ours, mirror->database.exact, err);
}

static int exchange_all(struct mirror *mirror, struct mirror *other, const char *tables, struct err *err)
{
	int rc = database_begin(&mirror->database, err);

	for (const char *at = tables; rc == 0 && at;) {
		char name[NAME_PATH_MAX];
		size_t len = strcspn(at, ",");
		/* A normalized list has no longer ones. */
		memcpy(name, at, len);
		name[len] = 0;
		rc = exchange_table(mirror, registry_named(apply_registry(other->apply), name), name, err);
		if (rc > 0)
			rc = err_set(err, -EIO, "table %s was left as it was", name);
		at = at[len] ? at + len + 1 : NULL;
	}
	return rc < 0 ? rc : apply_commit(mirror->apply, err);
}

int exchange_tables(struct mirror *mirror, struct mirror *other, const char *tables, struct err *err)
{
	sqlite3 *sqlite = mirror->database.sqlite;
	char *attach = sqlite3_mprintf("ATTACH %Q AS " OTHER, other->database.path);
	struct err second;

	if (!attach)
		return err_set(err, -ENOMEM, "out of memory for a statement");
	int rc = sql_run(sqlite, attach, err);
	sqlite3_free(attach);
	if (rc < 0)
		return rc;
	rc = exchange_all(mirror, other, tables, err);
	if (rc < 0)
		apply_rollback(mirror->apply, &second);
	int detached = sql_run(sqlite, "DETACH " OTHER, rc < 0 ? &second : err);
	return rc < 0 ? rc : detached;
}
