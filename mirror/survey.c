#include "survey.h"

#include "sql.h"

void survey_init(struct survey *survey, sqlite3 *sqlite)
{
	*survey = (struct survey){.sqlite = sqlite};
}

void survey_fini(struct survey *survey)
{
	sqlite3_finalize(survey->version);
	sqlite3_finalize(survey->triggers);
	sqlite3_finalize(survey->unique);
	sqlite3_finalize(survey->indexes);
	*survey = (struct survey){0};
}

/* The number that a query has for `name` (or for all). */
static int ask(struct survey *survey, sqlite3_stmt **stmt, const char *sql, const char *name, int64_t *answer,
               struct err *err)
{
	if (!*stmt && sqlite3_prepare_v3(survey->sqlite, sql, -1, SQLITE_PREPARE_PERSISTENT, stmt, NULL) != SQLITE_OK)
		return sql_error(survey->sqlite, "cannot look at the tables", err);
	if (name)
		sqlite3_bind_text(*stmt, 1, name, -1, SQLITE_STATIC);
	bool found = sqlite3_step(*stmt) == SQLITE_ROW;
	if (found)
		*answer = sqlite3_column_int64(*stmt, 0);
	int rc = sqlite3_reset(*stmt);
	return rc == SQLITE_OK && found ? 0 : sql_error(survey->sqlite, "cannot look at the tables", err);
}

int survey_look(struct survey *survey, struct err *err)
{
	int64_t version = 0, count = 0;
	int rc = ask(survey, &survey->version, "PRAGMA schema_version", NULL, &version, err);

	if (rc < 0 || (survey->number > 0 && survey->seen == version))
		return rc;
	rc = ask(survey, &survey->triggers, "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'trigger')", NULL,
	         &count, err);
	survey->seen = version;
	survey->has_triggers = count > 0;
	survey->number++;
	return rc;
}

static bool has_real_key(const struct schema *schema)
{
	for (unsigned i = 0; i < schema->key_count; i++)
		if (schema->columns[schema->key[i]].storage == STORAGE_REAL)
			return true;
	return false;
}

int survey_table(struct survey *survey, struct relation *table, struct err *err)
{
	const struct schema *schema = &table->schema;
	int64_t count = 0, indexes = 0;

	if (survey->has_triggers || schema->match != SCHEMA_KEY || *schema->inexact_since || table->emptied)
		return 0;
	if (table->surveyed != survey->number) {
		/* By its own name, only a table WITHOUT ROWID is taken for an index. */
		int rc =
		    ask(survey, &survey->unique,
		        "SELECT (SELECT count(*) FROM temp.pragma_index_list(?1) WHERE \"unique\" AND origin <> 'pk')"
		        " + (SELECT count(*) FROM temp.pragma_index_info(?1))",
		        schema->name, &count, err);
		/* A key that is no rowid is in one. */
		if (rc == 0)
			rc = ask(survey, &survey->indexes, "SELECT count(*) FROM temp.pragma_index_list(?1)",
			         schema->name, &indexes, err);
		if (rc < 0)
			return rc;
		table->in_order = indexes == 0;
		table->surveyed = survey->number;
		table->coalesces = count == 0 && !has_real_key(schema);
	}
	return table->coalesces;
}
