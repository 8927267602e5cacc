/*
 * fuzz_incoming.c - what a walsender sends: any bytes as a message, and its lines. What is taken follows the rules
 * of a stream, so that a reader of the store can rely on them; the rest is refused with a sentence.
 */
#include <errno.h>
#include <string.h>

#include "incoming.h"
#include "message.h"
#include "property.h"
#include "record.h"

struct seen {
	bool open;
	struct line_head row; /* the last change */
	uint64_t lsn;
};

static void check_taken(struct seen *seen, const char *line, size_t len, const struct incoming_line *taken)
{
	struct span rest = {line, len}, name, value;
	char path[NAME_PATH_MAX];
	int more;

	while ((more = line_next(&rest, &name, &value)) == 1) {
		char *raw = malloc(value.len + 1);
		must(raw && !memchr(value.at, 0, value.len) && !memchr(name.at, 0, name.len));
		must(line_is_null(value) || line_unescape(raw, value) >= 0);
		free(raw);
	}
	must(more == 0);
	must(!taken->head.stamped && !span_is(taken->head.action, "origin"));
	must(seen->open == (taken->kind != INCOMING_BEGIN));
	seen->open = taken->kind != INCOMING_COMMIT;
	if (taken->kind == INCOMING_COMMIT) {
		must(taken->lsn > seen->lsn);
		seen->lsn = taken->lsn;
	}
	must(!taken->head.table.at || name_of_pairs(path, taken->head.table_pairs) > 0);
	must(!taken->head.table.at || taken->kind == INCOMING_CHANGE);
}

static bool same(struct span a, struct span b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

/* What was found to be like the row before is what it was taken to be. */
static void check_like(const struct seen *seen, const struct line_head *like, const struct line_head *taken)
{
	must(same(taken->table_pairs, seen->row.table_pairs) && same(taken->action, seen->row.action));
	must(!like->action.at || (same(like->table_pairs, taken->table_pairs) && same(like->action, taken->action) &&
	                          same(like->xid, taken->xid)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct incoming incoming;
	struct incoming_line taken;
	struct source_event event = {.kind = SOURCE_NOTHING};
	struct err err = {""};
	struct seen seen = {.lsn = 0x1000};
	uint64_t end_lsn = 7;
	char *message = malloc(size ? size : 1);

	must(message);
	if (size)
		memcpy(message, data, size);
	int r = message_parse(message, size, &event, &end_lsn, &err);
	must(end_lsn >= 7);
	must(r == 0 ? event.kind != SOURCE_NOTHING : r == -EPROTO && *err.text);
	must(event.len <= size);
	must(event.kind != SOURCE_LINES || event.data + event.len == message + size);

	/* Its lines, and those of the bytes themselves. */
	const char *at = event.kind == SOURCE_LINES ? event.data : message;
	incoming_start(&incoming, seen.lsn);
	for (size_t left = (size_t)(message + size - at); left > 0;) {
		const char *newline = memchr(at, '\n', left);
		size_t len = newline ? (size_t)(newline - at) : left;
		struct line_head head;
		size_t like = incoming_like(&incoming, at, left, &head);
		r = incoming_take(&incoming, at, left, &taken, &err);
		must(like == 0 || (r == 0 && like == len && taken.kind == INCOMING_CHANGE));
		if (like > 0)
			check_like(&seen, &head, &taken.head);
		if (r < 0) {
			must(r == -EPROTO && *err.text &&
			     line_utf8_len(err.text, strlen(err.text)) == strlen(err.text));
			must(!strpbrk(err.text, "\n\t\r"));
			break;
		}
		must(taken.len == len);
		check_taken(&seen, at, len, &taken);
		if (taken.kind == INCOMING_CHANGE)
			seen.row = taken.head;
		left -= newline ? len + 1 : len;
		at = newline ? newline + 1 : at;
	}
	free(message);
	return 0;
}
