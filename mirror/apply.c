#include "apply.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "change.h"
#include "filter.h"
#include "record.h"
#include "registry.h"

struct apply {
	struct database *database;
	const char *tables;
	struct changes changes;
	struct apply_amount taken;
	bool in_transaction;
	bool first_time;  /* a new mirror, which has not reached the end of what is published yet */
	bool table_file;  /* no commit lines come */
	uint64_t skip_to; /* a new mirror passes over all generations before this one */
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
	apply->changes.warn = warn;
	apply->changes.database = database;
	survey_init(&apply->changes.survey, database->sqlite);
	apply->first_time = !database->has_position;
	apply->skip_to = apply->first_time ? newest_generation : 0;
	apply->table_file = database->table_file;
	int rc = registry_open(&apply->changes.registry, database->sqlite, tables, database->table_file,
	                       database->exact, database->numeric, warn, err);
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
	changes_fini(&apply->changes);
	registry_close(apply->changes.registry);
	if (apply->database->open_transaction)
		database_rollback(apply->database, NULL);
	free(apply);
}

/* The stream begins anew. A mirror that was already followed cannot know what it
 * missed; one that is still reading the store's history for the first time takes
 * the newest generation's part of it. */
static int begin_anew(struct apply *apply, const struct origin *origin, struct err *err)
{
	struct database *database = apply->database;

	if (apply->first_time)
		return registry_clear(apply->changes.registry, err);
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
	int rc = registry_check(apply->changes.registry, err);
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
			rc = registry_choose(apply->changes.registry, list, existing, head->position, err);
	}
	free(list);
	free(content);
	return rc;
}

static bool is_definition(const struct line_head *head)
{
	return span_is(head->action, "schema") || span_is(head->action, "drop") || span_is(head->action, "partial");
}

static int dispatch(struct apply *apply, const struct line_head *head, struct err *err)
{
	struct span action = head->action;

	if (apply->changes.holding)
		return err_set(err, -EBADMSG, "a replace was not followed by its update");
	if (span_is(action, "schema"))
		return registry_define(apply->changes.registry, head, err);
	if (span_is(action, "drop") && head->table.at)
		return registry_drop(apply->changes.registry, head, err);
	if (span_is(action, "partial") && head->table.at)
		return registry_mark_partial(apply->changes.registry, head, err);
	if (span_is(action, "commit"))
		return apply_end(apply, head, err);
	if (span_is(action, "origin"))
		return apply_origin(apply, head, err);
	return span_is(action, "message") ? apply_message(apply, head, err) : changes_unknown(&apply->changes, action);
}

/* A line that is no row's. */
static int other_line(struct apply *apply, const struct line_head *head, struct err *err)
{
	/* A commit, or a message of a transaction, changes nothing of them. */
	bool tables_change = !head->xid.at || is_definition(head);
	int rc = tables_change ? changes_flush(&apply->changes, err) : 0;

	if (rc < 0)
		return rc;
	if (tables_change)
		changes_look(&apply->changes);
	rc = dispatch(apply, head, err);
	return rc < 0 ? changes_where(head, rc, err) : 0;
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

	if (!database->open_transaction) {
		if ((rc = database_begin(database, err)) < 0)
			return rc;
		changes_look(&apply->changes);
	}
	apply->taken.lines++;
	apply->taken.bytes += head->pairs.len;
	apply->in_transaction = apply->in_transaction || (head->xid.at && !apply->table_file);
	if (!database->has_origin && !span_is(head->action, "origin") && !apply->table_file)
		rc = changes_where(head, err_set(err, -EBADMSG, "the stream does not begin with an origin line"), err);
	else if (head->table.at && !is_definition(head))
		rc = changes_line(&apply->changes, head, err);
	else
		rc = other_line(apply, head, err);
	if (rc == 0 && apply->table_file && head->stamped) {
		database->position = head->position;
		database->has_position = true;
		database->lsn[0] = 0;
	}
	return rc;
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
	return registry_refill(apply->changes.registry, foreign, err);
}

int apply_refilled(struct apply *apply, struct err *err)
{
	/* What people keep beside the rows is put back into rows that are there. */
	int rc = changes_flush(&apply->changes, err);

	if (rc < 0)
		return rc;
	changes_look(&apply->changes);
	apply->database->exact = true;
	apply->first_time = false;
	return registry_refilled(apply->changes.registry, err);
}

int apply_tolerate(struct apply *apply, const char *tables, struct err *err)
{
	struct database *database = apply->database;

	apply->changes.tolerated = tables;
	if (!tables)
		return 0;
	int rc = database->open_transaction ? 0 : database_begin(database, err);
	if (rc == 0)
		rc = registry_mend(apply->changes.registry, tables, database->position, err);
	changes_look(&apply->changes);
	return rc < 0 ? rc : apply_commit(apply, err);
}

void apply_coalesce(struct apply *apply, bool on)
{
	apply->changes.coalesces = on;
}

struct registry *apply_registry(struct apply *apply)
{
	return apply->changes.registry;
}

void apply_caught_up(struct apply *apply)
{
	apply->first_time = false;
}

bool apply_in_transaction(const struct apply *apply)
{
	return apply->in_transaction;
}

struct apply_amount apply_taken(const struct apply *apply)
{
	return apply->taken;
}

struct apply_amount apply_written(const struct apply *apply)
{
	const struct coalesce *waiting = &apply->changes.coalesce;

	return (struct apply_amount){apply->taken.lines - waiting->lines, apply->taken.bytes - waiting->line_bytes};
}

int apply_commit(struct apply *apply, struct err *err)
{
	apply->taken = (struct apply_amount){0};
	if (!apply->database->open_transaction)
		return 0;
	if (apply->in_transaction)
		return err_set(err, -EINVAL, "a transaction of the stream has not ended yet");
	int rc = changes_flush(&apply->changes, err);
	return rc < 0 ? rc : database_commit(apply->database, err);
}

int apply_rollback(struct apply *apply, struct err *err)
{
	apply->taken = (struct apply_amount){0};
	apply->in_transaction = false;
	changes_forget(&apply->changes);
	registry_close(apply->changes.registry);
	apply->changes.registry = NULL;
	int rc = database_rollback(apply->database, err);
	return rc < 0
	           ? rc
	           : registry_open(&apply->changes.registry, apply->database->sqlite, apply->tables, apply->table_file,
	                           apply->database->exact, apply->database->numeric, apply->changes.warn, err);
}
