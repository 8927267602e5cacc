#include "apply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "name.h"
#include "record.h"
#include "registry.h"

/* A `replace` is kept until its `update`; room above this is given back. */
#define HELD_KEPT (4u << 20)

struct apply {
	struct database *database;
	const char *tables;
	void (*warn)(const char *text);
	struct registry *registry;
	size_t lines, bytes;
	bool in_transaction;
	bool warned;     /* of an action that is not known */
	bool first_time; /* a new mirror, which has not reached the end of what is published yet */
	const char *tolerated;
	bool table_file;  /* no commit lines come */
	uint64_t skip_to; /* a new mirror passes over all generations before this one */

	/* Of a `replace` that waits for its update. */
	struct relation *held_table;
	char *held;
	size_t held_len, held_size;
	bool holding;
};

int apply_open(struct apply **opened, struct database *database, const char *tables, uint64_t newest_generation,
               void (*warn)(const char *text), struct err *err)
{
	struct apply *apply = calloc(1, sizeof *apply);

	*opened = NULL;
	if (!apply)
		return err_set(err, -ENOMEM, "out of memory");
	apply->database = database;
	apply->tables = tables;
	apply->warn = warn;
	apply->first_time = !database->has_position;
	apply->skip_to = apply->first_time ? newest_generation : 0;
	apply->table_file = database->table_file;
	int rc =
	    registry_open(&apply->registry, database->sqlite, tables, database->exact, database->numeric, warn, err);
	if (rc < 0) {
		apply_close(apply);
		return rc;
	}
	*opened = apply;
	return 0;
}

void apply_close(struct apply *apply)
{
	if (!apply)
		return;
	registry_close(apply->registry);
	if (apply->database->open_transaction)
		database_rollback(apply->database, NULL);
	free(apply->held);
	free(apply);
}

static int hold(struct apply *apply, struct relation *table, struct span pairs, struct err *err)
{
	if (pairs.len > apply->held_size || apply->held_size > HELD_KEPT) {
		size_t size = pairs.len < 4096 ? 4096 : pairs.len;
		free(apply->held);
		apply->held = malloc(size);
		apply->held_size = apply->held ? size : 0;
		if (!apply->held)
			return err_set(err, -ENOMEM, "out of memory for an old row of %zu bytes", pairs.len);
	}
	if (pairs.len > 0)
		memcpy(apply->held, pairs.at, pairs.len);
	apply->held_len = pairs.len;
	apply->held_table = table;
	apply->holding = true;
	return 0;
}

static int warn_unknown(struct apply *apply, struct span action)
{
	char text[200];

	if (!apply->warned) {
		snprintf(text, sizeof text,
		         "lines with _action \"%.*s\" are passed over: this program does not know what they mean",
		         (int)(action.len < 60 ? action.len : 60), action.at);
		apply->warn(text);
	}
	apply->warned = true;
	return 0;
}

static bool is_tolerated(const struct apply *apply, const struct relation *table)
{
	const struct definition *definition = &table->schema.definition;
	char name[NAME_PATH_MAX];

	if (!apply->tolerated)
		return false;
	size_t len = name_join(name, definition->schema, definition->table);
	return filter_has(apply->tolerated, name, len);
}

static int say_remedy(const struct relation *table, int code, struct err *err)
{
	const struct definition *definition = &table->schema.definition;
	char name[NAME_PATH_MAX];
	struct err reason = *err;

	name_join(name, definition->schema, definition->table);
	return err_set(err, code, "%.600s; --resync=%.300s brings the table anew", reason.text, name);
}

/* After an error: 0 where the change can be passed over, which is marked. */
static int unplaced(struct apply *apply, struct relation *table, const struct line_head *head, int code,
                    struct err *err)
{
	struct err mark_err;
	char text[1500], at[POSITION_TEXT_MAX];
	bool marked = *table->schema.inexact_since;

	if (code != -ENOENT && !(code == -EEXIST && marked))
		return code;
	if (!marked && table->schema.match != SCHEMA_NONE && !is_tolerated(apply, table))
		return say_remedy(table, code, err);
	int rc = relation_mark(table, head->position, &mark_err);
	if (rc < 0)
		*err = mark_err;
	if (rc == 1) {
		snprintf(text, sizeof text,
		         "table \"%s\" is not exact from %s on: %s; such changes are passed over, --resync=TABLE then "
		         "brings it anew",
		         table->schema.name, position_print(at, head->position), err->text);
		apply->warn(text);
	}
	return rc < 0 ? rc : 0;
}

static int change_row(struct apply *apply, struct relation *table, const struct line_head *head, struct err *err)
{
	struct span action = head->action;

	if (span_is(action, "insert"))
		return relation_insert(table, head->pairs, err);
	if (span_is(action, "update") && apply->holding) {
		apply->holding = false;
		struct span old = {apply->held_len ? apply->held : NULL, apply->held_len};
		return relation_replace(table, old, head->pairs, err);
	}
	if (span_is(action, "update"))
		return relation_update(table, head->pairs, err);
	if (span_is(action, "replace"))
		return hold(apply, table, head->pairs, err);
	if (span_is(action, "delete"))
		return relation_delete(table, head->pairs, err);
	if (!span_is(action, "truncate"))
		return warn_unknown(apply, action);
	int rc = relation_truncate(table, err);
	return rc < 0 ? rc : relation_unmark(table, apply->database->exact, err);
}

static int apply_row(struct apply *apply, const struct line_head *head, struct err *err)
{
	struct span action = head->action;
	struct relation *table;
	int rc = registry_find(apply->registry, head, &table, err);

	if (rc < 0)
		return rc;
	if (apply->holding && (table != apply->held_table || !span_is(action, "update")))
		return err_set(err, -EBADMSG, "a replace was not followed by its update");
	if (!table)
		return 0;
	rc = change_row(apply, table, head, err);
	return rc < 0 ? unplaced(apply, table, head, rc, err) : 0;
}

/* The stream begins anew. A mirror that was already followed cannot know what it
 * missed; one that is still reading the store's history for the first time takes
 * the newest generation's part of it. */
static int begin_anew(struct apply *apply, const struct origin *origin, struct err *err)
{
	struct database *database = apply->database;

	if (apply->first_time)
		return registry_clear(apply->registry, err);
	return err_set(err, -ESTALE,
	               "the stream could not go on where it stood: here begins generation %llu (database %s of system "
	               "%llu), and %s is a mirror of generation %llu; --resync brings it there",
	               (unsigned long long)origin->generation, origin->database, (unsigned long long)origin->system,
	               database->path, (unsigned long long)database->origin.generation);
}

static int apply_origin(struct apply *apply, const struct line_head *head, struct err *err)
{
	struct database *database = apply->database;
	const struct origin *old = &database->origin;
	struct origin origin;
	int rc = 0;

	if (!origin_parse(head, &origin))
		return err_set(err, -EBADMSG, "the origin line does not follow the format (docs/FORMAT.md)");
	if (database->has_origin && origin.generation == old->generation &&
	    (origin.system != old->system || strcmp(origin.database, old->database) != 0))
		return err_set(err, -ESTALE,
		               "the stream comes from database %s of system %llu, %s is a mirror of database %s of "
		               "system %llu; --resync makes it one of the former, or name another file",
		               origin.database, (unsigned long long)origin.system, database->path, old->database,
		               (unsigned long long)old->system);
	if (database->has_origin && origin.generation != old->generation)
		rc = begin_anew(apply, &origin, err);
	if (rc < 0)
		return rc;
	database->origin = origin;
	database->has_origin = true;
	return 0;
}

static int apply_end(struct apply *apply, const struct line_head *head, struct err *err)
{
	struct database *database = apply->database;
	struct commit commit;

	if (!commit_parse(head, &commit))
		return err_set(err, -EBADMSG, "the commit line does not follow the format (docs/FORMAT.md)");
	int rc = registry_check(apply->registry, err);
	if (rc < 0)
		return rc;
	lsn_print(database->lsn, commit.lsn);
	database->position = head->position;
	database->has_position = true;
	apply->in_transaction = false;
	return 0;
}

/* Ours alone are of no transaction: other tables come from here on (docs/FORMAT.md, "Other tables"). */
static int apply_message(struct apply *apply, const struct line_head *head, struct err *err)
{
	static const char prefix[] = "prefix\tdaystream\tcontent\t", lead[] = "tables\t", then[] = "\texisting\t";
	struct span pairs = head->pairs;

	if (head->xid.at || pairs.len < sizeof prefix - 1 || memcmp(pairs.at, prefix, sizeof prefix - 1) != 0)
		return 0;
	struct span value = {pairs.at + sizeof prefix - 1, pairs.len - (sizeof prefix - 1)};
	char *content = malloc(value.len + 1), *list = NULL, *existing = NULL;
	if (!content)
		return err_set(err, -ENOMEM, "out of memory for a list of tables");
	long len = line_unescape(content, value);
	content[len < 0 ? 0 : len] = 0;
	int rc = 0;
	if (strncmp(content, lead, sizeof lead - 1) == 0 && (existing = strstr(content, then))) {
		*existing = 0;
		existing += sizeof then - 1;
		if (content[sizeof lead - 1] && !(list = filter_normalize(content + sizeof lead - 1, err)))
			rc = -EBADMSG;
		if (rc == 0)
			rc = registry_choose(apply->registry, list, existing, head->position, err);
	}
	free(list);
	free(content);
	return rc;
}

static int dispatch(struct apply *apply, const struct line_head *head, struct err *err)
{
	struct span action = head->action;

	bool defines = span_is(action, "schema"), drops = span_is(action, "drop");

	if (head->table.at && !defines && !drops)
		return apply_row(apply, head, err);
	if (apply->holding)
		return err_set(err, -EBADMSG, "a replace was not followed by its update");
	if (defines)
		return registry_define(apply->registry, head, err);
	if (drops && head->table.at)
		return registry_drop(apply->registry, head, err);
	if (span_is(action, "commit"))
		return apply_end(apply, head, err);
	if (span_is(action, "origin"))
		return apply_origin(apply, head, err);
	return span_is(action, "message") ? apply_message(apply, head, err) : warn_unknown(apply, action);
}

/* Puts where it happened before the sentence; both names as they stand in the line. */
static int where(const struct line_head *head, int rc, struct err *err)
{
	char at[POSITION_TEXT_MAX];
	size_t schema_len = head->schema.len < 300 ? head->schema.len : 300;
	size_t table_len = head->table.len < 300 ? head->table.len : 300;

	/* Of a copy, lines have none. */
	snprintf(at, sizeof at, "copy");
	if (head->stamped)
		position_print(at, head->position);
	if (!head->table.at)
		return err_prefix(err, rc, "%s", at);
	return err_prefix(err, rc, "%s table %.*s%s%.*s", at, (int)schema_len, head->schema.at ? head->schema.at : "",
	                  head->schema.at ? "." : "", (int)table_len, head->table.at);
}

/* True for lines of a generation that is over, which a new mirror has no use for. */
static bool is_over(struct apply *apply, const struct line_head *head)
{
	struct origin origin;

	if (apply->skip_to && span_is(head->action, "origin") && origin_parse(head, &origin) &&
	    origin.generation >= apply->skip_to)
		apply->skip_to = 0;
	return apply->skip_to > 0;
}

int apply_line(struct apply *apply, const struct line_head *head, struct err *err)
{
	struct database *database = apply->database;
	int rc = 0;

	if (is_over(apply, head))
		return 0;

	if (!database->open_transaction && (rc = database_begin(database, err)) < 0)
		return rc;
	apply->lines++;
	apply->bytes += head->pairs.len;
	apply->in_transaction = apply->in_transaction || (head->xid.at && !apply->table_file);
	if (!database->has_origin && !span_is(head->action, "origin") && !apply->table_file)
		rc = err_set(err, -EBADMSG, "the stream does not begin with an origin line");
	else
		rc = dispatch(apply, head, err);
	if (rc == 0 && apply->table_file && head->stamped) {
		database->position = head->position;
		database->has_position = true;
		database->lsn[0] = 0;
	}
	return rc < 0 ? where(head, rc, err) : 0;
}

int apply_refill(struct apply *apply, const struct origin *origin, struct err *err)
{
	struct database *database = apply->database;
	const struct origin *old = &database->origin;
	bool foreign =
	    database->has_origin && (origin->system != old->system || strcmp(origin->database, old->database) != 0);

	int rc = database->open_transaction ? 0 : database_begin(database, err);
	if (rc < 0)
		return rc;
	database->origin = *origin;
	database->has_origin = true;
	apply->skip_to = 0;
	return registry_refill(apply->registry, foreign, err);
}

int apply_refilled(struct apply *apply, struct err *err)
{
	apply->database->exact = true;
	apply->first_time = false;
	return registry_refilled(apply->registry, err);
}

void apply_tolerate(struct apply *apply, const char *tables)
{
	apply->tolerated = tables;
}

struct registry *apply_registry(struct apply *apply)
{
	return apply->registry;
}

void apply_caught_up(struct apply *apply)
{
	apply->first_time = false;
}

bool apply_in_transaction(const struct apply *apply)
{
	return apply->in_transaction;
}

size_t apply_lines(const struct apply *apply)
{
	return apply->lines;
}

size_t apply_bytes(const struct apply *apply)
{
	return apply->bytes;
}

int apply_commit(struct apply *apply, struct err *err)
{
	apply->lines = apply->bytes = 0;
	if (!apply->database->open_transaction)
		return 0;
	if (apply->in_transaction)
		return err_set(err, -EINVAL, "a transaction of the stream has not ended yet");
	return database_commit(apply->database, err);
}

int apply_rollback(struct apply *apply, struct err *err)
{
	apply->lines = apply->bytes = 0;
	apply->in_transaction = apply->holding = false;
	registry_close(apply->registry);
	apply->registry = NULL;
	int rc = database_rollback(apply->database, err);
	return rc < 0 ? rc
	              : registry_open(&apply->registry, apply->database->sqlite, apply->tables, apply->database->exact,
	                              apply->database->numeric, apply->warn, err);
}
