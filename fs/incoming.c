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
static bool second_like(const struct incoming *in, struct span value, uint64_t *second)
{
	/* Of what stands behind these only " BC" counts. */
	if (in->second && value.len >= INCOMING_TIME_LEN && value.at[value.len - 1] != 'C' &&
	    memcmp(value.at, in->time, INCOMING_TIME_LEN) == 0) {
		*second = in->second;
		return true;
	}
	return second_of(value, second);
}

/* The second of a usual time holds for others that begin so. */
static void note_time(struct incoming *in, struct span time, uint64_t second)
{
	enum { LAST = INCOMING_TIME_LEN - 1 };
	bool usual = time.len > LAST && (time.at[LAST] == '.' || time.at[LAST] == '+') && time.at[time.len - 1] != 'C';

	memcpy(in->time, time.at, time.len);
	in->time_len = time.len;
	in->second = usual ? second : 0;
}

/* The last row's beginning is that of a row of this transaction, once it has its xid. */
static void note_xid(struct incoming *in, struct span xid)
{
	if (xid.len != in->xid_len)
		in->begun_len = 0;
	in->first = true;
	in->xid_len = xid.len;
	if (xid.len)
		memcpy(in->xid, xid.at, xid.len);
	if (in->begun_len && xid.len)
		memcpy(in->begun + in->begun_xid, xid.at, xid.len);
}

static void open_transaction(struct incoming *in, struct span xid, struct span time, uint64_t second)
{
	in->open = true;
	note_xid(in, xid);
	note_time(in, time, second);
}

static bool take_begin(struct incoming *in, struct incoming_line *taken)
{
	struct span rest = taken->head.pairs, name, value, xid = taken->head.xid;

	if (in->open || taken->head.table.at || xid.len > sizeof in->xid || line_next(&rest, &name, &value) != 1 ||
	    !span_is(name, "time") || value.len >= sizeof in->time || !second_like(in, value, &taken->second))
		return false;
	open_transaction(in, xid, value, taken->second);
	return true;
}

static bool end_transaction(struct incoming *in, struct incoming_line *taken, uint64_t lsn)
{
	if (lsn <= in->lsn)
		return false;
	taken->lsn = in->lsn = lsn;
	in->open = false;
	return true;
}

static bool take_commit(struct incoming *in, struct incoming_line *taken)
{
	struct commit commit;

	return !taken->head.table.at && commit_parse(&taken->head, &commit) && !commit.has_crc &&
	       end_transaction(in, taken, commit.lsn);
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
	in->begun_xid = head->xid.at ? (size_t)(head->xid.at - line) : 0;
	in->begun_action = (size_t)(head->action.at - line);
	in->first = false;
}

static void fill_head(const struct incoming *in, const char *line, struct line_head *head)
{
	*head = (struct line_head){.table_pairs = {line, in->table_len},
	                           .xid = {in->xid_len ? line + in->begun_xid : NULL, in->xid_len},
	                           .action = {line + in->begun_action, in->begun_len - 1 - in->begun_action}};
}

size_t incoming_like(struct incoming *in, const char *text, size_t text_len, struct line_head *head)
{
	size_t begun = in->begun_len; /* whole pairs */
	bool sound;

	/* It is in this transaction and in the same table, and has the same action: all that was looked at then. */
	if (begun == 0 || !in->open || text_len < begun || memcmp(text, in->begun, begun) != 0)
		return 0;
	size_t len = begun + sound_line(text + begun, text_len - begun, &sound);
	if (!sound)
		return 0;
	head->action.at = NULL;
	if (in->first)
		fill_head(in, text, head);
	in->first = false;
	return len;
}

/* ---- `begin` and `commit` as they mostly are ---------------------------- */

struct reader {
	const char *at, *end;
};

static inline bool pass(struct reader *reader, const char *what, size_t len)
{
	if ((size_t)(reader->end - reader->at) < len || memcmp(reader->at, what, len) != 0)
		return false;
	reader->at += len;
	return true;
}
#define PASS(reader, literal) pass(reader, literal, sizeof(literal) - 1)

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* What of it consists of digits, and of `other`. */
static struct span pass_digits(struct reader *reader, char other)
{
	const char *from = reader->at;

	while (reader->at < reader->end && (is_digit(*reader->at) || *reader->at == other))
		reader->at++;
	return (struct span){from, (size_t)(reader->at - from)};
}

static bool ends(const struct reader *reader)
{
	return reader->at == reader->end || *reader->at == '\n';
}

/* In the second of the one before. */
static bool is_begin(struct incoming *in, struct reader *line, struct incoming_line *taken)
{
	if (in->second == 0 || !PASS(line, "_xid\t"))
		return false;
	struct span xid = pass_digits(line, '0');
	if (xid.len == 0 || xid.len > sizeof in->xid || !PASS(line, "\t_action\tbegin\ttime\t"))
		return false;
	struct span time = {line->at, INCOMING_TIME_LEN};
	if (!pass(line, in->time, INCOMING_TIME_LEN))
		return false;
	time.len += pass_digits(line, '+').len;
	if (!ends(line) || time.len >= sizeof in->time)
		return false;
	taken->kind = INCOMING_BEGIN;
	taken->head = (struct line_head){.xid = xid};
	taken->second = in->second;
	open_transaction(in, xid, time, in->second);
	return true;
}

/* With the time that its `begin` had. */
static bool is_commit(struct incoming *in, struct reader *line, struct incoming_line *taken)
{
	uint64_t lsn;

	if (in->xid_len == 0 || !PASS(line, "_xid\t"))
		return false;
	struct span xid = {line->at, in->xid_len};
	if (!pass(line, in->xid, in->xid_len) || !PASS(line, "\t_action\tcommit\tlsn\t"))
		return false;
	size_t n = lsn_parse_next(line->at, (size_t)(line->end - line->at), &lsn);
	line->at += n;
	if (n == 0 || !PASS(line, "\ttime\t") || !pass(line, in->time, in->time_len) || !ends(line))
		return false;
	taken->kind = INCOMING_COMMIT;
	taken->head = (struct line_head){.xid = xid};
	return end_transaction(in, taken, lsn);
}

static bool take_usual(struct incoming *in, const char *line, size_t text_len, struct incoming_line *taken)
{
	struct reader reader = {line, line + text_len};

	if (!(in->open ? is_commit(in, &reader, taken) : is_begin(in, &reader, taken)))
		return false;
	taken->len = (size_t)(reader.at - line);
	return true;
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

	if (take_usual(in, line, text_len, taken))
		return 0;
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
