/*
 * result.h - what columns a query at the server has.
 */
#ifndef MIRROR_RESULT_H
#define MIRROR_RESULT_H

#include <libpq-fe.h>

#include "err.h"
#include "value.h"

struct result_column {
	char *name;
	char *base; /* its type without domains, as format_type prints it */
	enum storage storage;
};

struct result {
	char *query; /* without the semicolon at its end */
	unsigned count;
	struct result_column *columns;
};

/* Asks the server. -EINVAL where it is no query, or its columns have no names of their own (in SQLite, where case does
 * not count). result_fini is to be called in any case. */
int result_describe(struct result *result, PGconn *conn, const char *query, enum numeric numeric, int wakefd,
                    struct err *err);
void result_fini(struct result *result);

/* The query with its values as value_read reads them: for rows_open; to be freed with sqlite3_free. */
char *result_sql(const struct result *result);

#endif
