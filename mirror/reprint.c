#include "reprint.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "name.h"
#include "sql.h"

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
		int rc = text ? sql_runf(sqlite, err, "UPDATE \"%w\" SET \"%w\" = %s WHERE \"%w\" IS NOT NULL",
		                         new->name, column->name, text, column->name)
		              : err_set(err, -ENOMEM, "out of memory for a statement");
		sqlite3_free(text);
		return rc;
	}
	return 0;
}

/* ---- lists of labels and attributes ------------------------------------- */

/* Takes the next item off a list of them, "OID=label" or "OID:number". */
static bool next_item(const char **list, struct span *item)
{
	if (!*list || !**list)
		return false;
	*item = (struct span){*list, strcspn(*list, ",")};
	*list += item->len + ((*list)[item->len] == ',');
	return true;
}

/* The item that begins as this one does, up to the '=', or is the same. */
static bool find_item(const char *list, struct span wanted, struct span *item)
{
	const char *equals = memchr(wanted.at, '=', wanted.len);
	size_t len = equals ? (size_t)(equals + 1 - wanted.at) : wanted.len;

	while (next_item(&list, item))
		if (item->len >= len && (equals || item->len == len) && memcmp(item->at, wanted.at, len) == 0)
			return true;
	return false;
}

/* The label of an item; false where that is none. */
static bool read_label(struct span item, char label[NAME_RAW_MAX])
{
	const char *equals = memchr(item.at, '=', item.len);
	size_t len = equals ? (size_t)(item.at + item.len - equals - 1) : 0;

	*label = 0; /* a label may be empty, as no other name is */
	return equals && (len == 0 || name_decode(label, equals + 1, len) >= 0);
}

/* ---- parts of other types ----------------------------------------------- */

/* Labels that were added change nothing of what is there. */
static bool has_more_attributes(const char *from, const char *to)
{
	struct span item, before;

	while (next_item(&to, &item))
		if (!memchr(item.at, '=', item.len) && !find_item(from, item, &before))
			return true;
	return false;
}

/* Whether an item of `from` is another in `to`, or one of a composite's attributes has gone. */
static bool has_changed(const char *from, const char *to)
{
	struct span item, now;

	while (next_item(&from, &item)) {
		bool found = find_item(to, item, &now);
		if (found ? now.len != item.len || memcmp(now.at, item.at, now.len) != 0
		          : !memchr(item.at, '=', item.len))
			return true;
	}
	return false;
}

/* 1 where the column has a value at all. */
static int has_values(sqlite3 *sqlite, const struct schema *new, const struct schema_column *column, struct err *err)
{
	sqlite3_stmt *stmt = NULL;
	char *sql = sqlite3_mprintf("SELECT 1 FROM \"%w\" WHERE \"%w\" IS NOT NULL", new->name, column->name);
	int rc = sql ? sqlite3_prepare_v2(sqlite, sql, -1, &stmt, NULL) : SQLITE_NOMEM;

	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	int code = rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : sql_error(sqlite, "cannot look at a column", err);
	sqlite3_finalize(stmt);
	sqlite3_free(sql);
	return code;
}

/* ---- labels of enums ---------------------------------------------------- */

/* Labels may be exchanged, and be part of a key: so a new one stands with a byte before it at first. */
static int reprint_labels(sqlite3 *sqlite, const struct schema *new, const struct schema_column *column,
                          const char *from, const char *to, struct err *err)
{
	char label[NAME_RAW_MAX], renamed[NAME_RAW_MAX];
	sqlite3_str *cases = sqlite3_str_new(sqlite), *before = sqlite3_str_new(sqlite),
	            *after = sqlite3_str_new(sqlite);
	struct span item, now;
	int rc = 0;

	for (const char *rest = from; next_item(&rest, &item);) {
		if (!read_label(item, label) || !find_item(to, item, &now) || !read_label(now, renamed) ||
		    strcmp(label, renamed) == 0)
			continue;
		const char *comma = sqlite3_str_length(before) ? "," : "";
		sqlite3_str_appendf(cases, " WHEN %Q THEN char(1) || %Q", label, renamed);
		sqlite3_str_appendf(before, "%s%Q", comma, label);
		sqlite3_str_appendf(after, "%schar(1) || %Q", comma, renamed);
	}
	bool any = sqlite3_str_length(cases) > 0 || sqlite3_str_errcode(cases) != SQLITE_OK;
	char *cases_text = sqlite3_str_finish(cases), *before_text = sqlite3_str_finish(before),
	     *after_text = sqlite3_str_finish(after);
	if (any && !(cases_text && before_text && after_text)) {
		rc = err_set(err, -ENOMEM, "out of memory for a statement");
	} else if (any) {
		rc = sql_runf(sqlite, err, "UPDATE \"%w\" SET \"%w\" = CASE \"%w\"%s END WHERE \"%w\" IN (%s)",
		              new->name, column->name, column->name, cases_text, column->name, before_text);
		if (rc == 0)
			rc = sql_runf(sqlite, err, "UPDATE \"%w\" SET \"%w\" = substr(\"%w\", 2) WHERE \"%w\" IN (%s)",
			              new->name, column->name, column->name, column->name, after_text);
	}
	sqlite3_free(cases_text);
	sqlite3_free(before_text);
	sqlite3_free(after_text);
	return rc;
}

/* No label of the server has that name: it is longer than a name can be there. */
#define ASIDE "_daystream has rows of this label out of the way until a definition has it again#"

static bool has_label(const char *list, const char *wanted)
{
	char label[NAME_RAW_MAX];
	struct span item;

	while (next_item(&list, &item))
		if (read_label(item, label) && strcmp(label, wanted) == 0)
			return true;
	return false;
}

/* Whether they are of one type, whose labels never go. */
static bool has_common(const char *from, const char *to)
{
	struct span item, there;

	while (next_item(&from, &item))
		if (find_item(to, item, &there))
			return true;
	return false;
}

/* The labels of `to`, and those that it lacks; to be freed. NULL: out of memory. */
static char *with_gone(const char *from, const char *to)
{
	char label[NAME_RAW_MAX], *text = NULL;
	struct span item, there;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	fputs(to, out);
	for (const char *rest = from; has_common(from, to) && next_item(&rest, &item);) {
		int oid_len = (int)strcspn(item.at, "=");
		if (find_item(to, item, &there) || !read_label(item, label))
			continue;
		if (has_label(to, label))
			fprintf(out, ",%.*s=" ASIDE "%.*s", oid_len, item.at, oid_len, item.at);
		else
			fprintf(out, ",%.*s", (int)item.len, item.at);
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static int reprint_enum(sqlite3 *sqlite, const struct schema *new, struct schema_column *column,
                        const struct schema_column *before, const char *from, const char *to, struct err *err)
{
	if (before->labels)
		from = before->labels;
	if (strcmp(from, to) == 0)
		return 0;
	if (!(column->labels = with_gone(from, to)))
		return err_set(err, -ENOMEM, "out of memory for the labels of column \"%s\"", column->name);
	return reprint_labels(sqlite, new, column, from, column->labels, err);
}

static int reprint_column(sqlite3 *sqlite, const struct schema *new, struct schema_column *column,
                          const struct schema_column *before, const struct column *from, const struct column *to,
                          bool *inexact, addition_warn *warn, struct err *err)
{
	int rc = reprint_type(sqlite, new, column, from->base, to->base, err);

	if (rc == 0 && from->labels && to->labels)
		rc = reprint_enum(sqlite, new, column, before, from->labels, to->labels, err);
	/* Of another type the stream says so by itself, by a `partial` line. */
	bool unknown = from->parts && to->parts &&
	               (has_changed(from->parts, to->parts) || has_more_attributes(from->parts, to->parts));
	if (rc < 0 || !unknown || (rc = has_values(sqlite, new, column, err)) <= 0)
		return rc;
	char *text =
	    sqlite3_mprintf("column \"%w\" of table \"%w\" prints otherwise now, and only the server knows how: "
	                    "its rows are not all as in PostgreSQL any more; deltamirror --resync brings them anew",
	                    column->name, new->name);
	if (text && warn)
		warn(text);
	sqlite3_free(text);
	*inexact = true;
	return 0;
}

int reprint_columns(sqlite3 *sqlite, const struct schema *old, struct schema *new, bool *inexact, addition_warn *warn,
                    struct err *err)
{
	int rc = 0;

	for (unsigned i = 0; rc == 0 && i < new->column_count; i++) {
		struct schema_column *column = &new->columns[i];
		const struct schema_column *before = schema_find_number(old, column->number);
		if (before)
			rc =
			    reprint_column(sqlite, new, column, before, &old->definition.columns[before - old->columns],
			                   &new->definition.columns[i], inexact, warn, err);
	}
	return rc;
}
