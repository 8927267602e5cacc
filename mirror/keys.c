#include "keys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* What a person may have put into the mirror, and no server can have, needs no question. */
static bool can_be(const struct value *value, enum storage storage, const char *base)
{
	switch (storage) {
	case STORAGE_INTEGER:
		return value->kind == VALUE_INTEGER &&
		       (strcmp(base, "oid") != 0 || (value->integer >= 0 && value->integer <= UINT32_MAX));
	case STORAGE_BOOLEAN: return value->kind == VALUE_INTEGER && (value->integer == 0 || value->integer == 1);
	case STORAGE_REAL: return value->kind == VALUE_REAL || value->kind == VALUE_TEXT;
	case STORAGE_BLOB: return value->kind == VALUE_BLOB;
	default: return value->kind == VALUE_TEXT && !memchr(value->at, 0, value->len);
	}
}

/* A literal; false where the text is none. */
static bool append_quoted(sqlite3_str *sql, PGconn *conn, const char *text, size_t len)
{
	char *quoted = PQescapeLiteral(conn, text, len);

	if (quoted)
		sqlite3_str_appendall(sql, quoted);
	PQfreemem(quoted);
	return quoted;
}

static bool append_value(sqlite3_str *sql, PGconn *conn, const struct value *value)
{
	if (value->kind == VALUE_INTEGER) {
		sqlite3_str_appendf(sql, "'%lld'", (long long)value->integer);
	} else if (value->kind == VALUE_REAL) {
		char text[40];
		snprintf(text, sizeof text, "%.17g", value->real);
		sqlite3_str_appendf(sql, "'%s'", text);
	} else if (value->kind == VALUE_BLOB) {
		sqlite3_str_appendall(sql, "pg_catalog.decode('");
		for (size_t i = 0; i < value->len; i++)
			sqlite3_str_appendf(sql, "%02x", (unsigned char)value->at[i]);
		sqlite3_str_appendall(sql, "', 'hex')");
	} else {
		return append_quoted(sql, conn, value->at, value->len);
	}
	return true;
}

/* The key's values in parentheses; false where the server cannot have them. */
static bool append_key(sqlite3_str *sql, const struct sides *sides, const struct suspect *suspect, bool by_text)
{
	const char *at = NULL;
	struct value value;

	for (unsigned i = 0, put = 0; i < sides->count; i++) {
		enum storage storage = sides->schema->columns[i].storage;
		const char *base = sides->schema->definition.columns[i].base;
		if (!sides_orders(sides, i))
			continue;
		if (!suspect_next_value(suspect, &at, &value) || !can_be(&value, storage, base))
			return false;
		sqlite3_str_appendall(sql, put++ ? ", " : "(");
		if (!append_value(sql, sides->server->conn, &value))
			return false;
		/* Wider than a smallint, so that none is out of range. */
		if (storage == STORAGE_INTEGER && strcmp(base, "oid") != 0)
			sqlite3_str_appendall(sql, "::bigint");
		else if (storage != STORAGE_BLOB && !(by_text && storage == STORAGE_TEXT))
			sqlite3_str_appendf(sql, "::%s", base);
	}
	sqlite3_str_appendall(sql, ")");
	return true;
}

static void append_columns(sqlite3_str *sql, const struct sides *sides, bool by_text)
{
	for (unsigned i = 0, put = 0; i < sides->count; i++) {
		if (!sides_orders(sides, i))
			continue;
		sqlite3_str_appendall(sql, put++ ? ", " : "WHERE (");
		if (by_text && sides->schema->columns[i].storage == STORAGE_TEXT) {
			sides_append_text(sql, sides, i);
			sqlite3_str_appendall(sql, " COLLATE \"C\"");
		} else {
			sqlite3_str_appendf(sql, "t.\"%w\"", sides->schema->definition.columns[i].name);
		}
	}
	sqlite3_str_appendall(sql, ") IN (");
}

char *keys_where(const struct sides *sides, struct suspect **next, bool by_text, int *code)
{
	sqlite3_str *sql = sqlite3_str_new(NULL);
	unsigned count = 0;

	*code = 0;
	append_columns(sql, sides, by_text);
	for (; *next && count < KEYS_BATCH; *next = (*next)->hh.next) {
		if ((*next)->verdict != SUSPECT_OPEN)
			continue;
		sqlite3_str *key = sqlite3_str_new(NULL);
		bool good = append_key(key, sides, *next, by_text);
		if (sqlite3_str_errcode(key) != SQLITE_OK)
			*code = -ENOMEM;
		char *text = sqlite3_str_finish(key);
		if (good && text)
			sqlite3_str_appendf(sql, "%s%s", count++ ? ", " : "", text);
		sqlite3_free(text);
	}
	sqlite3_str_appendall(sql, ")");
	char *text = sqlite3_str_finish(sql);
	if (!text)
		*code = -ENOMEM;
	if (count > 0 && *code == 0)
		return text;
	sqlite3_free(text);
	return NULL;
}
