/*
 * fuzz_mirror_apply.c - any lines at all, in whole transactions: whether each is committed by itself, line by line, or all at
 * once, with only the last state of each row (coalesce.h), up to the first that cannot be applied, the mirror is the same, and a sound database.
 *
 * The input is lines without position; "commit" ends a transaction. Positions and checksums are put right, as the
 * daemon does, so that what says the lines is applied.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "apply.h"
#include "content.h"
#include "crc32c.h"
#include "database.h"
#include "dbfile.h"
#include "follow.h"
#include "property.h"

#include "folder.h"

static void ignore(const char *text)
{
	(void)text;
}

/* ---- the stream */

struct text {
	char *at;
	size_t len;
	uint32_t crc;
	uint64_t seq;
};

static void add(struct text *text, const char *bytes, size_t len)
{
	must((text->at = realloc(text->at, text->len + len + 1)));
	if (len)
		memcpy(text->at + text->len, bytes, len);
	text->crc = crc32c(text->crc, bytes, len);
	text->len += len;
}

static void add_line(struct text *text, const char *body, size_t len)
{
	char head[60];
	int n = snprintf(head, sizeof head, "_c\t1507507200\t_s\t%" PRIu64 "\t", text->seq++);

	add(text, head, (size_t)n);
	add(text, body, len);
	add(text, "\n", 1);
}

static void add_commit(struct text *text)
{
	char line[200];
	int n = snprintf(line, sizeof line,
	                 "_c\t1507507200\t_s\t%" PRIu64 "\t_xid\t%" PRIu64 "\t_action\tcommit\tlsn\t0/%" PRIX64
	                 "\ttime\t2017-10-09 00:00:00+00\t",
	                 text->seq, 700 + text->seq, text->seq + 1);

	text->seq++;
	add(text, line, (size_t)n);
	n = snprintf(line, sizeof line, "crc\t%08" PRIx32 "\n", text->crc);
	add(text, line, (size_t)n);
	text->crc = 0;
}

static struct text make_stream(const char *data, size_t size)
{
	static const char origin[] =
	    "_action\torigin\tsystem\t7\ttimeline\t1\tdatabase\tbank\tslot\tdaystream\tgeneration\t1";
	struct text text = {0};

	add_line(&text, origin, sizeof origin - 1);
	while (size > 0) {
		const char *end = memchr(data, '\n', size);
		size_t len = end ? (size_t)(end - data) : size;
		if (len == 6 && memcmp(data, "commit", 6) == 0)
			add_commit(&text);
		else
			add_line(&text, data, len);
		data += len + (end != NULL);
		size -= len + (end != NULL);
	}
	return text;
}

/* ---- a mirror of it */

struct world {
	struct database database;
	struct apply *apply;
	struct follow *follow;
	const struct text *text;
	bool each; /* a transaction is a batch */
	char path[100];
};

/* From where the mirror stands. */
static void start(struct world *world)
{
	const struct text *text = world->text;
	uint64_t lines = world->database.has_position ? world->database.position.seq + 1 : 0;
	char path[100];
	size_t at = 0;
	struct err err;

	while (lines-- > 0)
		at = (size_t)((char *)memchr(text->at + at, '\n', text->len - at) + 1 - text->at);
	int fd = openat(folder, "live", O_RDWR | O_CREAT | O_TRUNC, 0600);
	must(fd >= 0 && write(fd, text->at + at, text->len - at) == (ssize_t)(text->len - at));
	close(fd);
	snprintf(path, sizeof path, "%s/live", folder_name);
	follow_close(world->follow);
	must(follow_open_file(&world->follow, path, &err) == 0);
}

/* One line. 1: go on; 0: the end; negative: it cannot be. */
static int step(struct world *world)
{
	struct follow_line line;
	struct err err = {0};

	int rc = follow_next(world->follow, &line, &err);
	apply_coalesce(world->apply, !world->each);
	if (rc > 0)
		rc = apply_line(world->apply, &line.head, &err) < 0 ? -1 : 1;
	if (rc > 0 && line.commit && world->each)
		rc = apply_commit(world->apply, &err) < 0 ? -1 : 1;
	if (rc == 0)
		rc = apply_in_transaction(world->apply) ? -1 : apply_commit(world->apply, &err);
	must(rc >= 0 || err.text[0] || apply_in_transaction(world->apply));
	return rc;
}

/* As the loop of mirror.c: what goes wrong is undone, then tried transaction by transaction. */
static void run(struct world *world)
{
	struct err err;
	int rc;

	start(world);
	while ((rc = step(world)) != 0) {
		if (rc > 0)
			continue;
		must(apply_rollback(world->apply, &err) == 0);
		if (world->each)
			break;
		world->each = true;
		start(world);
	}
}

static bool is_sound(sqlite3 *sqlite)
{
	sqlite3_stmt *stmt = NULL;

	must(sqlite3_prepare_v2(sqlite, "PRAGMA integrity_check", -1, &stmt, NULL) == SQLITE_OK);
	bool sound = sqlite3_step(stmt) == SQLITE_ROW && strcmp((const char *)sqlite3_column_text(stmt, 0), "ok") == 0;
	sqlite3_finalize(stmt);
	return sound;
}

static void mirror_open_at(struct world *world, const char *name, const struct text *text, bool each)
{
	struct database_want want = {.stop_fd = -1};
	struct err err;

	*world = (struct world){.text = text, .each = each};
	snprintf(world->path, sizeof world->path, "%s/%s", folder_name, name);
	must(database_open(&world->database, world->path, &want, &err) == 0);
	must(sqlite3_exec(world->database.sqlite, "PRAGMA synchronous = OFF", NULL, NULL, NULL) == SQLITE_OK);
	must(apply_open(&world->apply, &world->database, NULL, 0, ignore, &err) == 0);
}

static void mirror_shut(struct world *world)
{
	follow_close(world->follow);
	apply_close(world->apply);
	database_close(&world->database);
	dbfile_remove(world->path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct world one, all;

	if (folder < 0)
		folder_open();
	struct text text = make_stream((const char *)data, size);
	mirror_open_at(&one, "one", &text, true);
	mirror_open_at(&all, "all", &text, false);
	run(&one);
	run(&all);
	must(is_sound(one.database.sqlite) && is_sound(all.database.sqlite));
	must(one.database.has_position == all.database.has_position);
	must(position_cmp(one.database.position, all.database.position) == 0);
	uint64_t content = content_all(one.database.sqlite);
	must(content && content == content_all(all.database.sqlite));
	mirror_shut(&one);
	mirror_shut(&all);
	unlinkat(folder, "live", 0);
	free(text.at);
	return 0;
}
