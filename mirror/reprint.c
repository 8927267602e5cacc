#include "reprint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "database.h"
#include "name.h"

/* The base types begin and end with these. %s is the column. */
static const struct {
	const char *from, *from_end, *to, *to_end, *sql;
} reprinted[] = {
    {"timestamp", " without time zone", "timestamp", " with time zone",
     "CASE WHEN %s LIKE '%%infinity' THEN %s WHEN %s LIKE '%% BC' THEN replace(%s, ' BC', '+00 BC') ELSE %s || '+00' "
     "END"},
    {"timestamp", " with time zone", "timestamp", " without time zone", "replace(%s, '+00', '')"},
    {"cidr", "", "inet", "",
     "CASE WHEN %s LIKE '%%:%%/128' OR (%s NOT LIKE '%%:%%' AND %s LIKE '%%/32') "
     "THEN substr(%s, 1, instr(%s, '/') - 1) ELSE %s END"},
    {"integer", "", "oid", "", "%s & 4294967295"},
    {"oid", "", "integer", "", "CASE WHEN %s > 2147483647 THEN %s - 4294967296 ELSE %s END"},
};

static bool is_type(const char *base, const char *begin, const char *end)
{
	size_t len = strlen(base), begin_len = strlen(begin), end_len = strlen(end);

	if (len < begin_len + end_len || memcmp(base, begin, begin_len) != 0)
		return false;
	if (end_len == 0)
		return len == begin_len;
	/* Between the two stands nothing or a precision, "(3)". */
	return strcmp(base + len - end_len, end) == 0 && (len == begin_len + end_len || base[begin_len] == '(');
}

/* Appends `sql` with the column's quoted name in place of each %s, and %% as %. */
static void append_expression(sqlite3_str *out, const char *sql, const char *column)
{
	for (; *sql; sql++) {
		if (*sql != '%') {
			sqlite3_str_appendchar(out, 1, *sql);
			continue;
		}
		sql++;
		if (*sql == 's')
			sqlite3_str_appendf(out, "\"%w\"", column);
		else
			sqlite3_str_appendchar(out, 1, '%');
	}
}

static int reprint_type(sqlite3 *sqlite, const struct schema *new, const struct schema_column *column, const char *from,
                        const char *to, struct err *err)
{
	for (size_t i = 0; i < sizeof reprinted / sizeof *reprinted; i++) {
		if (!is_type(from, reprinted[i].from, reprinted[i].from_end) ||
		    !is_type(to, reprinted[i].to, reprinted[i].to_end))
			continue;
		sqlite3_str *sql = sqlite3_str_new(sqlite);
		append_expression(sql, reprinted[i].sql, column->name);
		char *text = sqlite3_str_finish(sql);
		int rc = text ? database_runf(sqlite, err, "UPDATE \"%w\" SET \"%w\" = %s WHERE \"%w\" IS NOT NULL",
		                              new->name, column->name, text, column->name)
		              : err_set(err, -ENOMEM, "out of memory for a statement");
		sqlite3_free(text);
		return rc;
	}
	return 0;
}

/* ---- numbers that print as names ---------------------------------------- */

static bool prints_name(const char *base)
{
	static const char *const types[] = {"regclass",     "regcollation", "regconfig",   "regdictionary",
	                                    "regnamespace", "regoper",      "regoperator", "regproc",
	                                    "regprocedure", "regrole",      "regtype"};

	for (size_t i = 0; i < sizeof types / sizeof *types; i++)
		if (strcmp(base, types[i]) == 0)
			return true;
	return false;
}

/* They are numbers on the server's disk, so it changes the one into the other without a rewrite. */
static int check_names(sqlite3 *sqlite, const struct schema *new, const struct schema_column *column, const char *from,
                       const char *to, struct err *err)
{
	bool number = strcmp(from, "oid") == 0 || strcmp(from, "integer") == 0 || strcmp(to, "oid") == 0 ||
	              strcmp(to, "integer") == 0;
	sqlite3_stmt *stmt = NULL;

	if (strcmp(from, to) == 0 || !(prints_name(from) || prints_name(to)) ||
	    !(number || (prints_name(from) && prints_name(to))))
		return 0;
	char *sql = sqlite3_mprintf("SELECT 1 FROM \"%w\" WHERE \"%w\" IS NOT NULL", new->name, column->name);
	int rc = sql && sqlite3_prepare_v2(sqlite, sql, -1, &stmt, NULL) == SQLITE_OK
	             ? 0
	             : database_error(sqlite, "cannot look at a column", err);
	if (rc == 0 && sqlite3_step(stmt) == SQLITE_ROW)
		rc = err_set(err, -EBADMSG,
		             "column \"%s\" was %s and is %s now: how its values print only the server knows; copy the "
		             "table anew (deltamirror --resync)",
		             column->name, from, to);
	sqlite3_finalize(stmt);
	sqlite3_free(sql);
	return rc;
}

/* ---- labels of enums ---------------------------------------------------- */

/* Takes the next "OID=label" off the list; false at its end, and where it is none. */
static bool next_label(const char **list, unsigned long *oid, char label[NAME_RAW_MAX])
{
	char *equals;

	if (!*list || !**list)
		return false;
	*oid = strtoul(*list, &equals, 10);
	if (*equals != '=')
		return false;
	size_t len = strcspn(equals + 1, ",");
	bool good = name_decode(label, equals + 1, len) >= 0;
	*list = equals + 1 + len + (equals[1 + len] == ',');
	return good;
}

static bool find_label(const char *list, unsigned long oid, char label[NAME_RAW_MAX])
{
	unsigned long found;

	while (next_label(&list, &found, label))
		if (found == oid)
			return true;
	return false;
}

/* Labels may be exchanged, and be part of a key: so a new one stands with a byte before it at first. */
static int reprint_labels(sqlite3 *sqlite, const struct schema *new, const struct schema_column *column,
                          const char *from, const char *to, struct err *err)
{
	char label[NAME_RAW_MAX], renamed[NAME_RAW_MAX];
	sqlite3_str *cases = sqlite3_str_new(sqlite), *before = sqlite3_str_new(sqlite),
	            *after = sqlite3_str_new(sqlite);
	unsigned long oid;
	int rc = 0;

	for (const char *rest = from; next_label(&rest, &oid, label);) {
		if (!find_label(to, oid, renamed) || strcmp(label, renamed) == 0)
			continue;
		const char *comma = sqlite3_str_length(before) ? "," : "";
		sqlite3_str_appendf(cases, " WHEN %Q THEN char(1) || %Q", label, renamed);
		sqlite3_str_appendf(before, "%s%Q", comma, label);
		sqlite3_str_appendf(after, "%schar(1) || %Q", comma, renamed);
	}
	char *cases_text = sqlite3_str_finish(cases), *before_text = sqlite3_str_finish(before),
	     *after_text = sqlite3_str_finish(after);
	if (cases_text && before_text && after_text) {
		rc = database_runf(sqlite, err, "UPDATE \"%w\" SET \"%w\" = CASE \"%w\"%s END WHERE \"%w\" IN (%s)",
		                   new->name, column->name, column->name, cases_text, column->name, before_text);
		if (rc == 0)
			rc = database_runf(sqlite, err,
			                   "UPDATE \"%w\" SET \"%w\" = substr(\"%w\", 2) WHERE \"%w\" IN (%s)",
			                   new->name, column->name, column->name, column->name, after_text);
	}
	sqlite3_free(cases_text);
	sqlite3_free(before_text);
	sqlite3_free(after_text);
	return rc;
}

int reprint_columns(sqlite3 *sqlite, const struct schema *old, const struct schema *new, struct err *err)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < new->column_count; i++) {
		const struct schema_column *column = &new->columns[i],
		                           *before = schema_find_number(old, column->number);
		if (!before)
			continue;
		const struct column *from = &old->definition.columns[before - old->columns],
		                    *to = &new->definition.columns[i];
		rc = reprint_type(sqlite, new, column, from->base, to->base, err);
		if (rc == 0)
			rc = check_names(sqlite, new, column, from->base, to->base, err);
		if (rc == 0 && from->labels && to->labels && strcmp(from->labels, to->labels) != 0)
			rc = reprint_labels(sqlite, new, column, from->labels, to->labels, err);
	}
	return rc;
}
