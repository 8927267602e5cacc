/*
 * content.h - what a mirror's tables hold, as one number: a sum, so that neither the order of rows nor that of
 * columns counts. 0 where they cannot be read.
 */
#ifndef TESTS_CONTENT_H
#define TESTS_CONTENT_H

#include <sqlite3.h>
#include <stdint.h>
#include <string.h>

static uint64_t content_mix(uint64_t hash, const void *bytes, size_t len)
{
	const unsigned char *at = bytes;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ at[i]) * 0x100000001b3;
	return hash ^ (hash >> 32);
}

static uint64_t content_row(sqlite3_stmt *stmt)
{
	uint64_t row = 0;

	for (int i = 0; i < sqlite3_column_count(stmt); i++) {
		const char *column = sqlite3_column_name(stmt, i);
		int type = sqlite3_column_type(stmt, i);
		uint64_t cell = content_mix(content_mix(2, column, strlen(column)), &type, sizeof type);
		const void *bytes = sqlite3_column_blob(stmt, i);
		row += content_mix(cell, bytes, bytes ? (size_t)sqlite3_column_bytes(stmt, i) : 0);
	}
	return row;
}

static uint64_t content_table(sqlite3 *sqlite, const char *name)
{
	char *sql = sqlite3_mprintf("SELECT * FROM \"%w\"", name);
	uint64_t sum = content_mix(1, name, strlen(name));
	sqlite3_stmt *stmt = NULL;
	int rc = sqlite3_prepare_v2(sqlite, sql, -1, &stmt, NULL);

	while (rc == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW) {
		uint64_t row = content_row(stmt);
		sum += content_mix(content_mix(3, name, strlen(name)), &row, sizeof row);
	}
	sqlite3_free(sql);
	return sqlite3_finalize(stmt) == SQLITE_OK && rc == SQLITE_OK ? sum : 0;
}

static uint64_t content_all(sqlite3 *sqlite)
{
	sqlite3_stmt *stmt = NULL;
	uint64_t sum = 1;
	int rc = sqlite3_prepare_v2(sqlite, "SELECT name FROM _daystream_tables", -1, &stmt, NULL);

	while (rc == SQLITE_OK && sum && sqlite3_step(stmt) == SQLITE_ROW) {
		uint64_t table = content_table(sqlite, (const char *)sqlite3_column_text(stmt, 0));
		sum = table ? sum + table : 0;
	}
	return sqlite3_finalize(stmt) == SQLITE_OK && rc == SQLITE_OK ? sum : 0;
}

#endif
