#include "incoming.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "record.h"
#include "sound.h"

/* "2017-10-09 00:00:00.5+00" -> Unix time. A transaction that was replicated with an
 * origin has that origin's time, which may be anything, "infinity" too: what no calendar
 * of ours has is 0, so that it takes the second of the line before. */
static bool second_of(struct span value, uint64_t *second)
{
	char text[64];
	struct tm tm = {0};

	if (value.len >= sizeof text)
		return false;
	memcpy(text, value.at, value.len);
	text[value.len] = 0;
	size_t year = strspn(text, "0123456789");
	*second = 0;
	if (strcmp(text, "infinity") == 0 || strcmp(text, "-infinity") == 0 || (year > 4 && text[year] == '-') ||
	    (year == 4 && value.len > 3 && memcmp(text + value.len - 3, " BC", 3) == 0))
		return true;
	const char *end = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);
	if (!end || (*end != '.' && *end != '+'))
		return false;
	long long unix_time = timegm(&tm);
	*second = unix_time > 0 ? (uint64_t)unix_time : 0;
	return true;
}

/* The same, looked up: small transactions share their second with many. */
static bool second_like(struct incoming *in, struct span value, uint64_t *second)
{
	enum { LEN = sizeof in->time };
	/* Of what stands behind these only " BC" counts. */
	bool usual = value.len >= LEN && value.len < 64 && (value.at[LEN - 1] == '.' || value.at[LEN - 1] == '+') &&
	             value.at[value.len - 1] != 'C';

	if (usual && in->second && memcmp(value.at, in->time, LEN) == 0) {
		*second = in->second;
		return true;
	}
	if (!second_of(value, second))
		return false;
	in->second = usual ? *second : 0;
	if (usual)
		memcpy(in->time, value.at, LEN);
	return true;
}

static bool take_begin(struct incoming *in, struct incoming_line *taken)
{
	struct span rest = taken->head.pairs, name, value, xid = taken->head.xid;

	if (in->open || taken->head.table.at || xid.len > sizeof in->xid || line_next(&rest, &name, &value) != 1 ||
	    !span_is(name, "time") || !second_like(in, value, &taken->second))
		return false;
	in->open = true;
	in->begun_len = 0;
	in->xid_len = xid.len;
	if (xid.len)
		memcpy(in->xid, xid.at, xid.len);
	return true;
}

static bool take_commit(struct incoming *in, struct incoming_line *taken)
{
	struct commit commit;

	if (taken->head.table.at || !commit_parse(&taken->head, &commit) || commit.has_crc || commit.lsn <= in->lsn)
		return false;
	taken->lsn = in->lsn = commit.lsn;
	in->open = false;
	in->begun_len = 0;
	return true;
}

/* Whether the line's table has a path; mostly it is that of the line before. */
static bool names_table(struct incoming *in, const struct line_head *head)
{
	char path[NAME_PATH_MAX];
	struct span pairs = head->table_pairs;

	if (!pairs.at || pairs.len > sizeof in->table || line_is_null(head->table) ||
	    (head->schema.at && line_is_null(head->schema)))
		return false;
	if (pairs.len == in->table_len && memcmp(pairs.at, in->table, pairs.len) == 0)
		return true;
	if (name_of_pairs(path, pairs) == 0)
		return false;
	memcpy(in->table, pairs.at, pairs.len);
	in->table_len = pairs.len;
	return true;
}

static bool take_change(struct incoming *in, const struct line_head *head)
{
	static const char *const of_tables[] = {"insert",  "update", "delete", "replace", "truncate",
	                                        "partial", "schema", "drop",   NULL};

	/* What the daemon itself writes. */
	if (span_is(head->action, "origin"))
		return false;
	if (head->table.at)
		return names_table(in, head);
	for (int i = 0; of_tables[i]; i++)
		if (span_is(head->action, of_tables[i]))
			return false;
	return true;
}

/* ---- rows that begin as the one before ---------------------------------- */

static bool is_row(struct span action)
{
	return span_is(action, "insert") || span_is(action, "update") || span_is(action, "delete") ||
	       span_is(action, "replace");
}

static void note_begun(struct incoming *in, const char *line, const struct line_head *head)
{
	size_t len = head->pairs.at ? (size_t)(head->pairs.at - line) : 0;

	if (len == 0 || len > sizeof in->begun || !is_row(head->action)) {
		in->begun_len = 0;
		return;
	}
	memcpy(in->begun, line, len);
	in->begun_len = len;
}

size_t incoming_like(const struct incoming *in, const char *text, size_t text_len)
{
	size_t begun = in->begun_len; /* whole pairs */
	bool sound;

	/* It is in the same transaction and table, and has the same action: all that was looked at then. */
	if (begun == 0 || text_len < begun || memcmp(text, in->begun, begun) != 0)
		return 0;
	size_t len = begun + sound_line(text + begun, text_len - begun, &sound);
	return sound ? len : 0;
}

static int refuse(const char *what, const char *line, size_t len, struct err *err)
{
	return err_set(err, -EPROTO, "the source sent %s: \"%.*s\"%s; is the output plugin deltaflood of this version?",
	               what, len < 200 ? (int)len : 200, line, len < 200 ? "" : "...");
}

void incoming_start(struct incoming *in, uint64_t lsn)
{
	*in = (struct incoming){.lsn = lsn};
}

int incoming_take(struct incoming *in, const char *line, size_t text_len, struct incoming_line *taken, struct err *err)
{
	struct line_head *head = &taken->head;
	bool sound;
	size_t len = sound_line(line, text_len, &sound);

	taken->len = len;
	taken->kind = INCOMING_CHANGE;
	if (!sound || !line_parse(line, len, head) || head->stamped)
		return refuse("what is no line of the format", line, len, err);
	if (span_is(head->action, "begin")) {
		taken->kind = INCOMING_BEGIN;
		return take_begin(in, taken) ? 0 : refuse("a begin line that cannot be taken", line, len, err);
	}
	if (!in->open || head->xid.len != in->xid_len || (in->xid_len && memcmp(head->xid.at, in->xid, in->xid_len)))
		return refuse("a line outside its transaction", line, len, err);
	if (span_is(head->action, "commit")) {
		taken->kind = INCOMING_COMMIT;
		return take_commit(in, taken) ? 0 : refuse("a commit line that cannot be taken", line, len, err);
	}
	if (!take_change(in, head))
		return refuse("a line that names no table, or a wrong one", line, len, err);
	note_begun(in, line, head);
	return 0;
}
