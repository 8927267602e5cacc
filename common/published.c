#include "published.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "columns.h"
#include "name.h"
#include "pg.h"

/* Columns that were added are none of an older snapshot's business; those of before must be as they were. */
#define SHAPE(attributes)                                                                                              \
	"pg_catalog.format('%%I.%%I %%s ', n.nspname, c.relname, c.relfilenode) || (SELECT "                           \
	"coalesce(pg_catalog.string_agg(pg_catalog.format('%%s %%s %%s %%I', a.attnum, a.atttypid, a.atttypmod, "      \
	"a.attname), ',' ORDER BY a.attnum), '') FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND "         \
	"a.attnum BETWEEN 1 AND " attributes ")"

/* The columns of an index that can be a replica identity, which a deferrable primary key is not. */
#define KEY(alias, which)                                                                                              \
	"LEFT JOIN LATERAL (SELECT pg_catalog.array_to_string((i.indkey::int2[])[0:i.indnkeyatts - 1], ' ') AS key "   \
	"FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid AND " which " AND i.indislive AND i.indisvalid AND "      \
	"i.indisunique AND i.indimmediate AND i.indpred IS NULL) " alias " ON true "

/* What was made after initdb has an OID from 16384 on: extensions put tables into pg_catalog, too. */
static const char tables_sql[] = "SELECT c.oid, n.nspname, c.relname, c.relreplident, p.key, r.key, c.relnatts, " SHAPE(
    "c.relnatts") ", "
                  "coalesce(pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, "
                  "'SELECT'), "
                  "true) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace " KEY(
                      "p", "i.indisprimary")
                      KEY("r", "i.indisreplident") "WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.relrewrite "
                                                   "= 0 AND c.oid >= 16384";
enum { T_OID, T_SCHEMA, T_NAME, T_IDENTITY, T_PRIMARY, T_REPLIDENT, T_ATTRIBUTES, T_SHAPE, T_ALLOWED };

/* A file's size waits for whoever has its table locked. */
#define SIZE(relid)                                                                                                    \
	"CASE WHEN " relid " NOT IN (SELECT relation FROM pg_catalog.pg_locks WHERE locktype = 'relation' AND mode = " \
	"'AccessExclusiveLock') THEN pg_catalog.pg_relation_size(" relid ") END"

static const char sizes_sql[] = "SELECT coalesce(" SIZE("c.oid") ", c.relpages * 8192::bigint), coalesce(" SIZE(
    "nullif(c.reltoastrelid, 0)") ", 0), c.relpages, c.reltuples::numeric FROM unnest('{%s}'::oid[]) WITH "
                                  "ORDINALITY o(oid, n) JOIN "
                                  "pg_catalog.pg_class c ON c.oid = o.oid ORDER BY o.n";
enum { S_HEAP, S_TOAST, S_PAGES, S_TUPLES };

static int query(PGconn *conn, int wakefd, PGresult **res, struct err *err, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

static int query(PGconn *conn, int wakefd, PGresult **res, struct err *err, const char *fmt, ...)
{
	va_list args;
	char *sql;

	*res = NULL;
	va_start(args, fmt);
	int n = vasprintf(&sql, fmt, args);
	va_end(args);
	if (n < 0)
		return err_set(err, -ENOMEM, "out of memory");
	int r = pg_exec(conn, sql, wakefd, 0, res, NULL, err);
	free(sql);
	return r < 0 ? err_prefix(err, r, "reading the tables") : 0;
}

/* ---- which tables ------------------------------------------------------- */

struct choice {
	char *name; /* path name */
	int row;    /* of tables_sql's */
};

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct choice *)a)->name, ((const struct choice *)b)->name);
}

static void free_choices(struct choice *choices, size_t count)
{
	for (size_t i = 0; choices && i < count; i++)
		free(choices[i].name);
	free(choices);
}

/* All that there are, by name; the schema `daystream` only where a list can name it. `lacking` knows them all. */
static int list_all(const PGresult *res, bool with_own, struct lacking *lacking, struct choice **out, size_t *count,
                    struct err *err)
{
	struct choice *choices = calloc((size_t)PQntuples(res) + 1, sizeof *choices);

	*count = 0;
	*out = choices;
	if (!choices)
		return err_set(err, -ENOMEM, "out of memory");
	for (int row = 0; row < PQntuples(res); row++) {
		char name[NAME_PATH_MAX], pairs[NAME_PAIRS_MAX];
		const char *schema = PQgetvalue(res, row, T_SCHEMA), *table = PQgetvalue(res, row, T_NAME);
		size_t len = name_pairs(pairs, schema, table);
		if (len == 0 || name_join(name, schema, table) == 0)
			return err_set(err, -ENAMETOOLONG, "the name of table \"%s\" is too long", table);
		int r = lacking_know(lacking, (struct span){pairs, len}, err);
		if (r < 0)
			return r;
		if (!with_own && strcmp(schema, "daystream") == 0)
			continue;
		choices[*count] = (struct choice){strdup(name), row};
		if (!choices[*count].name)
			return err_set(err, -ENOMEM, "out of memory");
		++*count;
	}
	qsort(choices, *count, sizeof *choices, by_name);
	return 0;
}

/* Keeps those of the list. */
static int narrow(struct choice *choices, size_t *count, const char *tables, bool must_exist, struct err *err)
{
	bool *wanted = calloc(*count + 1, sizeof *wanted);
	size_t kept = 0;
	int r = 0;

	if (!wanted)
		return err_set(err, -ENOMEM, "out of memory");
	for (const char *at = tables;;) {
		size_t n = strcspn(at, ",");
		struct choice key = {strndup(at, n), 0};
		const struct choice *found = key.name ? bsearch(&key, choices, *count, sizeof *choices, by_name) : NULL;
		free(key.name);
		if (found)
			wanted[found - choices] = true;
		else if (must_exist)
			r = err_set(err, -ENOENT, "there is no table \"%.*s\" that can be copied", (int)n, at);
		if (r < 0 || !at[n])
			break;
		at += n + 1;
	}
	for (size_t i = 0; i < *count; i++) {
		if (wanted[i])
			choices[kept++] = choices[i];
		else
			free(choices[i].name);
	}
	*count = kept;
	free(wanted);
	return r;
}

static int check_allowed(const PGresult *res, const struct choice *choices, size_t count, struct err *err)
{
	for (size_t i = 0; i < count; i++)
		if (*PQgetvalue(res, choices[i].row, T_ALLOWED) != 't')
			return err_set(err, -EACCES,
			               "table \"%s\" may not be read by this role: GRANT SELECT on it, and "
			               "USAGE on its schema",
			               choices[i].name);
	return 0;
}

/* ---- one table ---------------------------------------------------------- */

static void put_quoted(FILE *out, const char *name)
{
	fputc('"', out);
	for (; *name; name++) {
		if (*name == '"')
			fputc('"', out);
		fputc(*name, out);
	}
	fputc('"', out);
}

static int print_sql(struct published_table *table, const char *schema, const char *name, const struct columns *columns,
                     struct err *err)
{
	size_t len;
	FILE *from = open_memstream(&table->from, &len);
	if (!from)
		return err_set(err, -ENOMEM, "out of memory");
	put_quoted(from, schema);
	fputc('.', from);
	put_quoted(from, name);
	int r = fclose(from);

	FILE *values = r == 0 ? open_memstream(&table->values, &len) : NULL;
	if (!values)
		return err_set(err, -ENOMEM, "out of memory");
	for (int row = columns->from; row < columns->to; row++) {
		if (row > columns->from)
			fputc(',', values);
		put_quoted(values, columns_name(columns, row));
	}
	return fclose(values) == 0 ? 0 : err_set(err, -ENOMEM, "out of memory");
}

/* Of rows and bytes that copying will give: from the file's size, and what ANALYZE found. */
static void estimate(struct published_table *table, const PGresult *res, int row)
{
	enum { PAGE = 8192, TUPLE_OVERHEAD = 28, COLUMN_GUESS = 8, COMPRESSION = 2 };
	double heap = strtod(PQgetvalue(res, row, S_HEAP), NULL), toast = strtod(PQgetvalue(res, row, S_TOAST), NULL);
	double pages = strtod(PQgetvalue(res, row, S_PAGES), NULL),
	       tuples = strtod(PQgetvalue(res, row, S_TUPLES), NULL);
	double fixed = (double)(table->format.head_len + table->format.leads_len);
	double guess = heap / (TUPLE_OVERHEAD + COLUMN_GUESS * (double)table->format.count);
	double rows = pages > 0 && tuples >= 0 ? tuples / pages * heap / PAGE : guess;
	double data = heap - rows * TUPLE_OVERHEAD;

	table->rows = (uint64_t)rows;
	table->bytes =
	    strlen(table->schema) + 1 + (uint64_t)(rows * fixed + (data > 0 ? data : 0) + toast * COMPRESSION);
}

static int describe(struct published_table *table, const PGresult *tables, int row, const struct columns *columns,
                    struct err *err)
{
	const char *schema = PQgetvalue(tables, row, T_SCHEMA), *name = PQgetvalue(tables, row, T_NAME);
	char pairs[NAME_PAIRS_MAX];
	/* A key that is NULL reads as "". */
	const struct columns_owner owner = {.pairs = {pairs, name_pairs(pairs, schema, name)},
	                                    .oid = PQgetvalue(tables, row, T_OID),
	                                    .identity = *PQgetvalue(tables, row, T_IDENTITY),
	                                    .primary = PQgetvalue(tables, row, T_PRIMARY),
	                                    .replident = PQgetvalue(tables, row, T_REPLIDENT)};
	int r;

	table->relid = (uint32_t)strtoul(owner.oid, NULL, 10);
	table->attributes = (unsigned)strtoul(PQgetvalue(tables, row, T_ATTRIBUTES), NULL, 10);
	if (!(table->shape = strdup(PQgetvalue(tables, row, T_SHAPE))))
		return err_set(err, -ENOMEM, "out of memory");
	if ((r = columns_print_schema(columns, &owner, &table->schema, err)) == 0 &&
	    (r = print_sql(table, schema, name, columns, err)) == 0)
		r = inserts_format_init(&table->format, owner.pairs, err);
	for (int column = columns->from; r == 0 && column < columns->to; column++) {
		r = inserts_format_add(&table->format, columns_name(columns, column),
		                       columns_is_boolean(columns, column), err);
		table->has_parts |= columns_prints_others(columns, column);
	}
	return r;
}

/* ---- all of it ---------------------------------------------------------- */

static char *join_oids(const PGresult *res, const struct choice *choices, size_t count)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	for (size_t i = 0; i < count; i++)
		fprintf(out, "%s%s", i > 0 ? "," : "", PQgetvalue(res, choices[i].row, T_OID));
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static int describe_all(struct published *published, PGconn *conn, const PGresult *tables, struct choice *choices,
                        size_t count, int wakefd, struct err *err)
{
	char *oids = join_oids(tables, choices, count);
	struct columns columns = {0};
	PGresult *sizes = NULL;
	int r;

	published->tables = calloc(count + 1, sizeof *published->tables);
	if (!oids || !published->tables)
		r = err_set(err, -ENOMEM, "out of memory");
	else if ((r = columns_read(&columns, conn, oids, wakefd, err)) == 0)
		r = query(conn, wakefd, &sizes, err, sizes_sql, oids);
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct published_table *table = &published->tables[published->count++];
		table->name = choices[i].name;
		choices[i].name = NULL;
		columns_take(&columns, i);
		if ((r = describe(table, tables, choices[i].row, &columns, err)) == 0)
			estimate(table, sizes, (int)i);
	}
	columns_fini(&columns);
	PQclear(sizes);
	free(oids);
	return r;
}

int published_read(struct published *published, struct lacking *lacking, PGconn *conn, const char *tables,
                   bool must_exist, int wakefd, struct err *err)
{
	bool all = !tables || !*tables;
	struct choice *choices = NULL;
	size_t count = 0;
	PGresult *res;
	int r;

	*published = (struct published){0};
	if ((r = query(conn, wakefd, &res, err, tables_sql)) == 0 &&
	    (r = list_all(res, !all, lacking, &choices, &count, err)) == 0 &&
	    (all || (r = narrow(choices, &count, tables, must_exist, err)) == 0) &&
	    (r = check_allowed(res, choices, count, err)) == 0)
		r = describe_all(published, conn, res, choices, count, wakefd, err);
	free_choices(choices, count);
	PQclear(res);
	return r;
}

void published_fini(struct published *published)
{
	for (size_t i = 0; i < published->count; i++) {
		struct published_table *table = &published->tables[i];
		free(table->name);
		free(table->schema);
		free(table->from);
		free(table->values);
		free(table->shape);
		inserts_format_fini(&table->format);
	}
	free(published->tables);
	*published = (struct published){0};
}

static const char check_sql[] = "SELECT " SHAPE("%u") " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON "
                                                      "n.oid = c.relnamespace WHERE c.oid = %" PRIu32;

int published_check(const struct published_table *table, PGconn *conn, int wakefd, struct err *err)
{
	PGresult *res;
	int r = query(conn, wakefd, &res, err, check_sql, table->attributes, table->relid);

	if (r < 0)
		return r;
	if (PQntuples(res) != 1 || strcmp(PQgetvalue(res, 0, 0), table->shape) != 0)
		r = err_set(err, -ESTALE, "table \"%s\" was %s while it was copied", table->name,
		            PQntuples(res) == 1 ? "truncated, rewritten or altered" : "dropped");
	PQclear(res);
	return r;
}

int published_check_parts(const struct published_table *table, PGconn *then, PGconn *now, int wakefd, struct err *err)
{
	PGresult *before = NULL, *after = NULL;
	int r = 0;

	if (table->has_parts && (r = columns_parts(then, table->relid, "{}", wakefd, &before, err)) == 0 &&
	    (r = columns_parts(now, table->relid, pg_text(before, 0, 0), wakefd, &after, err)) == 0 &&
	    *pg_text(after, 0, 1) != 't')
		r = err_set(err, -ESTALE,
		            "a label, or a composite type's attributes, changed while table \"%s\" was copied",
		            table->name);
	PQclear(before);
	PQclear(after);
	return r;
}

/* What was made after initdb has an OID from 16384 on. */
static const char existing_sql[] =
    "SELECT coalesce(pg_catalog.string_agg(c.oid::text, ' ' ORDER BY c.oid), '') FROM pg_catalog.pg_class c "
    "WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.oid >= 16384";

int published_existing(PGconn *conn, int wakefd, int timeout_ms, char **relids, struct err *err)
{
	PGresult *res;
	int r = pg_exec(conn, existing_sql, wakefd, timeout_ms, &res, NULL, err);

	if (r < 0)
		return r;
	if (!(*relids = strdup(pg_text(res, 0, 0))))
		r = err_set(err, -ENOMEM, "out of memory for the list of tables");
	PQclear(res);
	return r;
}

/* Small ones by name; then the largest. */
static int by_turn(const void *a, const void *b, void *ctx)
{
	enum { SMALL = 1 << 20 };
	const struct published_table *tables = ctx;
	size_t left = *(const size_t *)a, right = *(const size_t *)b;
	uint64_t left_bytes = tables[left].bytes > SMALL ? tables[left].bytes : UINT64_MAX,
	         right_bytes = tables[right].bytes > SMALL ? tables[right].bytes : UINT64_MAX;

	if (left_bytes != right_bytes)
		return left_bytes > right_bytes ? -1 : 1;
	return left < right ? -1 : left > right;
}

size_t *published_order(const struct published_table *tables, size_t count)
{
	size_t *order = calloc(count + 1, sizeof *order);

	for (size_t i = 0; order && i < count; i++)
		order[i] = i;
	if (order)
		qsort_r(order, count, sizeof *order, by_turn, (void *)(uintptr_t)tables);
	return order;
}
