/*
 * test_mirror_table.h - for the tests of mirror/: tables by their definitions and changes.
 */
#ifndef TEST_MIRROR_TABLE_H
#define TEST_MIRROR_TABLE_H

#include "test_mirror_stream.h"

/* A definition of `table` (with its _schema before it, where there is one). */
static inline void define(struct world *w, const char *table, unsigned relid, const char *key, const char *columns)
{
	char body[2000];

	snprintf(body, sizeof body, "%s\t_xid\t%u\t_relid\t%u\t_key\t%s\t_action\tschema%s%s", table, w->stream.xid,
	         relid, key, *columns ? "\t" : "", columns);
	line(w, body);
}

static inline void change(struct world *w, const char *table, const char *action)
{
	char body[2000];

	snprintf(body, sizeof body, "%s\t_xid\t%u\t_action\t%s", table, w->stream.xid, action);
	line(w, body);
}

static inline void run(struct world *w, const char *sql)
{
	char *words = NULL;

	if (sqlite3_exec(w->database.sqlite, sql, NULL, NULL, &words) != SQLITE_OK)
		fail_msg("%s: %s", sql, words);
}

#define T "_table\tt"
#define ID "id\tnumber\\t1\\ttype\\tinteger\\tnotnull\\t1\\tpk\\t1"
#define A "a\tnumber\\t2\\ttype\\ttext"
#define B "b\tnumber\\t3\\ttype\\ttext"

/* The table t with two rows. */
static inline void start(struct world *w)
{
	define(w, T, 1, "id", ID "\t" A "\t" B);
	change(w, T, "insert\tid\t1\ta\tone\tb\teins");
	change(w, T, "insert\tid\t2\ta\ttwo\tb\t\\N");
	commit(w);
}

#endif
