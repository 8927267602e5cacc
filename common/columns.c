#include "columns.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "name.h"
#include "pg.h"

/* What values of a type print of other types, in the order of plugin/schema.c: an enum's labels, spelt as in
 * name.h, and a composite's attributes. `root` is a column's type. Multiranges are there from PostgreSQL 14 on.
 * ascii() refuses what is longer than a byte, where the database is EUC_JP or the like. */
#define LABELS                                                                                                         \
	"(SELECT pg_catalog.string_agg(e.oid || '=' || (SELECT pg_catalog.string_agg(CASE WHEN "                       \
	"pg_catalog.octet_length(l.c) > 1 THEN l.c WHEN l.c IN ('%%', '/', "                                           \
	"'.', ',') OR pg_catalog.ascii(l.c) BETWEEN 1 AND 31 OR pg_catalog.ascii(l.c) = 127 OR l.c = '-' AND l.n = 1 " \
	"THEN '%%' || pg_catalog.upper(pg_catalog.lpad(pg_catalog.to_hex(pg_catalog.ascii(l.c)), 2, '0')) ELSE l.c "   \
	"END, '' ORDER BY l.n) FROM pg_catalog.regexp_split_to_table(e.enumlabel, '') WITH ORDINALITY l(c, n)), ',' "  \
	"ORDER BY e.enumsortorder) FROM pg_catalog.pg_enum e WHERE e.enumtypid = w.type)"
#define WALK                                                                                                           \
	"walk(root, type, attribute, path) AS (SELECT DISTINCT a.atttypid, a.atttypid, NULL::text, '{}'::int[] FROM "  \
	"pg_catalog.pg_attribute a WHERE a.attrelid = ANY ('{%s}'::oid[]) AND a.atttypid >= 16384 UNION ALL SELECT "   \
	"w.root, x.type, x.attribute, w.path || x.place FROM walk w JOIN pg_catalog.pg_type t ON t.oid = w.type "      \
	"CROSS "                                                                                                       \
	"JOIN LATERAL (SELECT t.typbasetype, NULL::text, 0 WHERE t.typtype = 'd' UNION ALL SELECT t.typelem, NULL, 0 " \
	"WHERE t.typtype = 'b' AND t.typelem <> 0 AND t.typlen = -1 UNION ALL SELECT r.rngsubtype, NULL, 0 FROM "      \
	"pg_catalog.pg_range r WHERE r.rngtypid = t.oid UNION ALL SELECT r.rngtypid, NULL, 0 FROM "                    \
	"pg_catalog.pg_range r WHERE (pg_catalog.to_jsonb(r) ->> 'rngmultitypid')::oid = t.oid UNION ALL SELECT "      \
	"a.atttypid, t.oid || ':' || a.attnum, a.attnum FROM pg_catalog.pg_attribute a WHERE t.typtype = 'c' AND "     \
	"a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped) x(type, attribute, place)), "
#define PARTS                                                                                                          \
	WALK "made(root, parts) AS (SELECT w.root, pg_catalog.string_agg(nullif(pg_catalog.concat_ws(',', "            \
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

int columns_read(struct columns *columns, PGconn *conn, const char *oids, int wakefd, struct err *err)
{
	char *sql;

	*columns = (struct columns){0};
	if (asprintf(&sql, columns_sql, oids, oids) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	int r = pg_exec(conn, sql, wakefd, 0, &columns->res, NULL, err);
	free(sql);
	return r < 0 ? err_prefix(err, r, "reading the tables") : 0;
}

/* A label's row is another one when it was renamed, even back; an attribute goes, or is one more than there ever were. */
static const char parts_sql[] =
    "WITH RECURSIVE " WALK
    "now(parts) AS (SELECT pg_catalog.array_agg(x.part) FROM walk w JOIN pg_catalog.pg_type t ON t.oid = w.type "
    "CROSS JOIN LATERAL (SELECT e.oid || '=' || e.xmin FROM pg_catalog.pg_enum e WHERE e.enumtypid = t.oid UNION ALL "
    "SELECT a.attrelid || ':' || a.attnum FROM pg_catalog.pg_attribute a WHERE t.typtype = 'c' AND a.attrelid = "
    "t.typrelid AND a.attnum > 0 AND NOT a.attisdropped UNION ALL SELECT c.oid || '/' || c.relnatts FROM "
    "pg_catalog.pg_class c WHERE t.typtype = 'c' AND c.oid = t.typrelid) x(part)) SELECT coalesce(parts, '{}'), "
    "coalesce(parts, '{}') @> '%s' OR NOT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = %s) FROM now";

int columns_parts(PGconn *conn, uint32_t relid, const char *before, int wakefd, PGresult **res, struct err *err)
{
	char *sql, oid[16];

	snprintf(oid, sizeof oid, "%" PRIu32, relid);
	if (asprintf(&sql, parts_sql, oid, before, oid) < 0)
		return err_set(err, -ENOMEM, "out of memory");
	int r = pg_exec(conn, sql, wakefd, 0, res, NULL, err);
	free(sql);
	return r < 0 ? err_prefix(err, r, "reading what a table's values print") : 0;
}

void columns_fini(struct columns *columns)
{
	PQclear(columns->res);
	*columns = (struct columns){0};
}

void columns_take(struct columns *columns, size_t table)
{
	columns->from = columns->to;
	while (columns->to < PQntuples(columns->res) &&
	       strtoul(PQgetvalue(columns->res, columns->to, C_TABLE), NULL, 10) == table)
		columns->to++;
}

const char *columns_name(const struct columns *columns, int row)
{
	return PQgetvalue(columns->res, row, C_NAME);
}

bool columns_is_boolean(const struct columns *columns, int row)
{
	return *PQgetvalue(columns->res, row, C_BOOLEAN) == 't';
}

bool columns_prints_others(const struct columns *columns, int row)
{
	return !PQgetisnull(columns->res, row, C_PARTS);
}

/* ---- the `schema` line -------------------------------------------------- */

static void put_escaped(FILE *out, const char *text, size_t len)
{
	char escaped[2 * 4096];

	while (len > 0) {
		size_t piece = len < sizeof escaped / 2 ? len : sizeof escaped / 2;
		size_t escaped_len = line_escape(escaped, text, piece);
		fwrite(escaped, 1, escaped_len, out);
		text += piece;
		len -= piece;
	}
}

static void put_fact(FILE *out, const char *name, const char *value)
{
	fprintf(out, "\t%s\t", name);
	put_escaped(out, value, strlen(value));
}

/* A column's place in a key ("2 1"), from 1; 0: it is not in it. */
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

int columns_print_schema(const struct columns *columns, const struct columns_owner *owner, char **text, struct err *err)
{
	const char *key = owner->identity == 'd' ? owner->primary : owner->identity == 'i' ? owner->replident : "";
	size_t len;
	FILE *out = open_memstream(text, &len);
	int r = 0;

	if (!out)
		return err_set(err, -ENOMEM, "out of memory");
	fprintf(out, "%.*s\t_relid\t%s\t_key\t", (int)owner->pairs.len, owner->pairs.at, owner->oid);
	put_key(out, owner->identity, key, columns);
	fputs("\t_action\tschema", out);
	for (int row = columns->from; r == 0 && row < columns->to; row++)
		r = put_column(out, columns->res, row, owner->primary);
	if (fclose(out) != 0 || r < 0)
		return err_set(err, -ENOMEM, "out of memory for a definition");
	return 0;
}
