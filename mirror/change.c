#include "change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "name.h"

/* A `replace` is kept until its `update`; room above this is given back. */
#define HELD_KEPT (4u << 20)

void changes_fini(struct changes *changes)
{
	coalesce_fini(&changes->coalesce);
	survey_fini(&changes->survey);
	free(changes->held);
	changes->held = NULL;
}

static int hold(struct changes *changes, struct relation *table, struct span pairs, struct err *err)
{
	if (pairs.len > changes->held_size || changes->held_size > HELD_KEPT) {
		size_t size = pairs.len < 4096 ? 4096 : pairs.len;
		free(changes->held);
		changes->held = malloc(size);
		changes->held_size = changes->held ? size : 0;
		if (!changes->held)
			return err_set(err, -ENOMEM, "out of memory for an old row of %zu bytes", pairs.len);
	}
	if (pairs.len > 0)
		memcpy(changes->held, pairs.at, pairs.len);
	changes->held_len = pairs.len;
	changes->held_table = table;
	changes->holding = true;
	return 0;
}

int changes_unknown(struct changes *changes, struct span action)
{
	char text[200];

	if (!changes->warned) {
		snprintf(text, sizeof text,
		         "lines with _action \"%.*s\" are passed over: this program does not know what they mean",
		         (int)(action.len < 60 ? action.len : 60), action.at);
		changes->warn(text);
	}
	changes->warned = true;
	return 0;
}

static bool is_tolerated(const struct changes *changes, const struct relation *table)
{
	const struct definition *definition = &table->schema.definition;
	char name[NAME_PATH_MAX];

	if (!changes->tolerated)
		return false;
	size_t len = name_join(name, definition->schema, definition->table);
	return filter_has(changes->tolerated, name, len);
}

/* After an error: 0 where the change can be passed over, which is marked. */
static int unplaced(struct changes *changes, struct relation *table, const struct line_head *head, int code,
                    struct err *err)
{
	struct err mark_err;
	char text[1500], at[POSITION_TEXT_MAX];
	bool marked = *table->schema.inexact_since;

	if (code != -ENOENT && !(code == -EEXIST && marked && !span_is(head->action, "truncate")))
		return registry_remedy(changes->registry, table, code, err);
	if (!marked && table->schema.match != SCHEMA_NONE && !is_tolerated(changes, table))
		return registry_remedy(changes->registry, table, code, err);
	/* Somebody's trigger may have undone all that came before (RAISE(ROLLBACK, ...)). */
	if (sqlite3_get_autocommit(table->sqlite))
		return registry_remedy(changes->registry, table, code, err);
	int rc = relation_mark(table, head->position, &mark_err);
	if (rc < 0)
		*err = mark_err;
	if (rc == 1) {
		snprintf(text, sizeof text,
		         "table \"%s\" is not exact from %s on: %s; such changes are passed over, --resync%s then "
		         "brings it anew",
		         table->schema.name, position_print(at, head->position), err->text,
		         changes->database->table_file ? "" : "=TABLE");
		changes->warn(text);
	}
	return rc < 0 ? rc : 0;
}

static int change_row(struct changes *changes, struct relation *table, const struct line_head *head, struct err *err)
{
	struct span action = head->action;

	if (span_is(action, "insert"))
		return relation_insert(table, head->pairs, err);
	if (span_is(action, "update") && changes->holding) {
		changes->holding = false;
		struct span old = {changes->held_len ? changes->held : NULL, changes->held_len};
		return relation_replace(table, old, head->pairs, err);
	}
	if (span_is(action, "update"))
		return relation_update(table, head->pairs, err);
	if (span_is(action, "replace"))
		return hold(changes, table, head->pairs, err);
	if (span_is(action, "delete"))
		return relation_delete(table, head->pairs, err);
	if (!span_is(action, "truncate"))
		return changes_unknown(changes, action);
	int rc = relation_truncate(table, err);
	return rc < 0 ? rc : relation_unmark(table, changes->database->exact, err);
}

/* What becomes of a line that could be kept until the next flush. */
enum { OWN_WAY, KEPT, FLUSH_FIRST };

static int keep(struct changes *changes, struct relation *table, const struct line_head *head, struct err *err)
{
	struct span action = head->action;
	enum relation_change change;
	int rc = changes->look ? survey_look(&changes->survey, err) : 0;

	changes->look = false;
	if (rc == 0)
		rc = survey_table(&changes->survey, table, err);
	if (rc <= 0)
		return rc < 0 ? rc : OWN_WAY;
	if (span_is(action, "insert"))
		change = RELATION_INSERT;
	else if (span_is(action, "update"))
		change = RELATION_UPDATE;
	else if (span_is(action, "delete"))
		change = RELATION_DELETE;
	else
		return FLUSH_FIRST;
	rc = coalesce_add(&changes->coalesce, table, change, head->pairs, head->position, err);
	changes->like_table = rc == 1 ? table : NULL;
	changes->like_change = change;
	return rc < 0 ? rc : rc ? KEPT : FLUSH_FIRST;
}

/* Whether it was kept as the line before, with which it has all but its values in common: the same table, and nothing came
 * in between that could have changed what that is. */
static bool keep_alike(struct changes *changes, const struct line_head *head)
{
	struct err err;

	/* Whatever is wrong is told on the long way. */
	return head->same && changes->like_table && changes->coalesces && !changes->tolerated &&
	       coalesce_add(&changes->coalesce, changes->like_table, changes->like_change, head->pairs, head->position,
	                    &err) == 1;
}

int changes_line(struct changes *changes, const struct line_head *head, struct err *err)
{
	struct relation *table;

	if (keep_alike(changes, head))
		return 0;
	changes->like_table = NULL;
	int way = OWN_WAY, rc = registry_find(changes->registry, head, &table, err);

	if (rc == 0 && changes->holding && (table != changes->held_table || !span_is(head->action, "update")))
		rc = err_set(err, -EBADMSG, "a replace was not followed by its update");
	if (rc < 0)
		return changes_where(head, rc, err);
	if (!table)
		return 0;
	if (changes->coalesces && !changes->holding && !changes->tolerated)
		way = keep(changes, table, head, err);
	if (way == FLUSH_FIRST) {
		if ((rc = changes_flush(changes, err)) < 0)
			return rc;
		way = keep(changes, table, head, err);
	}
	if (way == KEPT)
		return 0;
	if (way >= 0 && !coalesce_beside(&changes->coalesce) && (rc = changes_flush(changes, err)) < 0)
		return rc;
	rc = way < 0 ? way : change_row(changes, table, head, err);
	if (rc < 0)
		rc = unplaced(changes, table, head, rc, err);
	return rc < 0 ? changes_where(head, rc, err) : 0;
}

int changes_flush(struct changes *changes, struct err *err)
{
	struct coalesce_failed failed;
	int rc = coalesce_flush(&changes->coalesce, &failed, err);
	char at[POSITION_TEXT_MAX];

	if (rc == 0 || !failed.table)
		return rc;
	registry_remedy(changes->registry, failed.table, rc, err);
	return err_prefix(err, rc, "%s table %s", position_print(at, failed.position), failed.table->schema.name);
}

void changes_look(struct changes *changes)
{
	changes->look = true;
	changes->like_table = NULL;
}

void changes_forget(struct changes *changes)
{
	coalesce_clear(&changes->coalesce);
	changes->holding = false;
	changes_look(changes);
	changes->survey.seen = -1; /* a version that was rolled back comes again for something else */
}

int changes_where(const struct line_head *head, int code, struct err *err)
{
	char at[POSITION_TEXT_MAX];
	size_t schema_len = head->schema.len < 300 ? head->schema.len : 300;
	size_t table_len = head->table.len < 300 ? head->table.len : 300;

	/* Of a copy, lines have none. */
	snprintf(at, sizeof at, "copy");
	if (head->stamped)
		position_print(at, head->position);
	if (!head->table.at)
		return err_prefix(err, code, "%s", at);
	return err_prefix(err, code, "%s table %.*s%s%.*s", at, (int)schema_len, head->schema.at ? head->schema.at : "",
	                  head->schema.at ? "." : "", (int)table_len, head->table.at);
}
