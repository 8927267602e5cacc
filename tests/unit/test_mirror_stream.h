/*
 * test_mirror_stream.h - for the tests of mirror/: a stream made by hand, a
 * temporary folder that may look like a mount, and a mirror fed without one.
 */
#ifndef TEST_MIRROR_STREAM_H
#define TEST_MIRROR_STREAM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "apply.h"
#include "crc32c.h"
#include "database.h"
#include "line.h"
#include "position.h"

#define UNUSED __attribute__((unused))

/* ---- a stream */

struct stream {
	char *text;
	size_t len, size;
	uint32_t crc;
	struct position next;
	unsigned xid;
};

static void stream_bytes(struct stream *stream, const char *bytes, size_t len)
{
	if (stream->len + len >= stream->size) {
		stream->size = 2 * (stream->len + len) + 1000;
		stream->text = realloc(stream->text, stream->size);
		assert_non_null(stream->text);
	}
	memcpy(stream->text + stream->len, bytes, len);
	stream->len += len;
	stream->text[stream->len] = 0;
	stream->crc = crc32c(stream->crc, bytes, len);
}

static void stream_init(struct stream *stream, uint64_t epoch)
{
	*stream = (struct stream){.next = {epoch, 0}, .xid = 700};
	stream_bytes(stream, "", 0);
}

static void stream_fini(struct stream *stream)
{
	free(stream->text);
}

/* One line: its position is put before it. */
static void stream_line(struct stream *stream, const char *body)
{
	char head[80];
	int n = snprintf(head, sizeof head, "_c\t%" PRIu64 "\t_s\t%" PRIu64 "\t", stream->next.epoch, stream->next.seq);

	stream_bytes(stream, head, (size_t)n);
	stream_bytes(stream, body, strlen(body));
	stream_bytes(stream, "\n", 1);
	stream->next.seq++;
}

static UNUSED void stream_origin(struct stream *stream, unsigned generation)
{
	char body[200];

	snprintf(body, sizeof body,
	         "_action\torigin\tsystem\t7123\ttimeline\t1\tdatabase\tbank\tslot\tdaystream\tgeneration\t%u",
	         generation);
	stream_line(stream, body);
}

/* Ends the transaction; the next one is another second's. */
static void stream_commit(struct stream *stream)
{
	char body[200], crc[20];
	int n = snprintf(body, sizeof body,
	                 "_c\t%" PRIu64 "\t_s\t%" PRIu64 "\t_xid\t%u\t_action\tcommit\tlsn\t0/%X\ttime\t"
	                 "2017-10-09 00:00:00+00\t",
	                 stream->next.epoch, stream->next.seq, stream->xid, stream->xid * 16);

	stream_bytes(stream, body, (size_t)n);
	n = snprintf(crc, sizeof crc, "crc\t%08" PRIx32 "\n", stream->crc);
	stream_bytes(stream, crc, (size_t)n);
	stream->crc = 0;
	stream->xid++;
	stream->next = (struct position){stream->next.epoch + 1, 0};
}

/* ---- a folder */

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st, (void)flag, (void)ftw;
	return remove(path);
}

static void folder_make(char *dir)
{
	strcpy(dir, "/tmp/test_mirror.XXXXXX");
	assert_non_null(mkdtemp(dir));
}

static void folder_remove(const char *dir)
{
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* Writes DIR/<name>, with the folders above it. */
static UNUSED void folder_write(const char *dir, const char *name, const char *bytes, size_t len)
{
	char path[500];

	snprintf(path, sizeof path, "%s/%s", dir, name);
	for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(path, 0777);
		*slash = '/';
	}
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, len, file), len);
	fclose(file);
}

/* ---- a mirror */

struct world {
	char dir[40], path[60];
	struct database database;
	struct apply *apply;
	struct stream stream;
	size_t fed;
	struct line_before before; /* of what was fed */
	struct err err;
	char *answer;
	unsigned warnings;
	const char *tables;
};

static unsigned world_warnings;

static void world_warn(const char *text)
{
	(void)text;
	world_warnings++;
}

static void world_open(struct world *world)
{
	struct database_want want = {.tables = world->tables, .stop_fd = -1};
	int rc = database_open(&world->database, world->path, &want, &world->err);
	if (rc == 0)
		rc = apply_open(&world->apply, &world->database, world->tables, 0, world_warn, &world->err);
	if (rc < 0)
		fail_msg("%s", world->err.text);
}

static void world_close(struct world *world)
{
	apply_close(world->apply);
	database_close(&world->database);
	world->apply = NULL;
}

static UNUSED int world_setup(void **state)
{
	struct world *world = calloc(1, sizeof *world);

	folder_make(world->dir);
	snprintf(world->path, sizeof world->path, "%s/m.sqlite", world->dir);
	world_warnings = 0;
	world_open(world);
	stream_init(&world->stream, 1507507200);
	stream_origin(&world->stream, 1);
	*state = world;
	return 0;
}

static UNUSED int world_teardown(void **state)
{
	struct world *world = *state;

	world_close(world);
	stream_fini(&world->stream);
	folder_remove(world->dir);
	sqlite3_free(world->answer);
	free(world);
	return 0;
}

static UNUSED void line(struct world *world, const char *body)
{
	stream_line(&world->stream, body);
}

/* Applies what the stream has and the mirror had not yet; world->err says what was wrong. */
static int world_feed(struct world *world)
{
	struct line_head head;

	/* As follow_next and ahead_next do it. */
	while (world->fed < world->stream.len) {
		const char *at = world->stream.text + world->fed;
		size_t len = strcspn(at, "\n");
		world->fed += len + 1;
		assert_true(line_parse_next(&world->before, at, len, &head));
		int rc = apply_line(world->apply, &head, &world->err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* The transaction ends, and all is in the database. */
static UNUSED void commit(struct world *world)
{
	stream_commit(&world->stream);
	if (world_feed(world) < 0 || apply_commit(world->apply, &world->err) < 0)
		fail_msg("%s", world->err.text);
}

/* The last line is refused, with a sentence that has `reason` in it; nothing of it stays. */
static UNUSED void refused(struct world *world, int code, const char *reason)
{
	int rc = world_feed(world);

	assert_int_equal(rc, code);
	if (!strstr(world->err.text, reason))
		fail_msg("\"%s\" does not say \"%s\"", world->err.text, reason);
	assert_int_equal(apply_rollback(world->apply, &world->err), 0);
}

/* "a|b\nc|d": the values as quote() prints them. */
static UNUSED const char *ask(struct world *world, const char *sql)
{
	sqlite3_stmt *stmt;
	sqlite3_str *out = sqlite3_str_new(NULL);

	if (sqlite3_prepare_v2(world->database.sqlite, sql, -1, &stmt, NULL) != SQLITE_OK)
		fail_msg("%s: %s", sql, sqlite3_errmsg(world->database.sqlite));
	for (int row = 0; sqlite3_step(stmt) == SQLITE_ROW; row++)
		for (int i = 0; i < sqlite3_column_count(stmt); i++) {
			const char *text = (const char *)sqlite3_column_text(stmt, i);
			sqlite3_str_appendf(out, "%s%s", i ? "|" : row ? "\n" : "", text ? text : "NULL");
		}
	assert_int_equal(sqlite3_finalize(stmt), SQLITE_OK);
	sqlite3_free(world->answer);
	world->answer = sqlite3_str_finish(out);
	return world->answer ? world->answer : "";
}

/* Three tables. */
#define ZZZ                                                                                                            \
	"_table\tzzz\t_xid\t700\t_relid\t16384\t_key\ta\t_"                                                            \
	"action\tschema\ta\tnumber\\t1\\ttype\\ttext\\tpk\\t1\tb\tnumber\\t2\\ttype\\ttext"
#define ACC                                                                                                            \
	"_table\tacc\t_xid\t700\t_relid\t16385\t_key\tid\t_"                                                           \
	"action\tschema\tid\tnumber\\t1\\ttype\\tbigint\tv\tnumber\\t2\\ttype\\ttext\tw\tnumber\\t3\\ttype\\ttext"
#define LOG_FULL                                                                                                       \
	"_table\tlog\t_xid\t700\t_relid\t16386\t_key\t*\t_"                                                            \
	"action\tschema\tn\tnumber\\t1\\ttype\\tinteger\tt\tnumber\\t2\\ttype\\ttext"

#endif
