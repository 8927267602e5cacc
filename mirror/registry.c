#include "registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "alter.h"
#include "filter.h"
#include "keep.h"
#include "name.h"
#include "sql.h"
#include "strangers.h"
#include "tables.h"

struct registry {
	sqlite3 *sqlite;
	const char *wanted; /* --tables */
	bool alone;         /* of one table's file */
	enum numeric numeric;
	addition_warn *warn;
	struct tables tables;
	struct stranger *strangers;
	bool emptied;   /* some table waits for a truncate */
	bool exact;     /* the mirror began with all rows */
	bool refilling; /* between registry_refill and registry_refilled */
	bool foreign;   /* and they are of another database */
};

static int out_of_memory(struct err *err)
{
	return err_set(err, -ENOMEM, "out of memory for the list of tables");
}

/* Takes `schema` over, as relation_open does. */
static int add_table(struct registry *registry, struct schema *schema, struct err *err)
{
	struct relation *table = relation_open(registry->sqlite, schema);

	if (!table)
		return out_of_memory(err);
	table->exact = registry->exact && !*table->schema.inexact_since;
	table->seen = true;
	return tables_add(&registry->tables, table, err);
}

static int add_stored(struct registry *registry, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	struct schema schema;
	int rc;

	while ((rc = schema_load_next(registry->sqlite, &stmt, &schema, registry->numeric, err)) == 1) {
		rc = add_table(registry, &schema, err);
		schema_fini(&schema);
		if (rc < 0) {
			sqlite3_finalize(stmt);
			return rc;
		}
	}
	schema_fini(&schema);
	return rc;
}

int registry_open(struct registry **opened, sqlite3 *sqlite, const char *tables, bool alone, bool exact,
                  enum numeric numeric, addition_warn *warn, struct err *err)
{
	struct registry *registry = calloc(1, sizeof *registry);

	*opened = NULL;
	if (!registry)
		return out_of_memory(err);
	registry->sqlite = sqlite;
	registry->wanted = tables;
	registry->alone = alone;
	registry->exact = exact;
	registry->numeric = numeric;
	registry->warn = warn;
	int rc = add_stored(registry, err);
	if (rc == 0)
		rc = strangers_load(&registry->strangers, sqlite, err);
	if (rc < 0) {
		registry_close(registry);
		return rc;
	}
	*opened = registry;
	return 0;
}

void registry_close(struct registry *registry)
{
	if (!registry)
		return;
	strangers_free(&registry->strangers);
	tables_fini(&registry->tables);
	free(registry);
}

int registry_clear(struct registry *registry, struct err *err)
{
	int rc = 0;

	while (rc == 0 && registry->tables.by_relid)
		rc = registry_remove(registry, registry->tables.by_relid->table, err);
	registry->emptied = false;
	return rc < 0 ? rc : strangers_clear(&registry->strangers, registry->sqlite, err);
}

int registry_drop(struct registry *registry, const struct line_head *head, struct err *err)
{
	struct tables_entry *entry = tables_entry(&registry->tables, head->table_pairs);

	return entry && entry->table ? registry_remove(registry, entry->table, err) : 0;
}

/* A line of a table that no entry knows: either it is not wanted, which is kept, or wrong. */
static int find_unknown(struct registry *registry, const struct line_head *head, struct err *err)
{
	int wanted = filter_has_line(registry->wanted, head, err);

	if (wanted < 0)
		return wanted;
	if (wanted)
		return err_set(err, -EBADMSG, "no definition of it came before this line");
	return tables_begin(&registry->tables, head->table_pairs, NULL, err) ? 0 : -ENOMEM;
}

int registry_find(struct registry *registry, const struct line_head *head, struct relation **table, struct err *err)
{
	const struct tables_entry *entry = tables_entry(&registry->tables, head->table_pairs);

	*table = entry ? entry->table : NULL;
	return entry ? 0 : find_unknown(registry, head, err);
}

int registry_remedy(const struct registry *registry, const struct relation *table, int code, struct err *err)
{
	const struct definition *definition = &table->schema.definition;
	char name[NAME_PATH_MAX] = "";
	struct err reason = *err;
	/* A key that is taken, or a table that is not as it was made: both are of other people. */
	bool others = code == -EEXIST || code == -ENOTSUP;

	if (code != -ENOENT && !others)
		return code;
	if (!registry->alone)
		name_join(name, definition->schema, definition->table);
	return err_set(err, code, "%.500s%s; --resync%s%.300s brings the table anew", reason.text,
	               others
	                   ? "; undo what somebody changed of the table, added to it (an index, a trigger) or put in "
	                     "its place"
	                   : "",
	               *name ? "=" : "", name);
}

static int displace(struct registry *registry, struct relation *table, struct err *err)
{
	tables_leave(&registry->tables, table);
	statement_clear(&table->statements);
	int rc = table->schema.displaced ? 0 : alter_displace(registry->sqlite, &table->schema, registry->warn, err);
	return registry_remedy(registry, table, rc, err);
}

/* 0: the line has none. */
static uint32_t relid_of(const struct line_head *head)
{
	uint64_t number;

	if (head->relid.at && position_parse_number(head->relid.at, head->relid.len, &number) == head->relid.len &&
	    number <= UINT32_MAX)
		return (uint32_t)number;
	return 0;
}

static struct tables_known *find_relid(struct registry *registry, const struct line_head *head)
{
	return tables_known(&registry->tables, relid_of(head));
}

/* Not where that is known already. */
static int mark(struct registry *registry, struct relation *table, const char *reason, struct position position,
                struct err *err)
{
	int rc = relation_mark(table, position, err);

	table->emptied = false; /* as in alter() */
	char *text = rc == 1 ? sqlite3_mprintf("table \"%w\" %s, and --resync%s brings that from a newer snapshot",
	                                       table->schema.name, reason, registry->alone ? "" : "=TABLE")
	                     : NULL;
	if (text && registry->warn)
		registry->warn(text);
	sqlite3_free(text);
	return rc < 0 ? rc : 0;
}

static int mark_partial(struct registry *registry, struct relation *table, const char *reason, struct position position,
                        struct err *err)
{
	table->partial = true;
	return mark(registry, table, reason, position, err);
}

/* 1: there are some, or were before the table was made anew. */
static int has_rows(struct registry *registry, const struct relation *table, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	char *sql = sqlite3_mprintf("SELECT 1 FROM \"%w\"", table->schema.name);
	int rc = sql ? sqlite3_prepare_v2(registry->sqlite, sql, -1, &stmt, NULL) : SQLITE_NOMEM;

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	int code = rc == SQLITE_ROW    ? 1
	           : rc == SQLITE_DONE ? table->emptied
	                               : sql_error(registry->sqlite, "cannot look at a table", err);
	sqlite3_finalize(stmt);
	sqlite3_free(sql);
	return code;
}

/* A column has another type, which prints otherwise, and no row was written. */
static int mark_reprinted(struct registry *registry, struct relation *table, const struct line_head *head,
                          struct err *err)
{
	struct span rest = head->pairs, name, column;
	int rc = has_rows(registry, table, err);

	if (rc <= 0)
		return rc;
	if (line_next(&rest, &name, &column) != 1)
		return err_set(err, -EBADMSG, "a partial line does not say which column prints otherwise");
	char *reason =
	    sqlite3_mprintf("prints column \"%.*s\" otherwise now, and only the server knows how: its rows are "
	                    "not all as in PostgreSQL any more",
	                    (int)column.len, column.at);
	rc = reason ? mark(registry, table, reason, head->position, err)
	            : err_set(err, -ENOMEM, "out of memory for a warning");
	sqlite3_free(reason);
	return rc;
}

int registry_mark_partial(struct registry *registry, const struct line_head *head, struct err *err)
{
	struct relation *table;
	int rc = registry_find(registry, head, &table, err);

	if (rc < 0 || !table)
		return rc;
	if (head->pairs.len > 0)
		return mark_reprinted(registry, table, head, err);
	return mark_partial(registry, table,
	                    "was there, or was changed, under a name that the stream leaves out: what it had and did "
	                    "then is missing here",
	                    head->position, err);
}

/* A table that came or came back just now: where it had another name before, or was left out of the stream, rows are
 * missing, unless they come with it: of a copy, lines have no stamp. */
static int greet(struct registry *registry, const struct line_head *head, struct err *err)
{
	struct tables_known *known = find_relid(registry, head);
	int rc = strangers_take(&registry->strangers, registry->sqlite, relid_of(head), err);

	if (rc <= 0 || !head->stamped)
		return rc < 0 ? rc : 0;
	return mark_partial(registry, known->table,
	                    "had another name, which --tables leaves out, or was left out of the stream: its older "
	                    "rows are missing here",
	                    head->position, err);
}

static int alter(struct registry *registry, struct relation *table, struct schema *schema, struct position position,
                 struct err *err)
{
	struct alter_effect effect;

	tables_leave(&registry->tables, table);
	statement_clear(&table->statements);
	memcpy(schema->inexact_since, table->schema.inexact_since, sizeof schema->inexact_since);
	int rc = alter_table(registry->sqlite, &table->schema, schema, &effect, registry->warn, err);
	if (rc < 0)
		return registry_remedy(registry, table, rc, err);
	if ((rc = relation_redefine(table, schema, err)) < 0)
		return rc;
	if (effect.inexact && (rc = relation_mark(table, position, err)) < 0)
		return rc;
	/* Of a table that is not exact, what does not fit the new key is given up. */
	table->emptied = (table->emptied || effect.emptied) && !*table->schema.inexact_since;
	registry->emptied = registry->emptied || table->emptied;
	return tables_name(&registry->tables, table, err) ? 0 : -ENOMEM;
}

/* Where the tables are another database's: one of ours becomes that which has its name now. */
static struct tables_known *adopt(struct registry *registry, struct relation *table, const struct schema *schema)
{
	struct tables_known *known = tables_known(&registry->tables, table->schema.definition.relid);

	alter_adopt(&table->schema, schema);
	tables_renumber(&registry->tables, known);
	return known;
}

/* 1: somebody had dropped or changed it. */
static int mend(struct registry *registry, struct relation *table, struct err *err)
{
	statement_clear(&table->statements);
	int rc = alter_mend(registry->sqlite, &table->schema, registry->warn, err);
	char *text = rc == 1
	                 ? sqlite3_mprintf("somebody has dropped or changed table \"%w\": it is as it was made, and "
	                                   "its rows come anew",
	                                   table->schema.name)
	                 : NULL;

	if (text && registry->warn)
		registry->warn(text);
	sqlite3_free(text);
	return registry_remedy(registry, table, rc, err);
}

int registry_mend(struct registry *registry, const char *tables, struct position position, struct err *err)
{
	char component[NAME_PATH_MAX];
	int rc = 0;

	for (struct tables_known *known = registry->tables.by_relid; rc >= 0 && known; known = known->hh.next) {
		const struct schema *schema = &known->table->schema;
		size_t len =
		    schema->displaced ? 0 : name_join(component, schema->definition.schema, schema->definition.table);
		if (len > 0 && filter_has(tables, component, len) && (rc = mend(registry, known->table, err)) == 1)
			rc = relation_mark(known->table, position, err);
	}
	return rc < 0 ? rc : 0;
}

/* The first definition of a table that comes anew. */
static int refill(struct registry *registry, struct relation *table, struct err *err)
{
	if (table->seen)
		return 0;
	table->seen = true;
	int rc = mend(registry, table, err);
	if (rc >= 0)
		rc = keep_save(table->sqlite, &table->schema, err);
	if (rc == 0)
		rc = registry_remedy(registry, table, relation_truncate(table, err), err);
	return rc < 0 ? rc : relation_unmark(table, true, err);
}

int registry_define(struct registry *registry, const struct line_head *head, struct err *err)
{
	struct tables_known *known = find_relid(registry, head);
	struct schema schema;
	int rc = head->table.at ? filter_has_line(registry->wanted, head, err)
	                        : err_set(err, -EBADMSG, "a schema line without a table");

	if (rc < 0)
		return rc;
	if (rc == 0) {
		if (known && (rc = displace(registry, known->table, err)) < 0)
			return rc;
		return strangers_add(&registry->strangers, registry->sqlite, relid_of(head), err);
	}

	rc = schema_parse(&schema, head, registry->numeric, err);
	if (rc < 0)
		goto out;
	struct tables_entry *holder = tables_entry(&registry->tables, head->table_pairs);
	if (!known && registry->foreign && holder && holder->table)
		known = adopt(registry, holder->table, &schema);
	if (known && registry->refilling && (rc = refill(registry, known->table, err)) < 0)
		goto out;
	if (known && !registry->foreign && !known->table->schema.displaced &&
	    strcmp(known->table->schema.text, schema.text) == 0)
		goto out;
	if (holder && holder->table && (!known || holder->table != known->table))
		rc = displace(registry, holder->table, err);
	if (rc < 0)
		goto out;
	if (known) {
		rc = alter(registry, known->table, &schema, head->position, err);
	} else {
		rc = schema_create(registry->sqlite, &schema, err);
		if (rc == 0)
			rc = add_table(registry, &schema, err);
	}
	if (rc == 0)
		rc = greet(registry, head, err);
out:
	schema_fini(&schema);
	return rc;
}

static int leave(struct registry *registry, struct relation *table, struct position position, struct err *err)
{
	char at[POSITION_TEXT_MAX];
	int rc = relation_mark(table, position, err);
	char *text =
	    rc == 1 ? sqlite3_mprintf("table \"%w\" is in the stream no more, since `tables` in daystream.conf was "
	                              "changed: it stays as it was before %s; once it is back, --resync=TABLE "
	                              "brings it anew",
	                              table->schema.name, position_print(at, position))
	            : NULL;

	if (text && registry->warn)
		registry->warn(text);
	sqlite3_free(text);
	return rc < 0 ? rc : 0;
}

int registry_expect(struct registry *registry, const char *existing, struct err *err)
{
	int rc = 0;

	for (const char *at = existing; rc == 0 && *at;) {
		char *end;
		uint32_t relid = (uint32_t)strtoul(at, &end, 10);
		if (end == at)
			return err_set(err, -EBADMSG, "the tables that it says there are, are no OIDs");
		if (!tables_known(&registry->tables, relid))
			rc = strangers_add(&registry->strangers, registry->sqlite, relid, err);
		at = *end == ' ' ? end + 1 : end;
	}
	return rc;
}

int registry_choose(struct registry *registry, const char *tables, const char *existing, struct position position,
                    struct err *err)
{
	char component[NAME_PATH_MAX];
	int rc = 0;

	for (struct tables_known *known = registry->tables.by_relid; rc == 0 && known; known = known->hh.next) {
		const struct schema *schema = &known->table->schema;
		size_t len =
		    schema->displaced ? 0 : name_join(component, schema->definition.schema, schema->definition.table);
		if (len > 0 && !filter_has(tables, component, len))
			rc = leave(registry, known->table, position, err);
	}
	return rc < 0 ? rc : registry_expect(registry, existing, err);
}

int registry_refill(struct registry *registry, bool foreign, struct err *err)
{
	registry->refilling = true;
	registry->foreign = foreign;
	for (struct tables_known *known = registry->tables.by_relid; known; known = known->hh.next)
		known->table->seen = false;
	if (!foreign)
		return 0;
	/* The other database's OIDs may be ours, for other tables. */
	tables_renumber_all(&registry->tables);
	int rc = strangers_clear(&registry->strangers, registry->sqlite, err);
	return rc < 0 ? rc : sql_run(registry->sqlite, "DELETE FROM _daystream_tables", err);
}

/* Copies come in the order of names. Of those that SQLite cannot tell apart, a mirror that followed had the older
 * table first: every mirror is to call them the same. */
static int settle_names(struct registry *registry, struct err *err)
{
	struct tables_known *known;
	int rc = 0;

	tables_sort(&registry->tables);
	for (known = registry->tables.by_relid; rc == 0 && known; known = known->hh.next) {
		struct relation *table = known->table, *holder = NULL;
		char *plain = schema_plain_name(&table->schema);
		if (!plain)
			return out_of_memory(err);
		if (!table->schema.displaced && sqlite3_stricmp(plain, table->schema.name) != 0)
			holder = tables_called(&registry->tables, plain);
		free(plain);
		if (!holder || holder->schema.definition.relid < known->relid)
			continue;
		statement_clear(&table->statements);
		statement_clear(&holder->statements);
		rc = alter_exchange_names(registry->sqlite, &table->schema, &holder->schema, registry->warn, err);
	}
	return rc;
}

int registry_refilled(struct registry *registry, struct err *err)
{
	struct tables_known *known, *next;

	registry->refilling = registry->foreign = false;
	registry->exact = true;
	for (known = registry->tables.by_relid; known; known = next) {
		next = known->hh.next;
		known->table->exact = true;
		int rc = known->table->seen
		             ? registry_remedy(registry, known->table,
		                               keep_restore(registry->sqlite, &known->table->schema, err), err)
		             : registry_remove(registry, known->table, err);
		if (rc < 0)
			return rc;
	}
	return settle_names(registry, err);
}

int registry_remove(struct registry *registry, struct relation *table, struct err *err)
{
	statement_clear(&table->statements);
	int rc = schema_drop(registry->sqlite, &table->schema, err);
	if (rc < 0)
		return registry_remedy(registry, table, rc, err);
	tables_remove(&registry->tables, table);
	return additions_check_triggers(registry->sqlite, registry->warn, err);
}

struct relation *registry_named(struct registry *registry, const char *name)
{
	return tables_named(&registry->tables, name);
}

int registry_check(struct registry *registry, struct err *err)
{
	if (!registry->emptied)
		return 0;
	for (struct tables_known *known = registry->tables.by_relid; known; known = known->hh.next)
		if (known->table->emptied)
			return err_set(err, -EBADMSG,
			               "the new key of table \"%s\" does not fit its rows, and no truncate came; "
			               "delete the database and start again",
			               known->table->schema.name);
	registry->emptied = false;
	return 0;
}
