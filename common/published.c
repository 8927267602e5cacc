#include "published.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "line.h"
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

/* What was made after initdb has an OID from 16384 on. */
static const char tables_sql[] = "SELECT c.oid, n.nspname, c.relname, c.relreplident, p.key, r.key, c.relnatts, " SHAPE(
    "c.relnatts") ", "
                  "coalesce(pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, "
                  "'SELECT'), "
                  "true) FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace " KEY(
                      "p", "i.indisprimary")
                      KEY("r", "i.indisreplident") "WHERE c.relkind = 'r' AND c.relpersistence = 'p' AND c.relrewrite "
                                                   "= 0 AND c.oid >= 16384 AND n.nspname NOT IN "
                                                   "('pg_catalog', 'information_schema', 'pg_toast')%s";
enum { T_OID, T_SCHEMA, T_NAME, T_IDENTITY, T_PRIMARY, T_REPLIDENT, T_ATTRIBUTES, T_SHAPE, T_ALLOWED };

/* What values of a type print of other types, in the order of plugin/schema.c: an enum's labels, spelt as in
 * name.h, and a composite's attributes. `root` is a column's type. Multiranges are there from PostgreSQL 14 on. */
#define LABELS                                                                                                         \
	"(SELECT pg_catalog.string_agg(e.oid || '=' || (SELECT pg_catalog.string_agg(CASE WHEN l.c IN ('%%', '/', "    \
	"'.', ',') OR pg_catalog.ascii(l.c) < 32 OR pg_catalog.ascii(l.c) = 127 OR l.c = '-' AND l.n = 1 THEN '%%' "   \
	"|| pg_catalog.upper(pg_catalog.lpad(pg_catalog.to_hex(pg_catalog.ascii(l.c)), 2, '0')) ELSE l.c END, '' "     \
	"ORDER BY l.n) FROM pg_catalog.regexp_split_to_table(e.enumlabel, '') WITH ORDINALITY l(c, n)), ',' ORDER BY " \
	"e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = w.type)"
#define PARTS                                                                                                          \
	"walk(root, type, attribute, path) AS (SELECT DISTINCT a.atttypid, a.atttypid, NULL::text, '{}'::int[] FROM "  \
	"pg_catalog.pg_attribute a WHERE a.attrelid = ANY ('{%s}'::oid[]) AND a.atttypid >= 16384 UNION ALL SELECT "   \
	"w.root, x.type, x.attribute, w.path || x.place FROM walk w JOIN pg_catalog.pg_type t ON t.oid = w.type "      \
	"CROSS "                                                                                                       \
	"JOIN LATERAL (SELECT t.typbasetype, NULL::text, 0 WHERE t.typtype = 'd' UNION ALL SELECT t.typelem, NULL, 0 " \
	"WHERE t.typtype = 'b' AND t.typelem <> 0 AND t.typlen = -1 UNION ALL SELECT r.rngsubtype, NULL, 0 FROM "      \
	"pg_catalog.pg_range r WHERE r.rngtypid = t.oid UNION ALL SELECT r.rngtypid, NULL, 0 FROM "                    \
	"pg_catalog.pg_range r WHERE (pg_catalog.to_jsonb(r) ->> 'rngmultitypid')::oid = t.oid UNION ALL SELECT "      \
	"a.atttypid, t.oid || ':' || a.attnum, a.attnum FROM pg_catalog.pg_attribute a WHERE t.typtype = 'c' AND "     \
	"a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) x(type, attribute, place)), "                \
	"made(root, parts) AS (SELECT w.root, pg_catalog.string_agg(nullif(pg_catalog.concat_ws(',', "                 \
	"w.attribute, " LABELS "), ''), ',' ORDER BY w.path) FROM walk w GROUP BY w.root) "

/* NOT NULL constraints are rows of their own from PostgreSQL 18 on, and may not hold for old rows. */
static const char columns_sql[] =
    "WITH RECURSIVE base(domain, type, typmod) AS (SELECT oid, typbasetype, typtypmod FROM pg_catalog.pg_type WHERE "
    "typtype = 'd' UNION ALL SELECT b.domain, t.typbasetype, t.typtypmod FROM base b JOIN pg_catalog.pg_type t ON "
    "t.oid = b.type WHERE t.typtype = 'd'), " PARTS

    "SELECT o.n - 1, a.attnum, a.attname, pg_catalog.format_type(a.atttypid, a.atttypmod), CASE WHEN b.type IS NOT "
    "NULL THEN pg_catalog.format_type(b.type, b.typmod) END, coalesce(b.type, a.atttypid) = 16, a.attnotnull AND NOT "
    "EXISTS (SELECT FROM pg_catalog.pg_constraint k WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND NOT "
    "k.convalidated AND k.conkey = ARRAY[a.attnum]), CASE WHEN a.atthasmissing THEN (a.attmissingval::text::text[])[1] "
    "END, m.parts, coalesce(t.typtype, u.typtype) = 'e' FROM unnest('{%s}'::oid[]) WITH ORDINALITY o(oid, n) JOIN "
    "pg_catalog.pg_attribute a ON a.attrelid = o.oid JOIN pg_catalog.pg_type u ON u.oid = a.atttypid LEFT JOIN made m "
    "ON m.root = a.atttypid "
    "LEFT JOIN (base b JOIN pg_catalog.pg_type t ON t.oid = b.type AND t.typtype <> 'd') ON b.domain = a.atttypid "
    "WHERE a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated <> 'v' ORDER BY o.n, a.attnum";
enum { C_TABLE, C_NUMBER, C_NAME, C_TYPE, C_BASE, C_BOOLEAN, C_NOT_NULL, C_MISSING, C_PARTS, C_ENUM };

static const char sizes_sql[] =
    "SELECT coalesce(pg_catalog.pg_relation_size(c.oid), 0), "
    "coalesce(pg_catalog.pg_relation_size(nullif(c.reltoastrelid, "
    "0)), 0), c.relpages, c.reltuples::numeric FROM unnest('{%s}'::oid[]) WITH ORDINALITY o(oid, n) JOIN "
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

/* All that there are, by name; the schema `daystream` only where a list can name it. */
static int list_all(const PGresult *res, bool with_own, struct choice **out, size_t *count, struct err *err)
{
	struct choice *choices = calloc((size_t)PQntuples(res) + 1, sizeof *choices);

	*count = 0;
	*out = choices;
	if (!choices)
		return err_set(err, -ENOMEM, "out of memory");
	for (int row = 0; row < PQntuples(res); row++) {
		char name[NAME_PATH_MAX];
		const char *schema = PQgetvalue(res, row, T_SCHEMA);
		if (!with_own && strcmp(schema, "daystream") == 0)
			continue;
		if (name_join(name, schema, PQgetvalue(res, row, T_NAME)) == 0)
			return err_set(err, -ENAMETOOLONG, "the name of table \"%s\" is too long",
			               PQgetvalue(res, row, T_NAME));
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

/* ---- the `schema` line -------------------------------------------------- */

static void put_escaped(FILE *out, const char *text, size_t len)
{
	char escaped[2 * 4096];

	while (len > 0) {
		size_t piece = len < sizeof escaped / 2 ? len : sizeof escaped / 2;
		fwrite(escaped, 1, line_escape(escaped, text, piece), out);
		text += piece;
		len -= piece;
	}
}

static void put_fact(FILE *out, const char *name, const char *value)
{
	fprintf(out, "\t%s\t", name);
	put_escaped(out, value, strlen(value));
}

/* The columns' numbers of a key ("2 1"): calls `each` with number and place. */
static unsigned place_in(const char *key, unsigned number)
{
	unsigned place = 0;

	for (char *end; *key; key = end) {
		place++;
		if (strtoul(key, &end, 10) == number)
			return place;
	}
	return 0;
}

/* A table's rows of columns_sql: [from, to). */
struct columns {
	const PGresult *res;
	int from, to;
};

static const char *column_named(const struct columns *columns, unsigned long number)
{
	for (int row = columns->from; row < columns->to; row++)
		if (strtoul(PQgetvalue(columns->res, row, C_NUMBER), NULL, 10) == number)
			return PQgetvalue(columns->res, row, C_NAME);
	return "";
}

static void put_key(FILE *out, char identity, const char *key, const struct columns *columns)
{
	char part[3 * NAME_RAW_MAX];

	if (identity == 'f')
		fputc('*', out);
	else if (!*key)
		fputs("\\N", out);
	for (char *end; identity != 'f' && *key; key = end) {
		const char *name = column_named(columns, strtoul(key, &end, 10));
		if (strcmp(name, "*") == 0)
			fputs("%2A", out);
		else
			put_escaped(out, part, name_encode(part, name, strnlen(name, NAME_RAW_MAX)));
		if (*end)
			fputc(',', out);
	}
}

static void put_facts(FILE *out, const PGresult *res, int row, const char *primary)
{
	unsigned number = (unsigned)strtoul(PQgetvalue(res, row, C_NUMBER), NULL, 10);
	unsigned place = place_in(primary, number);

	fprintf(out, "number\t%u", number);
	put_fact(out, "type", PQgetvalue(res, row, C_TYPE));
	if (!PQgetisnull(res, row, C_BASE))
		put_fact(out, "base", PQgetvalue(res, row, C_BASE));
	if (!PQgetisnull(res, row, C_PARTS))
		put_fact(out, *PQgetvalue(res, row, C_ENUM) == 't' ? "labels" : "parts", PQgetvalue(res, row, C_PARTS));
	if (*PQgetvalue(res, row, C_NOT_NULL) == 't')
		put_fact(out, "notnull", "1");
	if (place > 0)
		fprintf(out, "\tpk\t%u", place);
	if (PQgetisnull(res, row, C_MISSING))
		return;
	const char *missing = PQgetvalue(res, row, C_MISSING);
	if (*PQgetvalue(res, row, C_BOOLEAN) == 't')
		missing = *missing == 't' ? "1" : "0";
	put_fact(out, "missing", missing);
}

static int put_column(FILE *out, const PGresult *res, int row, const char *primary)
{
	char *facts = NULL;
	size_t len = 0;
	FILE *inner = open_memstream(&facts, &len);

	if (!inner)
		return -ENOMEM;
	put_facts(inner, res, row, primary);
	int r = fclose(inner) == 0 ? 0 : -ENOMEM;
	if (r == 0) {
		const char *name = PQgetvalue(res, row, C_NAME);
		fputc('\t', out);
		put_escaped(out, name, strlen(name));
		fputc('\t', out);
		put_escaped(out, facts, len);
	}
	free(facts);
	return r;
}

static int print_schema(char **text, const char *pairs, const PGresult *res, int row, const struct columns *columns,
                        struct err *err)
{
	const char *primary = PQgetvalue(res, row, T_PRIMARY); /* "" where it is NULL */
	char identity = *PQgetvalue(res, row, T_IDENTITY);
	const char *key = identity == 'd' ? primary : identity == 'i' ? PQgetvalue(res, row, T_REPLIDENT) : "";
	size_t len;
	FILE *out = open_memstream(text, &len);
	int r = 0;

	if (!out)
		return err_set(err, -ENOMEM, "out of memory");
	fprintf(out, "%s\t_relid\t%s\t_key\t", pairs, PQgetvalue(res, row, T_OID));
	put_key(out, identity, key, columns);
	fputs("\t_action\tschema", out);
	for (int column = columns->from; r == 0 && column < columns->to; column++)
		r = put_column(out, columns->res, column, primary);
	if (fclose(out) != 0 || r < 0)
		return err_set(err, -ENOMEM, "out of memory for a definition");
	return 0;
}

/* ---- one table ---------------------------------------------------------- */

static int print_pairs(char **text, const char *schema, const char *table, struct err *err)
{
	size_t len;
	FILE *out = open_memstream(text, &len);

	if (!out)
		return err_set(err, -ENOMEM, "out of memory");
	if (strcmp(schema, "public") != 0) {
		fputs("_schema\t", out);
		put_escaped(out, schema, strlen(schema));
		fputc('\t', out);
	}
	fputs("_table\t", out);
	put_escaped(out, table, strlen(table));
	return fclose(out) == 0 ? 0 : err_set(err, -ENOMEM, "out of memory");
}

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

static int print_sql(struct published_table *more, const char *schema, const char *table, const struct columns *columns,
                     struct err *err)
{
	size_t len;
	FILE *from = open_memstream(&more->from, &len);
	if (!from)
		return err_set(err, -ENOMEM, "out of memory");
	put_quoted(from, schema);
	fputc('.', from);
	put_quoted(from, table);
	int r = fclose(from);

	FILE *values = r == 0 ? open_memstream(&more->values, &len) : NULL;
	if (!values)
		return err_set(err, -ENOMEM, "out of memory");
	for (int row = columns->from; row < columns->to; row++) {
		if (row > columns->from)
			fputc(',', values);
		put_quoted(values, PQgetvalue(columns->res, row, C_NAME));
	}
	return fclose(values) == 0 ? 0 : err_set(err, -ENOMEM, "out of memory");
}

/* Of rows and bytes that copying will give: from the file's size, and what ANALYZE found. */
static void estimate(struct copy_table *table, const struct published_table *more, const PGresult *res, int row)
{
	enum { PAGE = 8192, TUPLE_OVERHEAD = 28, COLUMN_GUESS = 8, COMPRESSION = 2 };
	double heap = strtod(PQgetvalue(res, row, S_HEAP), NULL), toast = strtod(PQgetvalue(res, row, S_TOAST), NULL);
	double pages = strtod(PQgetvalue(res, row, S_PAGES), NULL),
	       tuples = strtod(PQgetvalue(res, row, S_TUPLES), NULL);
	double fixed = (double)(more->format.head_len + more->format.leads_len);
	double guess = heap / (TUPLE_OVERHEAD + COLUMN_GUESS * (double)more->format.count);
	double rows = pages > 0 && tuples >= 0 ? tuples / pages * heap / PAGE : guess;
	double data = heap - rows * TUPLE_OVERHEAD;

	table->rows = (uint64_t)rows;
	table->bytes =
	    strlen(table->schema) + 1 + (uint64_t)(rows * fixed + (data > 0 ? data : 0) + toast * COMPRESSION);
}

static int describe(struct published *published, const PGresult *tables, int row, const struct columns *columns,
                    struct err *err)
{
	struct copy_table *table = &published->tables[published->count - 1];
	struct published_table *more = &published->more[published->count - 1];
	const char *schema = PQgetvalue(tables, row, T_SCHEMA), *name = PQgetvalue(tables, row, T_NAME);
	char *pairs = NULL;
	int r;

	table->relid = (uint32_t)strtoul(PQgetvalue(tables, row, T_OID), NULL, 10);
	more->attributes = (unsigned)strtoul(PQgetvalue(tables, row, T_ATTRIBUTES), NULL, 10);
	if (!(more->shape = strdup(PQgetvalue(tables, row, T_SHAPE))))
		return err_set(err, -ENOMEM, "out of memory");
	if ((r = print_pairs(&pairs, schema, name, err)) == 0 &&
	    (r = print_schema(&table->schema, pairs, tables, row, columns, err)) == 0 &&
	    (r = print_sql(more, schema, name, columns, err)) == 0)
		r = inserts_format_init(&more->format, pairs, err);
	for (int column = columns->from; r == 0 && column < columns->to; column++)
		r = inserts_format_add(&more->format, PQgetvalue(columns->res, column, C_NAME),
		                       *PQgetvalue(columns->res, column, C_BOOLEAN) == 't', err);
	free(pairs);
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
	PGresult *columns = NULL, *sizes = NULL;
	int r, next = 0;

	published->tables = calloc(count + 1, sizeof *published->tables);
	published->more = calloc(count + 1, sizeof *published->more);
	if (!oids || !published->tables || !published->more)
		r = err_set(err, -ENOMEM, "out of memory");
	else if ((r = query(conn, wakefd, &columns, err, columns_sql, oids, oids)) == 0)
		r = query(conn, wakefd, &sizes, err, sizes_sql, oids);
	for (size_t i = 0; r == 0 && i < count; i++) {
		struct columns mine = {columns, next, next};
		while (mine.to < PQntuples(columns) && strtoul(PQgetvalue(columns, mine.to, C_TABLE), NULL, 10) == i)
			mine.to++;
		next = mine.to;
		published->tables[published->count++].name = choices[i].name;
		choices[i].name = NULL;
		if ((r = describe(published, tables, choices[i].row, &mine, err)) == 0)
			estimate(&published->tables[i], &published->more[i], sizes, (int)i);
	}
	PQclear(columns);
	PQclear(sizes);
	free(oids);
	return r;
}

int published_read(struct published *published, PGconn *conn, const char *tables, bool must_exist, int wakefd,
                   struct err *err)
{
	bool all = !tables || !*tables;
	struct choice *choices = NULL;
	size_t count = 0;
	PGresult *res;
	int r;

	*published = (struct published){0};
	if ((r = query(conn, wakefd, &res, err, tables_sql, "")) == 0 &&
	    (r = list_all(res, !all, &choices, &count, err)) == 0 &&
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
		free(published->tables[i].name);
		free(published->tables[i].schema);
		free(published->more[i].from);
		free(published->more[i].values);
		free(published->more[i].shape);
		inserts_format_fini(&published->more[i].format);
	}
	free(published->tables);
	free(published->more);
	*published = (struct published){0};
}

static const char check_sql[] = "SELECT " SHAPE("%u") " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON "
                                                      "n.oid = c.relnamespace WHERE c.oid = %" PRIu32;

int published_check(const struct published *published, size_t i, PGconn *conn, int wakefd, struct err *err)
{
	const struct published_table *more = &published->more[i];
	PGresult *res;
	int r = query(conn, wakefd, &res, err, check_sql, more->attributes, published->tables[i].relid);

	if (r < 0)
		return r;
	if (PQntuples(res) != 1 || strcmp(PQgetvalue(res, 0, 0), more->shape) != 0)
		r = err_set(err, -ESTALE, "table \"%s\" was %s while it was copied", published->tables[i].name,
		            PQntuples(res) == 1 ? "truncated, rewritten or altered" : "dropped");
	PQclear(res);
	return r;
}
