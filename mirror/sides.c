#include "sides.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sql.h"

/* Without a key, -0 and 0 are two values that are to stand in an order. */
static bool is_minus_zero(const struct value *value)
{
	return value->kind == VALUE_REAL && value->real == 0 && signbit(value->real);
}

int sides_init(struct sides *sides, struct server *server, struct reading *reading, const struct schema *schema,
               struct err *err)
{
	unsigned count = schema->column_count;

	*sides = (struct sides){.schema = schema, .server = server, .reading = reading, .count = count};
	sides->keyed = schema->match == SCHEMA_KEY;
	sides->source = calloc(count + 1, sizeof *sides->source);
	sides->mirror = calloc(count + 1, sizeof *sides->mirror);
	sides->lead = calloc(SIDES_LEAD_MAX + count + 1, sizeof *sides->lead);
	if (!sides->source || !sides->mirror || !sides->lead)
		return err_set(err, -ENOMEM, "out of memory for a row of %u columns", count);
	return value_add_functions(reading->sqlite, err);
}

void sides_fini(struct sides *sides)
{
	sides_source_close(sides);
	sides_mirror_close(sides);
	value_room_fini(&sides->room);
	free(sides->source);
	free(sides->mirror);
	free(sides->lead);
	*sides = (struct sides){0};
}

bool sides_orders(const struct sides *sides, unsigned column)
{
	return !sides->keyed || sides->schema->columns[column].key;
}

/* Types that already are text in the order of bytes; all others, arrays of these too, print it. */
static bool is_plain_text(const char *base)
{
	size_t len = strlen(base), varying_len = strlen("character varying");

	if (strcmp(base, "text") == 0 || strcmp(base, "character varying") == 0)
		return true;
	return strncmp(base, "character varying(", varying_len + 1) == 0 && base[len - 1] == ')';
}

void sides_append_text(sqlite3_str *sql, const struct sides *sides, unsigned column)
{
	const struct column *of = &sides->schema->definition.columns[column];

	if (is_plain_text(of->base))
		sqlite3_str_appendf(sql, "t.\"%w\"", of->name);
	else /* not IS NULL, which a row of NULLs is, too */
		sqlite3_str_appendf(sql,
		                    "(CASE WHEN t.\"%w\" IS NOT DISTINCT FROM NULL THEN NULL"
		                    " ELSE pg_catalog.concat(t.\"%w\") END)",
		                    of->name, of->name);
}

static void append_source_column(sqlite3_str *sql, const struct sides *sides, unsigned i)
{
	enum storage storage = sides->schema->columns[i].storage;
	const char *name = sides->schema->definition.columns[i].name;

	if (storage == STORAGE_BOOLEAN) {
		sqlite3_str_appendf(sql, "t.\"%w\"::int", name);
	} else if (storage == STORAGE_TEXT && sides_orders(sides, i) && !sides->server->other_bytes) {
		/* It prints the same, and the order can name it by its place: the server allows 1,664
		 * expressions in all. */
		sides_append_text(sql, sides, i);
		sqlite3_str_appendall(sql, " COLLATE \"C\"");
	} else {
		sqlite3_str_appendf(sql, "t.\"%w\"", name);
	}
}

/* A number that is rounded is to stand where its double does. Out of a double's range the server would not
 * cast it. */
static void append_rounded(sqlite3_str *sql, const char *name)
{
	sqlite3_str_appendf(sql,
	                    "(CASE WHEN abs(t.\"%w\") < 2.4703282292062328e-324 THEN 0"
	                    " WHEN abs(t.\"%w\") > 1.7976931348623158079e308 AND t.\"%w\" <> 'NaN'"
	                    " THEN sign(t.\"%w\")::float8 * 'Infinity'::float8 ELSE t.\"%w\"::float8 END) NULLS FIRST,"
	                    " (t.\"%w\" < 0 AND t.\"%w\" > -2.4703282292062328e-324) DESC",
	                    name, name, name, name, name, name, name);
}

/* Copies the key's place into *column; false behind the last. */
static bool order_column(const struct sides *sides, unsigned place, unsigned *column)
{
	if (place >= (sides->keyed ? sides->schema->key_count : sides->count))
		return false;
	*column = sides->keyed ? sides->schema->key[place] : place;
	return true;
}

char *sides_source_order(const struct sides *sides)
{
	sqlite3_str *sql = sqlite3_str_new(NULL);
	unsigned i;

	for (unsigned place = 0; order_column(sides, place, &i); place++) {
		enum storage storage = sides->schema->columns[i].storage;
		const char *name = sides->schema->definition.columns[i].name;
		sqlite3_str_appendall(sql, place ? ", " : "ORDER BY ");
		if (storage == STORAGE_TEXT && sides->server->other_bytes) {
			sqlite3_str_appendall(sql, "pg_catalog.convert_to(");
			sides_append_text(sql, sides, i);
			sqlite3_str_appendall(sql, ", 'UTF8') NULLS FIRST");
		} else if (storage == STORAGE_REAL && value_is_numeric(sides->schema->definition.columns[i].base)) {
			append_rounded(sql, name);
			continue;
		} else {
			sqlite3_str_appendf(sql, "%u NULLS FIRST", i + 1);
		}
		if (storage == STORAGE_REAL && !sides->keyed)
			sqlite3_str_appendf(sql, ", (t.\"%w\" = 0 AND pg_catalog.concat(t.\"%w\") = '-0') DESC", name,
			                    name);
	}
	sqlite3_str_appendall(sql, " ");
	return sqlite3_str_finish(sql);
}

char *sides_mirror_order(const struct sides *sides)
{
	sqlite3_str *sql = sqlite3_str_new(NULL);
	unsigned i;

	for (unsigned place = 0; order_column(sides, place, &i); place++) {
		const struct schema_column *column = &sides->schema->columns[i];
		sqlite3_str_appendf(sql, "%s\"%w\"", place ? ", " : "ORDER BY ", column->name);
		if (column->storage == STORAGE_REAL && !sides->keyed)
			sqlite3_str_appendf(sql, ", daystream_minus_zero(\"%w\") DESC", column->name);
	}
	sqlite3_str_appendall(sql, " ");
	return sqlite3_str_finish(sql);
}

int sides_source_open(struct sides *sides, const char *lead, unsigned lead_count, const char *from, const char *rest,
                      struct err *err)
{
	sqlite3_str *sql = sqlite3_str_new(NULL);

	sqlite3_str_appendf(sql, "SELECT %s%s", lead, lead_count && sides->count ? ", " : "");
	for (unsigned i = 0; i < sides->count; i++) {
		sqlite3_str_appendall(sql, i ? ", " : "");
		append_source_column(sql, sides, i);
	}
	sqlite3_str_appendf(sql, " FROM %s AS t %s", from, rest);
	char *text = sqlite3_str_finish(sql);
	if (!text)
		return err_set(err, -ENOMEM, "out of memory for a query");
	sides->lead_count = lead_count;
	int rc = rows_open(&sides->rows, sides->server->conn, text, sides->server->wakefd, err);
	sqlite3_free(text);
	return rc;
}

int sides_source_next(struct sides *sides, struct err *err)
{
	const struct schema *schema = sides->schema;
	struct span row;
	int rc = rows_next(&sides->rows, &row, err);

	if (rc <= 0)
		return rc;
	sides->bytes += row.len + 1;
	if (!rows_split(row, sides->lead, sides->lead_count + sides->count))
		return err_set(err, -EPROTO, "the server's row has another number of columns");
	rc = value_room_reset(&sides->room, row.len, err);
	for (unsigned i = 0; rc == 0 && i < sides->count; i++) {
		rc = value_read(&sides->source[i], schema->columns[i].storage, sides->lead[sides->lead_count + i],
		                &sides->room, err);
		if (rc < 0)
			err_prefix(err, rc, "column \"%s\"", schema->columns[i].name);
	}
	return rc < 0 ? rc : 1;
}

void sides_source_close(struct sides *sides)
{
	rows_close(&sides->rows);
}

int sides_mirror_open(struct sides *sides, const char *rest, struct err *err)
{
	sqlite3_str *sql = sqlite3_str_new(sides->reading->sqlite);

	sqlite3_str_appendall(sql, "SELECT ");
	for (unsigned i = 0; i < sides->count; i++)
		sqlite3_str_appendf(sql, "%s\"%w\"", i ? ", " : "", sides->schema->columns[i].name);
	sqlite3_str_appendf(sql, "%s FROM \"%w\" %s", sides->count ? "" : "NULL", sides->schema->name, rest);
	char *text = sqlite3_str_finish(sql);
	if (!text)
		return err_set(err, -ENOMEM, "out of memory for a query");
	sides_mirror_close(sides);
	int rc = sqlite3_prepare_v2(sides->reading->sqlite, text, -1, &sides->stmt, NULL);
	sqlite3_free(text);
	if (rc == SQLITE_OK)
		return 0;
	int code = sql_error(sides->reading->sqlite, "cannot read the mirror's table", err);
	/* Not there, or without a column: others may be whole. */
	return rc == SQLITE_ERROR ? -EBADMSG : code;
}

int sides_mirror_next(struct sides *sides, struct err *err)
{
	int rc = sqlite3_step(sides->stmt);

	if (rc == SQLITE_DONE)
		return 0;
	if (rc != SQLITE_ROW)
		return sql_error(sides->reading->sqlite, "cannot read the mirror's table", err);
	for (unsigned i = 0; i < sides->count; i++)
		value_of_column(&sides->mirror[i], sides->stmt, (int)i);
	return 1;
}

void sides_mirror_close(struct sides *sides)
{
	sqlite3_finalize(sides->stmt);
	sides->stmt = NULL;
}

int sides_order(const struct sides *sides)
{
	unsigned i;

	for (unsigned place = 0; order_column(sides, place, &i); place++) {
		const struct value *source = &sides->source[i], *mirror = &sides->mirror[i];
		int order = value_order(source, mirror);
		if (order == 0 && !sides->keyed)
			order = is_minus_zero(mirror) - is_minus_zero(source);
		if (order != 0)
			return order;
	}
	return 0;
}

bool sides_same(const struct sides *sides, sqlite3_str *names)
{
	bool same = true;

	for (unsigned i = 0; i < sides->count; i++) {
		if (value_same(&sides->source[i], &sides->mirror[i]))
			continue;
		if (!names)
			return false;
		sqlite3_str_appendf(names, "%s%s", same ? "" : ", ", sides->schema->columns[i].name);
		same = false;
	}
	return same;
}
